// A master that comes back, or was only cut off, learns from its peers that there is a later one (--replication-peers).
#include <future>
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

std::string address(int port) { return "127.0.0.1:" + std::to_string(port); }
std::string address(const ReplicatingNode& node) { return address(node.port()); }

json health(const ReplicatingNode& node) { return node.response("system.health"); }
bool says(const json& texts, const std::string& part) {
  if (!texts.is_array()) return false;
  return std::any_of(texts.begin(), texts.end(),
                     [&](const json& text) { return text.get<std::string>().find(part) != std::string::npos; });
}

class Peered : public test::ThreeNodes {
 protected:
  static json write(const ReplicatingNode& node) {
    return node.ask("counter.increment", {{"series", "s"}, {"key", 1}, {"bucket", 20260101}});
  }
  // It refuses all that a slave refuses, and names the peer.
  static void expect_superseded(const ReplicatingNode& node, const std::string& by) {
    const json refused = write(node);
    EXPECT_EQ(refused["error_code"], "superseded") << refused;
    EXPECT_NE(refused["response"].get<std::string>().find(by), std::string::npos) << refused;
    for (const char* op : {"snapshot.create_all", "replication.promote"})
      EXPECT_EQ(node.ask(op)["error_code"], "superseded") << op;
    EXPECT_EQ(node.ask("counter.increment", {{"series", "s"}})["error_code"], "validation_error")
        << "fields come first";
    EXPECT_EQ(health(node)["status"], "degraded");
    EXPECT_EQ(health(node)["problems"][0], refused["response"]);
    EXPECT_EQ(role(node), "master");
  }
  // The slave was promoted, and after that the master, of which the slave, which is down, knows nothing.
  void promote_there_and_back() {
    master.start();
    master.increment(1, 5);
    start_with(slave, master);
    (void)slave.response("replication.promote");
    master.server.reset();
    start_with(master, slave);
    slave.server.reset();
    (void)master.response("replication.promote");
  }
  static void expect_taken(const ReplicatingNode& node) { EXPECT_EQ(write(node)["success"], true) << write(node); }

  // A peer that answers so.
  static std::string answer(const std::string& term) {
    return R"({"success":true,"response":{"source_lsn":1,"role":"slave","term":)" + term +
           R"(,"epoch":"0123456789abcdef0123456789abcdef"}})";
  }
};

TEST_F(Peered, AnOldMasterThatReturnsTakesNoWrites) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  master.stop();
  (void)slave.response("replication.promote");
  master.config.replication_peers = {address(slave)};
  master.start();
  expect_superseded(master, address(slave) + ", a master, has term 2, this node 1");
  EXPECT_EQ(master.sum(1), 5);
  master.server.reset();
  master.follow(slave);
  master.start();
  slave.increment(1, 5);
  ASSERT_TRUE(caught_up(master, slave)) << master.ask("replication.status").dump();
  EXPECT_EQ(health(master)["status"], "ok");
}

TEST_F(Peered, OneThatWasOnlyCutOffNoticesIt) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  slave.stop();
  slave.config.replication_peers = {address(master)};
  slave.start();
  start_with(third, slave);
  master.stop();
  master.config.replication_peers = {address(third)};
  master.start();
  master.increment(1, 5);
  ASSERT_TRUE(caught_up(third, master));
  (void)slave.response("replication.promote");
  // Only a slave of the new master tells it, which has an entry of it.
  expect_taken(slave);
  ASSERT_TRUE(eventually([&] { return write(master)["success"] == false; }));
  expect_superseded(master, address(third) + ", a slave, has term 2");
  EXPECT_EQ(health(slave)["status"], "ok");
}

// Two slaves are promoted, and both have the same term.
TEST_F(Peered, TwoMastersAreNoticed) {
  master.start();
  master.increment(1, 5);
  start_with(third, master);
  slave.config.replication_peers = {address(third)};
  start_with(slave, master);
  (void)third.response("replication.promote");
  (void)slave.response("replication.promote");
  ASSERT_TRUE(eventually([&] { return says(health(slave)["problems"], "two masters: " + address(third)); }));
  EXPECT_FALSE(says(health(slave)["problems"], address(master))) << "an older term is none";
  expect_taken(slave);
}

