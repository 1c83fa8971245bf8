// What of the log outlives a snapshot of everything, for those who still want to read it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/replicas.h"
#include "engine/snapshot_leases.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using engine::SnapshotLeases;
using std::chrono::minutes;

constexpr std::int64_t kLease = std::chrono::seconds(SnapshotLeases::kDuration).count();

class LogRetention : public ::testing::Test {
 protected:
  LogRetention() {
    node_.config.wal_segment_bytes = 1;  // each write closes a file
    node_.open();
  }
  void write(int count) {
    for (int i = 0; i < count; ++i)
      node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260101,"value":1)");
  }
  void snapshot() { node_.expect("snapshot.create_all"); }
  void fetch_manifest() { node_.expect("snapshot.manifest_fetch_chunk", R"(,"offset":0,"limit":1)"); }
  void fetch_piece() {
    const std::string file = find_name(*node_.files, "", ".tree");
    node_.expect("snapshot.fetch_chunk", R"(,"file":")" + file + R"(","offset":0,"limit":1)");
  }
  // How many entries come after this one, or nothing if the log does not reach back so far.
  std::optional<std::size_t> entries_after(std::uint64_t lsn) {
    const std::string reply = node_.call("replication.entries", R"(,"after_lsn":)" + std::to_string(lsn));
    if (failed_with(reply, "replication_gap")) return {};
    return nlohmann::json::parse(reply)["response"]["count"].get<std::size_t>();
  }
  std::uint64_t held_bytes() { return nlohmann::json::parse(node_.expect("system.stats"))["wal_held_bytes"]; }

  Node node_;
};

TEST_F(LogRetention, WithNobodyAboutASnapshotOfEverythingEmptiesTheLog) {
  write(3);
  snapshot();
  EXPECT_EQ(entries_after(0), std::nullopt);
  EXPECT_EQ(entries_after(2), std::nullopt);
  EXPECT_EQ(entries_after(3), 0u);
  EXPECT_EQ(held_bytes(), 0u);
  fetch_piece();
  write(1);
  snapshot();
  EXPECT_EQ(entries_after(3), std::nullopt) << "who fetches a single file is no slave";
}

TEST_F(LogRetention, WhoCopiesASnapshotFindsTheEntriesAfterItUntilTheLeaseRunsOut) {
  write(3);
  snapshot();
  fetch_manifest();
  write(4);
  snapshot();
  EXPECT_EQ(entries_after(3), 4u);
  EXPECT_EQ(entries_after(2), std::nullopt) << "only from the snapshot on";
  EXPECT_GT(held_bytes(), 0u);

  node_.clock.advance(kLease - 1);
  fetch_piece();  // of either file: the copy under way is of the older one
  node_.clock.advance(kLease - 1);
  write(1);
  snapshot();
  EXPECT_EQ(entries_after(3), 5u) << "a piece renews it";

  node_.clock.advance(1);
  snapshot();
  EXPECT_EQ(entries_after(3), std::nullopt);
  EXPECT_EQ(entries_after(8), 0u);
  EXPECT_EQ(held_bytes(), 0u);
}

// A copy brings all series to one LSN by the log after the last whole set, however new the snapshot of each is.
TEST_F(LogRetention, WhoCopiesSnapshotsOfSingleSeriesFindsTheEntriesAfterTheSet) {
  write(3);
  snapshot();
  write(4);
  node_.expect("snapshot.create", R"(,"series":"s")");
  fetch_manifest();
  write(1);
  snapshot();
  EXPECT_EQ(entries_after(3), 5u);
}

TEST_F(LogRetention, LaterPiecesOfTheManifestProlongTheLease) {
  write(3);
  snapshot();
  fetch_manifest();
  node_.clock.advance(kLease - 1);
  node_.expect("snapshot.manifest_fetch_chunk", R"(,"offset":1,"limit":1)");
  node_.clock.advance(kLease - 1);
  write(4);
  snapshot();
  EXPECT_EQ(entries_after(3), 4u);
}

