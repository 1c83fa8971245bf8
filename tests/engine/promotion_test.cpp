// A slave becomes master: what the disk holds of it at every moment.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/history.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using json = nlohmann::json;
using Unsynced = CrashableFileSystem::Unsynced;

constexpr std::string_view kWrite = R"(,"series":"s","key":1,"bucket":20260505)";

json response(Node& node, std::string_view op, std::string_view fields = "") {
  return json::parse(node.call(op, fields))["response"];
}
std::string role(Node& node) { return response(node, "replication.status")["role"]; }
std::uint64_t term(Node& node) { return response(node, "replication.status")["history"].back()[2]; }

class Promotion : public testing::Test {
 protected:
  // A slave that has three entries of its master, which is gone.
  static std::unique_ptr<Node> start_slave() {
    Node master;
    master.open();
    for (int i = 0; i < 3; ++i) master.expect("counter.increment", kWrite);
    master.close();
    std::unique_ptr<Node> slave = master.after_crash(Unsynced::lost);
    be_slave(*slave);
    slave->open();
    return slave;
  }
  static void be_slave(Node& node) {
    node.config.role = Role::slave;
    node.config.replication_source_host = "old";
  }
  static std::unique_ptr<Node> next(const Node& node, Unsynced unsynced, std::uint64_t seed = 0) {
    std::unique_ptr<Node> left = node.after_crash(unsynced, seed);
    be_slave(*left);
    return left;
  }
};

TEST_F(Promotion, ItTakesWritesFromThenOnAndGoesOnAboveWhatItHad) {
  const auto node = start_slave();
  EXPECT_TRUE(failed_with(node->call("counter.increment", kWrite), "forbidden"));
  const json first = response(*node, "replication.promote");
  EXPECT_EQ(first["role"], "master");
  EXPECT_EQ(first["promoted"], true);
  EXPECT_EQ(first["wal_current_lsn"], 3);
  EXPECT_EQ(first["history"].back()[1], 4) << "of its first entry";
  EXPECT_EQ(first["history"].back()[2], 2) << "a later term than that of the old master";
  node->expect("counter.increment", kWrite);
  EXPECT_EQ(node->lsn(), 4U);
  EXPECT_EQ(role(*node), "master");
  const json health = response(*node, "system.health");
  EXPECT_EQ(health["role"], "master");
  EXPECT_EQ(health["status"], "ok");
  EXPECT_EQ(health["warnings"][0], "this node was promoted, but its settings still say --role=slave");
  const json again = response(*node, "replication.promote");
  EXPECT_EQ(again["promoted"], false);
  EXPECT_EQ(again["history"], first["history"]);
}

TEST_F(Promotion, AMasterIsOneAlready) {
  Node node;
  node.open();
  node.expect("counter.increment", kWrite);
  const std::uint64_t before = term(node);
  EXPECT_EQ(response(node, "replication.promote")["promoted"], false);
  EXPECT_EQ(term(node), before);
}

TEST_F(Promotion, ASlaveWithoutDataIsNotPromoted) {
  Node node;
  be_slave(node);
  node.open();
  EXPECT_TRUE(failed_with(node.call("replication.promote"), "stale_replica"));
  EXPECT_EQ(role(node), "slave");
  EXPECT_TRUE(failed_with(node.call("counter.increment", kWrite), "forbidden"));
}

TEST_F(Promotion, TheNodeRemembersItUntilItsSettingsNameAnotherMaster) {
  auto node = start_slave();
  node->expect("replication.promote");
  node->expect("counter.increment", kWrite);
  node->reopen();
  EXPECT_EQ(role(*node), "master");
  node->expect("counter.increment", kWrite);
  EXPECT_EQ(term(*node), 2U) << "a start is no promotion";
  node->close();
  node->config.replication_source_host = "new";
  node->open();
  EXPECT_EQ(role(*node), "slave");
  node->close();
  be_slave(*node);
  node->open();
  EXPECT_EQ(role(*node), "slave") << "it was a slave of another one since";
  node->expect("replication.promote");
  node->close();
  // Settings that say master tell all there is to know; a slave by settings that are written anew is one.
  node->config.role = Role::master;
  node->config.replication_source_host.reset();
  node->open();
  node->close();
  be_slave(*node);
  node->open();
  EXPECT_EQ(role(*node), "slave");
}

TEST_F(Promotion, ASlaveThatFollowsNobodyIsPromotedToo) {
  auto node = start_slave();
  node->close();
  node->config.replication_source_host.reset();
  node->open();
  EXPECT_EQ(response(*node, "replication.promote")["promoted"], true);
  node->reopen();
  EXPECT_EQ(role(*node), "master");
}

