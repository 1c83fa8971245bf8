#include "store/ingest.h"

#include <gtest/gtest.h>

#include <vector>

namespace karma::store {
namespace {

Fingerprint print(std::string_view payload) { return sha256(payload); }

class Streams : public ::testing::Test {
 protected:
  ChunkCheck check(std::string_view id, std::uint64_t number, std::string_view payload, std::string_view series = "s") {
    return streams.check_chunk(id, series, number, print(payload));
  }
  void begin(std::string_view id, IngestMode mode = IngestMode::add) {
    ASSERT_EQ(streams.check_begin(id, mode, "day"), BeginCheck::create);
    streams.begin(id, mode, "day");
    streams.check_invariants();
  }
  void chunk(std::string_view id, std::uint64_t number, std::string_view payload, std::span<const Item> items = {}) {
    ASSERT_EQ(check(id, number, payload, "s"), ChunkCheck::next);
    streams.add_chunk(id, "s", print(payload), items);
    streams.check_invariants();
  }

  IngestStreams streams{7, {.max_streams = 3, .max_staged_points = 4}};
};

TEST_F(Streams, AnUnknownStreamCanOnlyBegin) {
  EXPECT_EQ(check("x", 1, "a"), ChunkCheck::not_found);
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::not_found);
  begin("x");
  EXPECT_NE(streams.active("x"), nullptr);
  EXPECT_EQ(streams.committed("x"), nullptr);
}

TEST_F(Streams, ABeginMustFitTheStreamThatIsThere) {
  begin("x");
  EXPECT_EQ(streams.check_begin("x", IngestMode::add, "day"), BeginCheck::active);
  EXPECT_EQ(streams.check_begin("x", IngestMode::set, "day"), BeginCheck::other_parameters);
  EXPECT_EQ(streams.check_begin("x", IngestMode::add, std::nullopt), BeginCheck::other_parameters);
  streams.commit("x", 5);
  EXPECT_EQ(streams.check_begin("x", IngestMode::add, "day"), BeginCheck::committed);
  EXPECT_EQ(streams.check_begin("x", IngestMode::add, "hour"), BeginCheck::committed_otherwise);
}

TEST_F(Streams, ChunksComeInOrderAndTheSameOneIsSkipped) {
  begin("x");
  EXPECT_EQ(check("x", 0, "a"), ChunkCheck::number_is_zero);
  EXPECT_EQ(check("x", 2, "b"), ChunkCheck::not_the_next);
  chunk("x", 1, "a");
  chunk("x", 2, "b");
  EXPECT_EQ(check("x", 1, "a"), ChunkCheck::skip);
  EXPECT_EQ(check("x", 2, "b"), ChunkCheck::skip);
  EXPECT_EQ(check("x", 1, "b"), ChunkCheck::other_payload);
  EXPECT_EQ(check("x", 1, "a", "t"), ChunkCheck::other_payload);
  EXPECT_EQ(check("x", 4, "d"), ChunkCheck::not_the_next);
  EXPECT_EQ(check("x", 3, "c", "t"), ChunkCheck::other_series);
  EXPECT_EQ(check("x", 3, "c"), ChunkCheck::next);
}

TEST_F(Streams, AChunkIsStagedInPartsWithOthersInBetween) {
  begin("x", IngestMode::replace_series);
  std::vector<Item> items;
  for (std::uint64_t key = 0; key < 2 * IngestStreams::kStagedAtOnce + 5; ++key)
    items.push_back({{key}, Bucket::of_number(20260101), 1});
  std::vector<std::uint64_t> staged;
  streams.add_chunk("x", "s", print("a"), items, [&] {
    streams.check_invariants();
    staged.push_back(streams.active("x")->staged->key_count());
  });
  EXPECT_EQ(staged, (std::vector<std::uint64_t>{IngestStreams::kStagedAtOnce, 2 * IngestStreams::kStagedAtOnce}));
  EXPECT_EQ(streams.active("x")->staged->key_count(), items.size());
  streams.check_invariants();
}

TEST_F(Streams, ACheckBindsNothing) {
  begin("x");
  EXPECT_EQ(check("x", 1, "a", "first"), ChunkCheck::next);
  EXPECT_EQ(check("x", 1, "a", "second"), ChunkCheck::next);
  EXPECT_FALSE(streams.active("x")->series);
}

TEST_F(Streams, ACommittedStreamKnowsItsChunks) {
  begin("x");
  chunk("x", 1, "a");
  EXPECT_FALSE(streams.commit("x", 99));
  streams.check_invariants();
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::committed);
  EXPECT_EQ(streams.committed("x")->committed_at, 99);
  EXPECT_EQ(check("x", 1, "a"), ChunkCheck::skip_committed);
  EXPECT_EQ(check("x", 1, "b"), ChunkCheck::committed_otherwise);
  EXPECT_EQ(check("x", 2, "b"), ChunkCheck::committed_otherwise);
  EXPECT_EQ(check("x", 1, "a", "t"), ChunkCheck::committed_otherwise);
  EXPECT_EQ(check("x", 0, "a"), ChunkCheck::number_is_zero);
}

TEST_F(Streams, AnAbortedStreamIsUnknownAgain) {
  begin("x", IngestMode::replace_series);
  chunk("x", 1, "a", std::vector<Item>{{Key{1}, Bucket::of_number(20260101), 5}});
  ASSERT_TRUE(streams.abort("x"));
  streams.check_invariants();
  EXPECT_EQ(streams.staged_points(), 0u);
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::not_found);
  begin("x", IngestMode::set);
}

