// What is told of snapshots, and when they come by themselves.
#include "engine/snapshot_watch.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using std::chrono::seconds;
using test::CrashableFileSystem;

constexpr SnapshotWatch::Time kStart{seconds(1000000)};
constexpr std::int64_t kUnix = 1777982400;

TEST(SnapshotWatch, IsNeverDueUnlessAskedFor) {
  SnapshotWatch watch({});
  watch.started(0, kUnix, kStart);
  EXPECT_FALSE(watch.is_due(kStart + seconds(1000000), UINT64_MAX, true));
}

TEST(SnapshotWatch, IsDueByAgeOrBySize) {
  SnapshotWatch watch({.interval = seconds(100), .log_bytes = 5000});
  watch.started(0, kUnix, kStart);
  EXPECT_FALSE(watch.is_due(kStart + seconds(99), 4999, true));
  EXPECT_TRUE(watch.is_due(kStart + seconds(99), 5000, true));
  watch.begun();
  watch.taken(true, seconds(2), kUnix + 100, kStart + seconds(100));
  EXPECT_FALSE(watch.is_due(kStart + seconds(199), 10, true));
  EXPECT_FALSE(watch.is_due(kStart + seconds(200), 10, false)) << "nothing new";
  EXPECT_TRUE(watch.is_due(kStart + seconds(200), 10, true));
  EXPECT_FALSE(watch.is_due(kStart + seconds(201), 10, true)) << "it is on its way";
  watch.begun();
  EXPECT_FALSE(watch.is_due(kStart + seconds(2000), 10, true)) << "it is under way";
  watch.taken(false, seconds(1), kUnix, kStart + seconds(2001));
  EXPECT_TRUE(watch.is_due(kStart + seconds(2002), 10, true)) << "one of a single series is not enough";
}

TEST(SnapshotWatch, CountsTheAgeOfTheLastLife) {
  SnapshotWatch watch({.interval = seconds(100)});
  watch.started(kUnix - 60, kUnix, kStart);
  EXPECT_FALSE(watch.is_due(kStart + seconds(39), 0, true));
  EXPECT_TRUE(watch.is_due(kStart + seconds(40), 0, true));
  SnapshotWatch set_back({.interval = seconds(100)});
  set_back.started(kUnix + 1000, kUnix, kStart);
  EXPECT_TRUE(set_back.is_due(kStart + seconds(100), 0, true));
}

TEST(SnapshotWatch, TriesAgainAfterAPause) {
  SnapshotWatch watch({.interval = seconds(1)});
  watch.started(0, kUnix, kStart);
  watch.begun();
  watch.failed("the disk is full", kStart + seconds(10));
  EXPECT_EQ(watch.problem(), "the last snapshot failed: the disk is full");
  EXPECT_FALSE(watch.is_due(kStart + seconds(69), 0, true));
  EXPECT_TRUE(watch.is_due(kStart + seconds(70), 0, true));
  watch.begun();
  watch.taken(true, seconds(3), kUnix + 80, kStart + seconds(80));
  EXPECT_EQ(watch.problem(), "");
  ops::Stats stats;
  watch.add_to(stats, kUnix + 95, kStart + seconds(95));
  EXPECT_EQ(stats.snapshot_failure_count, 1u);
  EXPECT_EQ(stats.snapshot_last_unix, static_cast<std::uint64_t>(kUnix + 80));
  EXPECT_EQ(stats.snapshot_age_seconds, 15u);
  EXPECT_EQ(stats.snapshot_duration_seconds, 3.0);
}

TEST(SnapshotWatch, WaitsLongerAfterEachFailureInARow) {
  SnapshotWatch watch({.interval = seconds(1)});
  watch.started(0, kUnix, kStart);
  SnapshotWatch::Time now = kStart + seconds(1);
  for (const int pause : {60, 120, 240, 480, 960, 1920, 3600, 3600}) {
    ASSERT_TRUE(watch.is_due(now, 0, true)) << pause;
    watch.begun();
    watch.failed("no", now);
    EXPECT_FALSE(watch.is_due(now + seconds(pause - 1), 0, true)) << pause;
    now += seconds(pause);
  }
  ASSERT_TRUE(watch.is_due(now, 0, true));
  watch.not_begun("it never began", now);
  EXPECT_TRUE(watch.is_due(now + seconds(3600), 0, true));
  watch.begun();
  watch.taken(true, seconds(1), kUnix, now + seconds(3600));
  EXPECT_TRUE(watch.is_due(now + seconds(3601), 0, true));
  watch.begun();
  watch.failed("no", now + seconds(3601));
  EXPECT_TRUE(watch.is_due(now + seconds(3661), 0, true)) << "a success ends the row";
}

