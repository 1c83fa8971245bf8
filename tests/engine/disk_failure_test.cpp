// Disks that are full, and disks that fail to sync: what is refused never comes back, reads go on, and after a failed
// sync nothing is acknowledged until a restart.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/crash_script.h"

namespace karma::test {
namespace {

using Operation = CrashableFileSystem::Operation;
using Unsynced = CrashableFileSystem::Unsynced;

bool is_degraded(Node& node) { return nlohmann::json::parse(node.expect("system.health"))["status"] == "degraded"; }

// Lives the script beside a model that is told only of what was acknowledged.
class FullDisk {
 public:
  explicit FullDisk(const Script& script) : script_(script) { node.config = Script::config(); }

  void live() {
    ASSERT_EQ(node.try_open(), "");
    for (const Script::Step& step : script_.steps()) {
      step.act.empty() ? pipeline(step.requests) : act(step.act);
      if (testing::Test::HasFailure()) return;
    }
  }

  void pipeline(const std::vector<Request>& requests) {
    std::vector<std::string> lines;
    for (const Request& request : requests) lines.push_back(request.to_json());
    const std::vector<std::string> replies = node(lines);
    ASSERT_EQ(replies.size(), requests.size());
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (failed_with(replies[i], "internal_error")) {
        ++refused;
        continue;
      }
      ASSERT_EQ(replies[i], model.execute(requests[i])) << lines[i];
    }
    ASSERT_EQ(node.live_content(), model.content()) << "reads go on, and see what was acknowledged";
  }

  void act(const std::string& line) {
    const std::string reply = node(line);
    if (!failed_with(reply, "internal_error")) return;
    ++refused_acts;
    ASSERT_EQ(node.live_content(), model.content());
  }

  // There is room again: the same node takes everything, and what it refused does not come back by a restart.
  void heal() {
    node.files->heal();
    ASSERT_EQ(check(*node.after_crash(Unsynced::lost)->files).front(), '0');
    const std::uint64_t before = refused;
    for (std::size_t i = 0; i < 3; ++i) pipeline(script_.steps()[i].requests);
    if (testing::Test::HasFailure()) return;
    ASSERT_EQ(refused, before) << "still refusing";
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept}) {
      const auto next = node.after_crash(unsynced);
      ASSERT_EQ(next->try_open(), "");
      ASSERT_EQ(next->live_content(), model.content());
    }
    node.expect("snapshot.create_all");
    ASSERT_FALSE(is_degraded(node)) << "by refused writes or snapshots";
    node.expect("snapshot.verify");
    node.reopen();
    ASSERT_EQ(node.live_content(), model.content());
  }

  Node node;
  Model model;
  std::uint64_t refused = 0;
  std::uint64_t refused_acts = 0;

 private:
  const Script& script_;
};

class DiskFailure : public testing::Test {
 protected:
  const std::uint64_t seed_ = test_seed();
  const Script script_{seed_};
};

TEST_F(DiskFailure, AFullDiskAtEveryOperationRefusesExactlyThatAndHeals) {
  SCOPED_TRACE(seed_text(seed_));
  std::uint64_t refused = 0;
  std::uint64_t refused_acts = 0;
  for (const Operation operation : {Operation::write, Operation::create, Operation::rename}) {
    bool reached = true;
    for (std::uint64_t nth = 1; reached && !HasFailure(); ++nth) {
      SCOPED_TRACE("operation " + std::to_string(static_cast<int>(operation)) + ", number " + std::to_string(nth));
      FullDisk disk(script_);
      ASSERT_EQ(disk.node.try_open(), "");
      disk.node.close();
      const std::uint64_t already = disk.node.files->count(operation);
      // In turn: one failure, a few, all until there is room again; nothing, a part or nearly all of it written.
      const std::uint64_t count = nth % 3 == 0 ? 1 : nth % 3 == 1 ? 4 : CrashableFileSystem::kForEver;
      disk.node.files->fail({.operation = operation, .nth = nth, .count = count, .written = nth * 37 % 300});
      // A start must not need room.
      disk.live();
      reached = disk.node.files->count(operation) - already >= nth;
      refused += disk.refused;
      refused_acts += disk.refused_acts;
      disk.heal();
    }
  }
  EXPECT_GT(refused, 20u);
  EXPECT_GT(refused_acts, 20u);
}

TEST_F(DiskFailure, HealthTellsOfRefusedWritesUntilOneSucceeds) {
  Node node;
  node.open();
  EXPECT_TRUE(succeeded(node.call("counter.increment", R"(,"series":"s","key":1)")));
  node.files->fail({.operation = Operation::write, .name = "karma.wal"});
  EXPECT_TRUE(failed_with(node.call("counter.increment", R"(,"series":"s","key":1)"), "internal_error"));
  EXPECT_TRUE(is_degraded(node));
  EXPECT_TRUE(succeeded(node.call("counter.increment", R"(,"series":"s","key":1)")));
  EXPECT_FALSE(is_degraded(node));
}