TEST_F(LogRetention, ASlaveThatAskedLatelyFindsTheEntriesAfterItsPosition) {
  const auto ask = [this](char slave, std::uint64_t after, std::uint64_t on_disk) {
    node_.call("replication.entries", R"(,"after_lsn":)" + std::to_string(after) + R"(,"durable_lsn":)" +
                                          std::to_string(on_disk) + R"(,"replica":")" + std::string(32, slave) + '"');
  };
  constexpr std::int64_t kHour = std::chrono::seconds(engine::Replicas::kWantsLogFor).count();
  write(5);
  ask('a', 5, 5);
  ask('b', 4, 3);
  write(2);
  snapshot();
  EXPECT_EQ(entries_after(3), 4u) << "of the slower one, from what it has on its disk";
  EXPECT_EQ(entries_after(2), std::nullopt);

  node_.clock.advance(kHour);
  ask('a', 6, 6);
  snapshot();
  EXPECT_EQ(entries_after(3), 4u);
  node_.clock.advance(1);
  snapshot();
  EXPECT_EQ(entries_after(3), std::nullopt) << "it has been silent for too long";
  EXPECT_EQ(entries_after(6), 1u);
  ask('a', 7, 7);
  snapshot();
  EXPECT_EQ(held_bytes(), 0u) << "nobody is behind";
}

TEST_F(LogRetention, NoMoreIsHeldThanTheRetentionAllows) {
  node_.config.wal_retention_bytes = 0;
  node_.reopen();
  write(1);
  snapshot();
  fetch_manifest();
  write(3);
  snapshot();
  EXPECT_EQ(entries_after(1), std::nullopt);

  node_.config.wal_retention_bytes = 300;  // two entries
  node_.reopen();
  fetch_manifest();
  write(4);
  snapshot();
  EXPECT_EQ(entries_after(4), std::nullopt);
  EXPECT_EQ(entries_after(6), 2u) << "the newest stay";
  EXPECT_LE(held_bytes(), 300u);
}

TEST_F(LogRetention, WhatIsHeldCountsOnceAfterARestartAndGoesWithTheNextSnapshot) {
  write(2);
  snapshot();
  fetch_manifest();
  write(3);
  snapshot();
  ASSERT_EQ(entries_after(2), 3u);
  const std::uint64_t held = held_bytes();
  const std::string live = node_.live_content();
  EXPECT_EQ(check(*node_.after_crash(CrashableFileSystem::Unsynced::lost)->files).substr(0, 4), "0 ok");

  node_.reopen();
  EXPECT_EQ(node_.live_content(), live);
  EXPECT_EQ(held_bytes(), held);
  EXPECT_EQ(entries_after(2), 3u) << "a slave may come back before the next snapshot";
  write(1);
  EXPECT_EQ(entries_after(2), 4u);
  snapshot();
  EXPECT_EQ(entries_after(2), std::nullopt) << "leases do not outlive the process";
  EXPECT_EQ(held_bytes(), 0u);
}

TEST_F(LogRetention, AStopLeavesAnEmptyLog) {
  write(2);
  snapshot();
  fetch_manifest();
  write(3);
  node_.close(true);
  node_.open();
  EXPECT_EQ(entries_after(2), std::nullopt) << "Karma 1.0 would apply them again";
  EXPECT_EQ(entries_after(5), 0u);
  EXPECT_EQ(held_bytes(), 0u);
}

TEST(SnapshotLeases, EachCopyHasItsOwn) {
  const SnapshotLeases::Time start{};
  SnapshotLeases leases;
  EXPECT_EQ(leases.lowest(start), std::nullopt);
  leases.began(Lsn{10}, start);
  leases.began(Lsn{20}, start + minutes(5));
  leases.fetched(Lsn{25}, start + minutes(6));  // of the copy from 20
  EXPECT_EQ(leases.lowest(start + minutes(9)), Lsn{10});
  EXPECT_EQ(leases.lowest(start + minutes(10)), Lsn{20});
  EXPECT_EQ(leases.lowest(start + minutes(16)), std::nullopt);
  leases.fetched(Lsn{25}, start + minutes(16));
  EXPECT_EQ(leases.lowest(start + minutes(16)), std::nullopt) << "what has run out is not renewed";
}

TEST(SnapshotLeases, AreBounded) {
  const SnapshotLeases::Time start{};
  SnapshotLeases leases;
  for (std::uint64_t lsn = 1; lsn <= 10 * SnapshotLeases::kMax; ++lsn)
    leases.began(Lsn{lsn}, start + std::chrono::milliseconds(lsn));
  EXPECT_EQ(leases.lowest(start + minutes(1)), Lsn{9 * SnapshotLeases::kMax + 1});
}

}  // namespace
}  // namespace karma::test