TEST(SnapshotWatch, OneThatCannotBeginIsNotTheOneUnderWay) {
  SnapshotWatch watch({.interval = seconds(1)});
  watch.started(0, kUnix, kStart);
  watch.begun();
  watch.not_begun("too many", kStart + seconds(2));
  ops::Stats stats;
  watch.add_to(stats, kUnix, kStart + seconds(3));
  EXPECT_TRUE(stats.snapshot_under_way);
  EXPECT_FALSE(watch.is_due(kStart + seconds(1000), 0, true));
  watch.taken(true, seconds(1), kUnix, kStart + seconds(1001));
  watch.add_to(stats, kUnix, kStart + seconds(1001));
  EXPECT_FALSE(stats.snapshot_under_way);
  EXPECT_TRUE(watch.is_due(kStart + seconds(1002), 0, true));
}

TEST(SnapshotWatch, OneThatWasRefusedIsTriedAgainAndDidNotFail) {
  SnapshotWatch watch({.interval = seconds(1)});
  watch.started(0, kUnix, kStart);
  ASSERT_TRUE(watch.is_due(kStart + seconds(1), 0, true));
  watch.refused(kStart + seconds(1));
  EXPECT_EQ(watch.problem(), "");
  EXPECT_FALSE(watch.is_due(kStart + seconds(60), 0, true));
  EXPECT_TRUE(watch.is_due(kStart + seconds(61), 0, true));
}

TEST(SnapshotWatch, TellsWhenTheNextOneIsDue) {
  ops::Stats stats;
  SnapshotWatch never({.log_bytes = 5000});
  never.started(0, kUnix, kStart);
  never.add_to(stats, kUnix, kStart);
  EXPECT_FALSE(stats.snapshot_next_unix) << "nobody knows";
  SnapshotWatch watch({.interval = seconds(100)});
  watch.started(kUnix - 60, kUnix, kStart);
  watch.add_to(stats, kUnix, kStart);
  EXPECT_EQ(stats.snapshot_next_unix, static_cast<std::uint64_t>(kUnix + 40));
  EXPECT_FALSE(stats.snapshot_under_way);
  ASSERT_TRUE(watch.is_due(kStart + seconds(40), 0, true));
  watch.add_to(stats, kUnix + 40, kStart + seconds(40));
  EXPECT_TRUE(stats.snapshot_under_way);
  watch.begun();
  watch.failed("no", kStart + seconds(41));
  watch.add_to(stats, kUnix + 42, kStart + seconds(42));
  EXPECT_EQ(stats.snapshot_next_unix, static_cast<std::uint64_t>(kUnix + 101)) << "after the pause";
  EXPECT_FALSE(stats.snapshot_under_way);
}

TEST(SnapshotWatch, WarnsOfASnapshotThatIsLate) {
  SnapshotWatch watch({.interval = seconds(3600)});
  watch.started(kUnix, kUnix, kStart);
  const auto warnings = [&](int after, bool anything_new) {
    return watch.warnings(kStart + seconds(after), 0, anything_new);
  };
  EXPECT_TRUE(warnings(3 * 3600, true).empty());
  EXPECT_TRUE(warnings(4 * 3600, false).empty()) << "there is nothing to take one of";
  ASSERT_EQ(warnings(3 * 3600 + 1, true).size(), 1u);
  EXPECT_EQ(
      warnings(3 * 3600 + 1, true).front(),
      "the last snapshot is 3 h old, although one is due every 60 min (--snapshot-interval): see backup.failed in "
      "the log");
  SnapshotWatch off({});
  off.started(0, kUnix, kStart);
  EXPECT_TRUE(off.warnings(kStart + seconds(1000000), 0, true).empty());
}

TEST(SnapshotWatch, WarnsOfALogThatMakesARestartLong) {
  SnapshotWatch watch({});
  watch.started(kUnix - 20 * 86400, kUnix, kStart);
  EXPECT_TRUE(watch.warnings(kStart, (std::uint64_t{1} << 30) - 1, true).empty());
  const std::string warning = watch.warnings(kStart, std::uint64_t{12} << 30, true).at(0);
  EXPECT_NE(warning.find("12.0 GiB, the last snapshot is 20 days old; a restart would take about 2 min: "),
            warning.npos)
      << warning;
}