TEST_F(Peered, APeerThatDoesNotTellStopsNothing) {
  std::promise<void> end;
  std::shared_future<void> ended = end.get_future().share();
  ScriptedServer silent([ended](const std::string&) {
    ended.wait();
    return std::string();
  });
  ScriptedServer wrong([](const std::string&) { return R"({"success":true,"response":{"term":"9"}})"; });
  ScriptedServer forbids(
      [](const std::string&) { return R"({"success":false,"response":"no","error_code":"unauthorized"})"; });
  ScriptedServer of_1_0(
      [](const std::string&) { return R"({"success":false,"response":"?","error_code":"unknown_command"})"; });
  slave.start();
  const std::string gone = address(slave);
  slave.stop();
  master.config.replication_peers = {address(silent.port()), address(wrong.port()), address(forbids.port()),
                                     address(of_1_0.port()), gone};
  master.start();
  expect_taken(master);
  for (const std::string& peer : {address(silent.port()), address(wrong.port()), address(forbids.port()), gone})
    EXPECT_TRUE(eventually([&] { return says(health(master)["warnings"], "the peer " + peer); })) << health(master);
  EXPECT_FALSE(says(health(master)["warnings"], address(of_1_0.port())));
  expect_taken(master);
  EXPECT_EQ(health(master)["status"], "ok");
  end.set_value();
}

TEST_F(Peered, ANodeMayBeAmongItsOwnPeers) {
  master.start();
  master.stop();
  master.config.replication_peers = {address(master)};
  master.start();
  std::uint64_t asked = 0;
  ASSERT_TRUE(eventually([&] { return master.response("system.stats")["command_count"] > ++asked; })) << "by itself";
  EXPECT_EQ(health(master)["status"], "ok");
  EXPECT_FALSE(health(master).contains("warnings")) << health(master);
  expect_taken(master);
}

TEST_F(Peered, TheTokenForTheSourceIsSent) {
  std::promise<std::string> asked;
  std::atomic<bool> first{true};
  ScriptedServer peer([&](const std::string& line) {
    if (first.exchange(false)) asked.set_value(line);
    return answer("1");
  });
  master.config.replication_peers = {address(peer.port())};
  master.config.replication_token = "secret";
  master.start();
  EXPECT_EQ(json::parse(asked.get_future().get())["token"], "secret");
  expect_taken(master);
}

// A follows B and is promoted back; B's settings still say that it follows A, and it had been promoted.
TEST_F(Peered, WhoeverWasPromotedAndIsMasterNoMoreFollows) {
  promote_there_and_back();
  master.increment(1, 5);
  slave.start();
  EXPECT_EQ(role(slave), "slave");
  ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
  EXPECT_EQ(slave.sum(1), 10);
  // And so it stays, also while nobody can tell.
  master.stop();
  slave.stop();
  slave.start();
  EXPECT_EQ(role(slave), "slave");
}

TEST_F(Peered, AsFarAsAnybodyTells) {
  promote_there_and_back();
  master.stop();
  slave.start();
  EXPECT_EQ(role(slave), "master");
  expect_taken(slave);
  master.start();
  ASSERT_TRUE(eventually([&] { return write(slave)["success"] == false; }));
  expect_superseded(slave, address(master) + ", a master, has term 3, this node 2");
  slave.server.reset();
  slave.start();
  EXPECT_EQ(role(slave), "slave");
  ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
}

// It may also be another node than its source that has become master.
TEST_F(Peered, APeerTellsItLikewise) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  (void)slave.response("replication.promote");
  slave.server.reset();
  ScriptedServer peer([](const std::string&) { return answer("3"); });
  slave.config.replication_peers = {address(peer.port())};
  slave.start();
  EXPECT_EQ(role(slave), "slave");
  ASSERT_TRUE(eventually([&] { return poll_error(slave).find("superseded") != std::string::npos; }))
      << "what it is to follow is older than what it has";
}

}  // namespace
}  // namespace karma