TEST_F(Streams, ReplaceStagesUntilCommit) {
  const Bucket day = Bucket::of_number(20260101);
  begin("x", IngestMode::replace_series);
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::nothing_staged);
  chunk("x", 1, "a", std::vector<Item>{{Key{1}, day, 5}, {Key{2}, day, 6}});
  chunk("x", 2, "b", std::vector<Item>{{Key{1}, day, 0}, {Key{2}, day, 7}});
  EXPECT_EQ(streams.staged_points(), 1u);
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::commit);
  std::optional<Series> staged = streams.commit("x", 1);
  ASSERT_TRUE(staged);
  EXPECT_EQ(staged->total(Key{2}), 7u);
  EXPECT_EQ(staged->key_count(), 1u);
  EXPECT_EQ(streams.staged_points(), 0u);
}

TEST_F(Streams, AnEmptyChunkStagesAnEmptySeries) {
  begin("x", IngestMode::replace_series);
  chunk("x", 1, "");
  EXPECT_EQ(streams.check_commit("x"), CommitCheck::commit);
}

TEST_F(Streams, ActiveStreamsAreBounded) {
  begin("a");
  begin("b");
  EXPECT_EQ(streams.room_for_stream("n", {}), Room::enough);
  EXPECT_EQ(streams.room_for_stream("n", {.streams = 1}), Room::too_many_streams);
  begin("c");
  EXPECT_EQ(streams.room_for_stream("n", {}), Room::too_many_streams);
  streams.commit("a", 1);
  EXPECT_EQ(streams.room_for_stream("n", {}), Room::enough);
}

TEST_F(Streams, StagedPointsAreBoundedOverAllStreams) {
  const Bucket day = Bucket::of_number(20260101);
  begin("a", IngestMode::replace_series);
  chunk("a", 1, "1", std::vector<Item>{{Key{1}, day, 1}, {Key{2}, day, 1}, {Key{3}, day, 1}});
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::replace_series, 1, {}), Room::enough);
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::replace_series, 1, {.points = 1}), Room::too_many_points);
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::replace_series, 2, {}), Room::too_many_points);
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::add, 2, {}), Room::enough);
  streams.abort("a");
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::replace_series, 4, {}), Room::enough);
}

TEST_F(Streams, ChunksAreBoundedForEachStreamAndForAll) {
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::add, 1, {.chunks = kMaxActiveChunks - 1}), Room::enough);
  EXPECT_EQ(streams.room_for_chunk("n", 1, IngestMode::add, 1, {.chunks = kMaxActiveChunks}), Room::too_many_chunks);
  EXPECT_EQ(streams.room_for_chunk("n", kMaxChunksPerStream, IngestMode::add, 1, {}), Room::enough);
  EXPECT_EQ(streams.room_for_chunk("n", kMaxChunksPerStream + 1, IngestMode::add, 1, {}), Room::too_many_chunks);
}

TEST_F(Streams, OnlyTheNewestCommittedStreamsAreRemembered) {
  for (std::size_t i = 0; i <= kMaxCommittedStreams; ++i) {
    const std::string id = "stream-" + std::to_string(i);
    streams.begin(id, IngestMode::add, {});
    streams.commit(id, 1);
  }
  streams.check_invariants();
  EXPECT_EQ(streams.committed_count(), kMaxCommittedStreams);
  EXPECT_EQ(streams.check_commit("stream-0"), CommitCheck::not_found);
  EXPECT_EQ(streams.check_commit("stream-1"), CommitCheck::committed);
  EXPECT_EQ(streams.check_begin("stream-0", IngestMode::add, {}), BeginCheck::create);
}

TEST_F(Streams, AViewStaysWhatItWas) {
  const Bucket day = Bucket::of_number(20260101);
  begin("done");
  chunk("done", 1, "a");
  streams.commit("done", 1);
  begin("x", IngestMode::replace_series);
  chunk("x", 1, "a", std::vector<Item>{{Key{1}, day, 5}});
  const IngestView view = streams.view();
  for (std::uint64_t number = 2; number < 40; ++number)
    chunk("x", number, std::to_string(number), std::vector<Item>{{Key{1}, day, number}});
  streams.commit("x", 2);
  begin("later");
  ASSERT_EQ(view.committed_count(), 1u);
  EXPECT_EQ(view.committed(0).identity->id, "done");
  ASSERT_EQ(view.active().size(), 1u);
  EXPECT_EQ(view.active()[0].chunks.size(), 1u);
  EXPECT_EQ(view.active()[0].chunks[1], print("a"));
  EXPECT_EQ(view.active()[0].staged->total(Key{1}), 5u);
}

TEST(ChunkList, KeepsAllInOrder) {
  ChunkList list;
  for (std::uint64_t i = 1; i <= 5000; ++i) list.push_back(sha256(std::to_string(i)));
  ASSERT_EQ(list.size(), 5000u);
  for (std::uint64_t i = 1; i <= 5000; ++i) ASSERT_EQ(list[i], sha256(std::to_string(i))) << i;
}

TEST(StreamIdentity, HasTheBeginFingerprintOfKarmaOne) {
  StreamIdentity identity;
  identity.id = "r";
  identity.mode = IngestMode::replace_series;
  identity.granularity = "day";
  EXPECT_EQ(to_hex(identity.begin_fingerprint()), "a8f2f0bb6cd80f7e64e1b17eb7235d2d776fc41cec9943ec90d5d33d9cc16fae");
}

}  // namespace
}  // namespace karma::store