TEST(SnapshotHealth, IsDegradedUntilASnapshotSucceeds) {
  test::Node node;
  node.config.wal = false;
  node.open();
  node.expect("counter.increment", R"(,"series":"s","key":1)");
  node.files->fail({.operation = CrashableFileSystem::Operation::create, .count = CrashableFileSystem::kForEver});
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(test::succeeded(node.call("snapshot.create_all")));
  EXPECT_FALSE(test::succeeded(node.call("snapshot.create", R"(,"series":"s")")));
  EXPECT_NE(node.expect("system.health").find(R"("status":"degraded")"), std::string::npos);
  EXPECT_NE(node.expect("system.health").find("the last snapshot failed: "), std::string::npos);
  EXPECT_NE(node.expect("system.stats").find(R"("snapshot_failure_count":7,"snapshot_last_unix":0)"),
            std::string::npos);
  EXPECT_TRUE(test::failed_with(node.call("snapshot.create", R"(,"series":"none")"), "not_found"));
  node.files->heal();
  node.expect("snapshot.create_all");
  EXPECT_NE(node.expect("system.health").find(R"("status":"ok")"), std::string::npos);
  EXPECT_NE(node.expect("system.stats").find(R"("snapshot_failure_count":7,"snapshot_last_unix":1)"),
            std::string::npos);
}

TEST(SnapshotHealth, ASnapshotComesByItselfWhenItIsTime) {
  CrashableFileSystem files;
  test::ManualClock clock;
  EventLog log(clock, false);
  Config config = test::test_config();
  config.snapshot_interval = 3600;
  auto opened = Engine::open(config, files, clock, log);
  ASSERT_TRUE(opened.ok());
  Engine& engine = **opened;
  EXPECT_FALSE(engine.snapshot_if_due());
  clock.advance(3600);
  // The engine's own second may have come first.
  (void)engine.snapshot_if_due();
  while (engine.stats().snapshot_last_unix == 0) std::this_thread::yield();
  EXPECT_TRUE(files.content(test::in_directory("karma.manifest.json")));
}

// It may turn out to have another history, and its last snapshot to be what it can go back to.
TEST(SnapshotHealth, OfASlaveNoneComesByItselfBeforeItFollows) {
  test::Node master;
  master.open();
  master.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505)");
  master.close();
  test::ManualClock clock;
  EventLog log(clock, false);
  Config config = test::test_config();
  config.snapshot_interval = 3600;
  config.role = Role::slave;
  config.replication_source_host = "old";
  auto opened = Engine::open(config, *master.files, clock, log);
  ASSERT_TRUE(opened.ok());
  Engine& engine = **opened;
  clock.advance(3600);
  EXPECT_FALSE(engine.snapshot_if_due());
  engine.has_data();
  (void)engine.snapshot_if_due();
  while (engine.stats().snapshot_last_unix == 0) std::this_thread::yield();
  clock.advance(3600);
  engine.data_is_stale();
  EXPECT_FALSE(engine.snapshot_if_due());
}

TEST(SnapshotHealth, NoneIsTakenWhileSomebodyNeedsThoseThatAreThere) {
  CrashableFileSystem files;
  test::ManualClock clock;
  EventLog log(clock, false);
  auto opened = Engine::open(test::test_config(), files, clock, log);
  ASSERT_TRUE(opened.ok());
  Engine& engine = **opened;
  ASSERT_TRUE(engine.create_all_snapshots().ok());
  const std::vector<std::string> before = test::names(files);
  const Status done = engine.without_snapshots(
      [&]() -> Status {
        EXPECT_FALSE(engine.create_all_snapshots().ok());
        return internal_error("as it came");
      },
      [] { return false; });
  EXPECT_EQ(done.error().message, "as it came");
  EXPECT_EQ(test::names(files), before);
  EXPECT_EQ(engine.stats().snapshot_failure_count, 0U) << "it did not fail";
  EXPECT_TRUE(engine.create_all_snapshots().ok());
}

TEST(SnapshotHealth, WarnsOfASnapshotThatIsLate) {
  test::Node node;
  node.config.snapshot_interval = 3600;
  node.open();
  node.files->fail({.operation = CrashableFileSystem::Operation::rename, .count = CrashableFileSystem::kForEver});
  node.expect("counter.increment", R"(,"series":"s","key":1)");
  EXPECT_EQ(node.expect("system.health").find("although one is due"), std::string::npos);
  node.clock.advance(3 * 3600 + 1);
  EXPECT_NE(node.expect("system.health").find("there is no snapshot, although one is due every 60 min"),
            std::string::npos);
}

}  // namespace
}  // namespace karma::engine
