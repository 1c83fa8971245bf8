// Random use of keys and streams beside a plain model, with views and restarts through the text in between. Set
// KARMA_TEST_SEED to repeat a run.
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <random>
#include <string>

#include "store/exactly_once.h"
#include "support/engine_fixture.h"
#include "support/exactly_once_text.h"

namespace karma::store {
namespace {

using test::to_json;

struct ModelRecord {
  std::string key;
  std::int64_t created_at;
  std::uint64_t first;
};

struct ModelStream {
  IngestMode mode;
  bool committed = false;
  std::string series;
  std::vector<std::string> chunks;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> staged;
};

class Model {
 public:
  static constexpr std::uint64_t kMaxRecords = 300;
  static constexpr std::int64_t kMaxAge = 50;

  explicit Model(std::uint64_t seed) : random_(seed) { restart(""); }

  void step() {
    // A clock that mostly goes on, and sometimes steps back.
    now_ += random(20) == 0 ? -random(30) : random(2);
    switch (random(12)) {
      case 0:
        return prune();
      case 1:
      case 2:
      case 3:
        return use_stream();
      case 4:
        if (random(40) == 0) restart(to_json(exactly_once_->view()));
        return;
      case 5:
        if (random(10) == 0) look_at_view();
        return;
      default:
        return use_key();
    }
  }
  void check() const { exactly_once_->check_invariants(); }

 private:
  std::int64_t random(std::int64_t below) { return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random_); }

  void restart(const std::string& text) {
    constexpr std::uint64_t kHashSeed = 7;  // the same always, as it decides the order of staged keys in the text
    exactly_once_ = std::make_unique<ExactlyOnceState>(
        kHashSeed, ExactlyOnceState::Limits{.records = {.max_records = kMaxRecords, .max_age_seconds = kMaxAge},
                                            .streams = {.max_streams = 5, .max_staged_points = 1000}});
    if (text.empty()) return;
    ASSERT_TRUE(exactly_once_->load(text, commands::operations()).ok());
    ASSERT_TRUE(to_json(exactly_once_->view()) == text);
  }

  // Of either form.
  RequestContent content_of(const std::string& key) {
    if (key.size() % 2 != 0) return fingerprint_ = sha256(key);
    return *RequestContent::keep({"links", {std::hash<std::string>{}(key)}, Bucket::of_number(20260505), key.size()},
                                 room_);
  }

  void use_key() {
    const std::string key =
        "key-" + std::to_string(random(600)) + std::string(static_cast<std::size_t>(random(200)), 'x');
    IdempotencyRecords& records = exactly_once_->records();
    std::optional<IdempotencyRecord> found = records.find(records.key(key));
    const bool is_new = !found;
    if (found && records.is_too_old(*found, now_)) found.reset();
    const auto held =
        std::find_if(records_.begin(), records_.end(), [&](const auto& record) { return record.key == key; });
    const bool known = held != records_.end() && held->created_at >= now_ - kMaxAge;
    ASSERT_EQ(found.has_value(), known) << key;
    if (known) {
      ASSERT_EQ(found->first, held->first);
      ASSERT_TRUE(found->content.same(content_of(key), "increment"));
      return;
    }
    const auto first = static_cast<std::uint64_t>(random_());
    records.remember({.key = records.key(key), .content = content_of(key), .first = first, .created_at = now_}, is_new);
    if (held != records_.end()) records_.erase(held);
    records_.push_back({key, now_, first});
    if (records_.size() > kMaxRecords) records_.pop_front();
    for (int i = 0; i < 16 && records_.front().created_at < now_ - kMaxAge; ++i) records_.pop_front();
    ASSERT_EQ(records.size(), records_.size());
  }

  void prune() {
    const std::int64_t before = now_ - random(2 * kMaxAge);
    const auto limit = static_cast<std::uint64_t>(random(20));
    std::uint64_t expected = 0;
    for (auto record = records_.begin(); record != records_.end() && expected < limit;) {
      const bool old = record->created_at < before;
      record = old ? records_.erase(record) : std::next(record);
      expected += old;
    }
    ASSERT_EQ(exactly_once_->records().prune(before, limit), expected);
  }

  // The queue in order is the model's.
  void look_at_view() {
    const ExactlyOnceView view = exactly_once_->view();
    use_key();
    use_key();
    auto expected = records_.begin();
    std::vector<std::string> seen;
    view.records().for_each([&](const IdempotencyRecord& record) {
      seen.emplace_back(record.key.text);
      return true;
    });
    ASSERT_EQ(seen.size(), view.record_count());
    std::vector<std::string> now;
    exactly_once_->view().records().for_each([&](const IdempotencyRecord& record) {
      EXPECT_EQ(record.key.text, expected->key);
      EXPECT_EQ(record.created_at, expected->created_at);
      ++expected;
      return true;
    });
    ASSERT_EQ(expected, records_.end());
  }

