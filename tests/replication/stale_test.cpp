// A slave whose data is no beginning of its master's any more, before it has a new copy (--replica-serve-stale).
#include <string>

#include <gtest/gtest.h>

#include "replication/nodes.h"
#include "support/scripted_server.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::eventually;
using test::ReplicatingNode;
using test::ScriptedServer;

class Stale : public test::ThreeNodes {
 protected:
  // The slave has data of a master, and another one is at that address now, which can be asked for its history only.
  void diverge() {
    master.start();
    master.increment(1, 5);
    start_with(slave, master);
    slave.stop();
    slave.follow(impostor_.port());
    slave.start();
    ASSERT_TRUE(eventually([&] { return diverged(slave); })) << slave.ask("replication.status").dump();
  }
  static bool diverged(const ReplicatingNode& node) {
    return node.response("replication.status")["diverged"].get<bool>();
  }
  static json health(const ReplicatingNode& node) { return node.response("system.health"); }
  void back_to_the_master() {
    slave.stop();
    slave.follow(master);
    slave.start();
    ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
    EXPECT_FALSE(diverged(slave));
    EXPECT_EQ(health(slave)["status"], "ok");
    EXPECT_EQ(slave.sum(1), 5);
  }

 private:
  ScriptedServer impostor_{[](const std::string& line) -> std::string {
    if (json::parse(line)["op"] != "replication.status")
      return R"({"success":false,"response":"not now","error_code":"internal_error"})";
    return R"({"success":true,"response":{"wal_enabled":true,"history":[["0123456789abcdef0123456789abcdef",1,1]]}})";
  }};
};

TEST_F(Stale, ItIsServedUnlessThatIsSwitchedOff) {
  diverge();
  EXPECT_EQ(slave.sum(1), 5);
  ASSERT_TRUE(eventually([&] { return health(slave)["status"] == "degraded"; }));
  const std::string problem = health(slave)["problems"][0];
  EXPECT_TRUE(problem.starts_with("diverged: the master's data is not the continuation of what is here")) << problem;
  EXPECT_EQ(slave.response("system.stats")["diverged"], true);
  EXPECT_NE(slave.response("system.metrics").get<std::string>().find("\nkarma_replication_diverged 1\n"),
            std::string::npos);
  back_to_the_master();
}

TEST_F(Stale, SwitchedOffReadsAreRefusedUntilThereIsACopy) {
  slave.config.replica_serve_stale = false;
  diverge();
  ASSERT_TRUE(eventually([&] { return slave.ask("counter.sum", {{"series", "s"}, {"key", 1}})["success"] == false; }));
  for (const char* op : {"tree.list", "snapshot.info", "replication.entries"})
    EXPECT_EQ(slave.ask(op, {{"after_lsn", 0}})["error_code"], "stale_replica") << op;
  EXPECT_EQ(slave.response("system.ping"), "pong");
  EXPECT_EQ(health(slave)["role"], "slave");
  back_to_the_master();
}

// The copy that was under way tells it.
TEST_F(Stale, SwitchedOffARestartRefusesReadsAtOnce) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  slave.stop();
  master.stop();
  slave.files->edit("data/karma.bootstrap/karma.wal", "");
  slave.start();
  EXPECT_EQ(slave.sum(1), 5);
  slave.stop();
  slave.config.replica_serve_stale = false;
  slave.start();
  EXPECT_EQ(slave.ask("tree.list")["error_code"], "stale_replica");
  master.start();
  back_to_the_master();
}

TEST_F(Stale, APromotedSlaveServesWhatItHas) {
  slave.config.replica_serve_stale = false;
  diverge();
  (void)slave.response("replication.promote");
  EXPECT_EQ(slave.sum(1), 5);
  slave.increment(1, 1);
  EXPECT_EQ(slave.sum(1), 6);
}

}  // namespace
}  // namespace karma