TEST_F(DiskFailure, AfterAFailedSyncNothingIsAcknowledgedUntilARestart) {
  SCOPED_TRACE(seed_text(seed_));
  bool reached = true;
  for (std::uint64_t nth = 1; reached && !HasFailure(); ++nth) {
    SCOPED_TRACE("sync number " + std::to_string(nth));
    Node node;
    node.config = Script::config();
    node.files->fail({.operation = Operation::sync, .nth = nth, .name = "karma.wal", .text = "Input/output error"});
    // live() checks that no acknowledgement follows a refusal, though only one sync fails.
    const std::uint64_t acknowledged = live(node, script_);
    reached = acknowledged + 1 < script_.contents().size();
    EXPECT_EQ(is_degraded(node), reached);
    if (reached) {
      EXPECT_EQ(node.live_content(), script_.contents()[acknowledged]) << "reads see what was acknowledged";
      EXPECT_TRUE(failed_with(node.call("counter.increment", R"(,"series":"after","key":1)"), "internal_error"));
    }
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
      expect_recovered(*node.after_crash(unsynced, nth), script_, acknowledged);
    }
    // Even where the machine goes on.
    node.close();
    node.files->heal();
    expect_recovered(node, script_, acknowledged);
  }
}

std::string keyed(int value, std::string_view key) {
  return R"(,"series":"s","key":1,"bucket":20260505,"value":)" + std::to_string(value) + R"(,"idempotency_key":")" +
         std::string(key) + '"';
}

std::string sum(Node& node) { return node.expect("counter.sum", R"(,"series":"s","key":1)"); }

// Refused by a sync that failed: cut off where that can be done, and exact with a key where it cannot.
TEST_F(DiskFailure, AWriteWhoseSyncFailedIsCutOffOrRepeatedExactly) {
  for (const bool cut_fails : {false, true}) {
    SCOPED_TRACE(cut_fails);
    Node node;
    node.open();
    node.expect("counter.increment", keyed(1, "a"));
    node.files->fail({.operation = Operation::sync, .name = "karma.wal", .text = "Input/output error"});
    if (cut_fails) node.files->fail({.operation = Operation::truncate, .name = "karma.wal"});
    const std::string refused = node.call("counter.increment", keyed(1000, "b"));
    EXPECT_TRUE(failed_with(refused, "internal_error"));
    EXPECT_NE(refused.find("not known to be lost"), std::string::npos) << refused;
    EXPECT_EQ(sum(node), "1");
    const std::string later = node.call("counter.increment", keyed(5, "c"));
    EXPECT_TRUE(failed_with(later, "internal_error"));
    EXPECT_EQ(later.find("not known to be lost"), std::string::npos) << later;
    node.reopen();
    EXPECT_EQ(sum(node), cut_fails ? "1001" : "1");
    for (int i = 0; i < 2; ++i) {
      node.expect("counter.increment", keyed(1000, "b"));
      EXPECT_EQ(sum(node), "1001");
    }
  }
}

// The repeat of a keyed write is acknowledged without a sync of its own, so the start makes up for the one that a
// killed process did not come to.
TEST_F(DiskFailure, WhatAStartFindsUnsyncedIsDurableBeforeItIsAcknowledged) {
  Node node;
  node.open();
  node.expect("counter.increment", keyed(1, "a"));
  node.files->before_sync([&] { node.files->power_off_at(1); });  // killed between the write and its sync
  EXPECT_TRUE(failed_with(node.call("counter.increment", keyed(1000, "b")), "internal_error"));
  node.files->before_sync({});
  node.close();
  node.files->power_on();
  node.open();
  node.expect("counter.increment", keyed(1000, "b"));
  EXPECT_EQ(sum(node), "1001");
  const auto next = node.after_crash(Unsynced::lost);
  next->open();
  EXPECT_EQ(sum(*next), "1001");
}

// The first start may be killed anywhere: the second acknowledges nothing that can vanish with a name.
TEST_F(DiskFailure, NamesThatAKilledStartLeftUnsyncedAreMadeUpFor) {
  bool killed = true;
  for (std::uint64_t at = 1; killed; ++at) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(at) + ", seed " + std::to_string(seed));
      Node node;
      node.files->power_off_at(at, seed);
      if (node.try_open().empty()) (void)node.call("counter.increment", keyed(1, "a"));
      killed = node.files->power_is_off();
      node.close();
      node.files->power_on();
      node.open();
      node.expect("counter.increment", keyed(1, "a"));
      const auto next = node.after_crash(Unsynced::lost);
      next->open();
      ASSERT_EQ(sum(*next), "1");
    }
  }
}

// The log is whole, a snapshot is not: nothing but the snapshot suffers.
TEST_F(DiskFailure, AFailedSnapshotCostsNothing) {
  SCOPED_TRACE(seed_text(seed_));
  for (const Operation operation : {Operation::sync, Operation::sync_directory, Operation::remove, Operation::rename}) {
    for (std::uint64_t nth = 1; nth < 12 && !HasFailure(); ++nth) {
      SCOPED_TRACE("operation " + std::to_string(static_cast<int>(operation)) + ", number " + std::to_string(nth));
      FullDisk disk(script_);
      disk.live();
      const std::uint64_t before = disk.node.lsn();
      disk.node.files->fail({.operation = operation, .nth = nth, .text = "Input/output error"});
      disk.act(R"({"v":2,"op":"snapshot.create_all"})");
      disk.act(R"({"v":2,"op":"snapshot.create_all"})");
      disk.node.files->heal();
      for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept}) {
        const auto next = disk.node.after_crash(unsynced);
        ASSERT_EQ(check(*next->files).front(), '0') << check(*next->files);
        ASSERT_EQ(next->try_open(), "");
        ASSERT_EQ(next->live_content(), disk.model.content());
        ASSERT_GE(next->lsn(), before);
      }
    }
  }
}

}  // namespace
}  // namespace karma::test
