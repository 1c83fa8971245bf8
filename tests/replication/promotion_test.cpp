// A slave that is promoted while it runs, beside its old master and other slaves.
#include <atomic>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "replication/nodes.h"
#include "support/client_command.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::eventually;
using test::ReplicatingNode;

class Promoting : public test::ThreeNodes {};

TEST_F(Promoting, ItsOwnSlavesGoOnAndThoseOfTheOldMasterAreLeft) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  start_with(third, slave);
  const json keyed = {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "a"}};
  (void)master.response("counter.increment", keyed);
  ASSERT_TRUE(caught_up(third, master));

  // The old master lives on, and takes a write that nobody else will have.
  EXPECT_EQ(slave.response("replication.promote")["promoted"], true);
  master.increment(1, 100);
  slave.increment(2, 7);
  EXPECT_EQ(slave.ask("counter.increment", keyed)["idempotent"], true);
  EXPECT_EQ(slave.lsn(), 3);
  ASSERT_TRUE(caught_up(third, slave)) << third.ask("replication.status").dump();
  EXPECT_EQ(third.content(), slave.content());
  EXPECT_EQ(third.response("replication.status")["replication_bootstrap_attempt_count"], 1) << "when it began";
  EXPECT_EQ(slave.sum(1), 6) << "it follows no more";

  // Whoever has followed the new master takes nothing of the old one, which is restarted in vain.
  master.stop();
  master.start();
  third.server.reset();
  third.follow(master);
  third.start();
  ASSERT_TRUE(eventually([&] { return poll_error(third).find("superseded") != std::string::npos; }));
  EXPECT_EQ(third.sum(1), 6);

  // The old master becomes a slave, and equal.
  master.server.reset();
  master.follow(slave);
  master.start();
  ASSERT_TRUE(eventually([&] { return master.content() == slave.content(); }));
  ASSERT_TRUE(caught_up(master, slave));
  slave.increment(1, 1);
  ASSERT_TRUE(caught_up(master, slave));
  EXPECT_EQ(master.sum(1), 7);
}

TEST_F(Promoting, AfterARestartWithTheSettingsOfASlaveItIsMasterStill) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  (void)slave.response("replication.promote");
  slave.increment(1, 1);
  slave.crash(1);
  master.increment(1, 100);
  slave.start();
  EXPECT_EQ(role(slave), "master");
  slave.increment(1, 1);
  EXPECT_EQ(slave.sum(1), 7);
  EXPECT_EQ(slave.response("replication.status")["replication_lag_entries"], 0);
}

TEST_F(Promoting, BeforeTheFirstCopyItIsRefusedAndTheSlaveGoesOn) {
  master.start();
  master.increment(1, 5);
  const int port = master.port();
  master.stop();
  slave.follow(port);
  slave.start();
  EXPECT_EQ(slave.ask("replication.promote")["error_code"], "stale_replica");
  EXPECT_EQ(role(slave), "slave");
  master.start();
  ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
}

TEST_F(Promoting, AFailureLeavesASlaveThatFollows) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  using Files = test::CrashableFileSystem;
  slave.files->fail({.operation = Files::Operation::create, .count = Files::kForEver});
  EXPECT_EQ(slave.ask("replication.promote")["error_code"], "internal_error");
  slave.files->heal();
  EXPECT_EQ(role(slave), "slave");
  master.increment(1, 5);
  ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
  EXPECT_EQ(slave.response("replication.promote")["promoted"], true);
}

// Writers ask both nodes all the time, as clients do that do not know yet who is master.
TEST_F(Promoting, WritesMeanwhileAreRefusedOrThere) {
  for (int round = 0; round < 5; ++round) {
    ReplicatingNode old;
    ReplicatingNode fresh;
    old.start();
    old.increment(1, 5);
    start_with(fresh, old);
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> acknowledged{0};
    std::vector<std::thread> writers;
    for (std::uint64_t key = 10; key < 13; ++key) {
      writers.emplace_back([&, key] {
        while (!done) {
          const json reply = fresh.ask("counter.increment", {{"series", "s"}, {"key", key}, {"bucket", 20260101}});
          if (reply["success"] == true) ++acknowledged;
        }
      });
    }
    for (int i = 0; i < 20; ++i) old.increment(2);
    const json promoted = fresh.response("replication.promote");
    EXPECT_TRUE(eventually([&] { return acknowledged > 20; }));
    done = true;
    for (std::thread& writer : writers) writer.join();
    std::uint64_t counted = 0;
    for (std::uint64_t key = 10; key < 13; ++key) counted += fresh.sum(key).get<std::uint64_t>();
    EXPECT_EQ(counted, acknowledged);
    const std::uint64_t first = promoted["history"].back()[1];
    EXPECT_EQ(fresh.lsn(), first - 1 + acknowledged) << "all of them are of the new epoch";
  }
}

TEST_F(Promoting, TheCommandDoesIt) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  const std::string port = "--port=" + std::to_string(slave.port());
  const auto run = [&] {
    const auto [code, out, err] = test::run_karma({"promote", port, "--retry-seconds=0"});
    return std::to_string(code.value_or(-1)) + " " + out + err;
  };
  EXPECT_EQ(run(), "0 promoted: it is master now, at LSN 1\n");
  EXPECT_EQ(run(), "0 it was master already, at LSN 1\n");
  ReplicatingNode empty;
  empty.follow(master);
  master.stop();
  empty.start();
  slave.stop();
  EXPECT_TRUE(run().starts_with("1 ERROR: ")) << "nobody is there";
}

// Two at once, and while the node stops.
TEST_F(Promoting, OnceOnly) {
  master.start();
  master.increment(1, 5);
  start_with(slave, master);
  std::atomic<int> done_now{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i)
    askers.emplace_back([&] { done_now += slave.response("replication.promote")["promoted"] == true ? 1 : 0; });
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(done_now, 1);
  start_with(third, slave);
  std::thread asker([&] { (void)third.ask("replication.promote"); });
  third.server.reset();
  asker.join();
}

TEST_F(Promoting, TheReadTokenDoesNotSuffice) {
  master.start();
  master.increment(1, 5);
  slave.config.auth_token = "write";
  slave.config.read_auth_token = "read";
  slave.follow(master);
  slave.start();
  EXPECT_EQ(slave.ask("replication.promote")["error_code"], "unauthorized");
  EXPECT_EQ(slave.ask("replication.promote", {{"token", "read"}})["error_code"], "forbidden");
  ASSERT_TRUE(eventually([&] { return slave.ask("replication.promote", {{"token", "write"}})["success"] == true; }));
}

}  // namespace
}  // namespace karma