TEST_F(Promotion, ASlaveWhoseHistoryIsDamagedDoesNotStart) {
  auto node = start_slave();
  node->expect("replication.promote");
  node->close();
  const std::string path = in_directory(engine::kHistoryName);
  node->files->edit(path, "{}");
  EXPECT_NE(node->try_open().find("may say that this slave was promoted"), std::string::npos);
  node->config.recover = {std::string(engine::kHistoryName)};
  node->open();
  EXPECT_EQ(role(*node), "slave");
}

TEST_F(Promotion, APowerCutAtAnyCallLeavesASlaveOrAMaster) {
  SCOPED_TRACE(seed_text(test_seed()));
  const std::uint64_t seed = test_seed();
  bool reached = true;
  int slaves = 0;
  int masters = 0;
  for (std::uint64_t nth = 1; reached; ++nth) {
    const auto node = start_slave();
    node->files->power_off_at(nth, seed + nth);
    const bool promoted = succeeded(node->call("replication.promote"));
    const bool written = succeeded(node->call("counter.increment", kWrite));
    EXPECT_TRUE(promoted || !written);
    reached = node->files->power_is_off();
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
      SCOPED_TRACE("power off at " + std::to_string(nth) + " unsynced " + std::to_string(static_cast<int>(unsynced)));
      const auto left = next(*node, unsynced, seed + nth);
      ASSERT_EQ(left->try_open(), "");
      const std::uint64_t lsn = left->lsn();
      ASSERT_TRUE(lsn == 3 || lsn == 4);
      ASSERT_TRUE(lsn == 4 || !written);
      if (role(*left) == "slave") {
        ++slaves;
        ASSERT_FALSE(promoted);
        ASSERT_EQ(lsn, 3U);
        ASSERT_EQ(term(*left), 1U);
        ASSERT_TRUE(failed_with(left->call("counter.increment", kWrite), "forbidden"));
        ASSERT_EQ(response(*left, "replication.promote")["promoted"], true);
      } else {
        ++masters;
      }
      ASSERT_EQ(term(*left), 2U);
      left->expect("counter.increment", kWrite);
      ASSERT_EQ(left->lsn(), lsn + 1);
      ASSERT_EQ(response(*left, "counter.sum", R"(,"series":"s","key":1)"), lsn + 1);
    }
  }
  EXPECT_GT(slaves, 0);
  EXPECT_GT(masters, 0);
}

TEST_F(Promotion, AfterAFailureItIsASlaveAndCanBePromotedAgain) {
  bool failed = true;
  for (std::uint64_t nth = 1; failed; ++nth) {
    SCOPED_TRACE("call " + std::to_string(nth));
    const auto node = start_slave();
    node->files->fail_call(nth, "Input/output error");
    failed = !succeeded(node->call("replication.promote"));
    node->files->heal();
    if (failed) {
      ASSERT_EQ(role(*node), "slave");
      ASSERT_TRUE(failed_with(node->call("counter.increment", kWrite), "forbidden"));
      ASSERT_EQ(term(*node), 1U);
      const auto left = next(*node, Unsynced::lost);
      left->open();
      ASSERT_EQ(role(*left), "slave");
      node->expect("replication.promote");
    }
    node->expect("counter.increment", kWrite);
    ASSERT_EQ(term(*node), 2U);
  }
}

TEST_F(Promotion, AHistoryThatMayBeOnTheDiskIsToldUntilItIsPutBackOrCounts) {
  const std::string text = "a restart may make this node master";
  const auto told = [&](Node& node) { return node.expect("system.health").find(text) != std::string::npos; };
  const auto node = start_slave();
  node->files->fail({.operation = CrashableFileSystem::Operation::sync_directory, .nth = 1, .count = 1});
  EXPECT_FALSE(succeeded(node->call("replication.promote")));
  EXPECT_FALSE(told(*node)) << "it was put back";
  node->files->fail(
      {.operation = CrashableFileSystem::Operation::sync_directory, .nth = 1, .count = CrashableFileSystem::kForEver});
  EXPECT_FALSE(succeeded(node->call("replication.promote")));
  EXPECT_TRUE(told(*node));
  node->files->heal();
  EXPECT_TRUE(told(*node));
  node->expect("replication.promote");
  EXPECT_FALSE(told(*node));
}

}  // namespace
}  // namespace karma::test