  void use_stream() {
    const std::string id = "stream-" + std::to_string(random(12));
    IngestStreams& streams = exactly_once_->streams();
    const auto held = streams_.find(id);
    if (held == streams_.end()) {
      const auto mode = static_cast<IngestMode>(random(3));
      const auto active =
          std::count_if(streams_.begin(), streams_.end(), [](const auto& s) { return !s.second.committed; });
      ASSERT_EQ(streams.check_begin(id, mode, {}), BeginCheck::create);
      const Room room = streams.room_for_stream("n", {});
      ASSERT_EQ(room, active < 5 ? Room::enough : Room::too_many_streams);
      if (room != Room::enough) return;
      streams.begin(id, mode, {});
      streams_[id] = {.mode = mode, .series = {}, .chunks = {}, .staged = {}};
      return;
    }
    switch (random(10)) {
      case 0:
        return commit(id, held->second);
      case 1:
        if (held->second.committed) return;
        streams.abort(id);
        streams_.erase(held);
        return;
      default:
        return chunk(id, held->second);
    }
  }

  void chunk(const std::string& id, ModelStream& stream) {
    IngestStreams& streams = exactly_once_->streams();
    const auto number = static_cast<std::uint64_t>(random(static_cast<std::int64_t>(stream.chunks.size()) + 3));
    const bool again = random(2) == 0 && number >= 1 && number <= stream.chunks.size();
    const std::string payload = again ? stream.chunks[number - 1] : std::to_string(random_());
    const std::string series =
        stream.series.empty() || random(5) == 0 ? "s" + std::to_string(random(2)) : stream.series;
    const std::vector<Item> items{{Key{static_cast<std::uint64_t>(random(5))},
                                   Bucket::of_number(20260101 + static_cast<std::uint64_t>(random(20))),
                                   static_cast<std::uint64_t>(random(3))}};
    const ChunkCheck check = streams.check_chunk(id, series, number, sha256(payload));
    ASSERT_EQ(check, expected_check(stream, series, number, payload)) << id << " " << number;
    if (check != ChunkCheck::next) return;
    streams.add_chunk(id, series, sha256(payload), items);
    stream.series = series;
    stream.chunks.push_back(payload);
    if (stream.mode != IngestMode::replace_series) return;
    if (items[0].value != 0) {
      stream.staged[{items[0].key.value, items[0].bucket.number()}] = items[0].value;
    } else {
      stream.staged.erase({items[0].key.value, items[0].bucket.number()});
    }
  }

  static ChunkCheck expected_check(const ModelStream& stream, const std::string& series, std::uint64_t number,
                                   const std::string& payload) {
    if (number == 0) return ChunkCheck::number_is_zero;
    const bool held = number <= stream.chunks.size() && stream.chunks[number - 1] == payload && stream.series == series;
    if (stream.committed) return held ? ChunkCheck::skip_committed : ChunkCheck::committed_otherwise;
    if (number <= stream.chunks.size()) return held ? ChunkCheck::skip : ChunkCheck::other_payload;
    if (number > stream.chunks.size() + 1) return ChunkCheck::not_the_next;
    return !stream.series.empty() && stream.series != series ? ChunkCheck::other_series : ChunkCheck::next;
  }

  void commit(const std::string& id, ModelStream& stream) {
    IngestStreams& streams = exactly_once_->streams();
    const CommitCheck check = streams.check_commit(id);
    if (stream.committed) {
      ASSERT_EQ(check, CommitCheck::committed);
      return;
    }
    if (stream.mode == IngestMode::replace_series && stream.chunks.empty()) {
      ASSERT_EQ(check, CommitCheck::nothing_staged);
      return;
    }
    ASSERT_EQ(check, CommitCheck::commit);
    const std::optional<Series> staged = streams.commit(id, now_);
    ASSERT_EQ(staged.has_value(), stream.mode == IngestMode::replace_series);
    if (staged) {
      ASSERT_EQ(staged->bucket_count(), stream.staged.size());
      for (const auto& [place, value] : stream.staged) {
        const Bucket day = Bucket::of_number(place.second);
        ASSERT_EQ(staged->sum(Key{place.first}, {day, day}), value);
      }
    }
    stream.committed = true;
  }

  std::mt19937_64 random_;
  std::int64_t now_ = 1000000;
  Fingerprint fingerprint_{};
  RequestContent::Room room_{};
  std::unique_ptr<ExactlyOnceState> exactly_once_;
  std::list<ModelRecord> records_;
  std::map<std::string, ModelStream> streams_;
};

TEST(ExactlyOnceState, BehavesLikeThePlainModel) {
  const std::uint64_t seed = test::test_seed();
  for (std::uint64_t run = 0; run < 30 && !HasFailure(); ++run) {
    SCOPED_TRACE(test::seed_text(seed + run));
    Model model(seed + run);
    for (int i = 0; i < 10000 && !HasFailure(); ++i) {
      model.step();
      if (i % 500 == 0) model.check();
    }
    model.check();
  }
}

}  // namespace
}  // namespace karma::store
