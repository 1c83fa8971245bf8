// Writes that are answered only when enough slaves have them.
#include "engine/replica_acks.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/log.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Client;

const std::string kA(32, 'a');
const std::string kB(32, 'b');
const std::string kWrite = R"({"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260505})";

std::string keyed(const std::string& key) {
  return R"({"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260505,"idempotency_key":")" + key + "\"}";
}

class ReplicaAcksTest : public ::testing::Test {
 protected:
  void open() {
    Result<std::unique_ptr<Engine>> opened = Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    client_.emplace(*engine_, config_);
    slave_.emplace(*engine_, config_);
  }
  void TearDown() override { close(); }
  void close() {
    if (engine_) (void)engine_->shutdown(false);
    client_.reset();
    slave_.reset();
    engine_.reset();
  }

  // A slave asks what comes after the entries that it has on its disk.
  void acknowledge(std::uint64_t lsn, const std::string& id = kA) {
    const std::string at = std::to_string(lsn);
    const std::string epoch = engine_->epoch_at(Lsn{lsn});
    ask(R"(,"after_lsn":)" + at + R"(,"replica":")" + id + R"(","durable_lsn":)" + at +
        (epoch.empty() ? "" : R"(,"replica_epoch":")" + epoch + '"'));
  }
  void ask(const std::string& fields) {
    const std::string reply = slave_->ask(R"({"v":2,"op":"replication.entries","limit":1)" + fields + "}");
    ASSERT_TRUE(test::succeeded(reply)) << reply;
  }
  // Until the writer has handed over all that was written.
  void await_waiting(std::uint64_t count) {
    while (engine_->stats().replicas_ack_waiting != count) std::this_thread::yield();
  }
  // So many replies, as they come.
  std::vector<std::string> await(std::size_t count) {
    std::vector<std::string> all;
    while (all.size() < count) {
      for (std::string& reply : client_->replies()) all.push_back(std::move(reply));
      std::this_thread::yield();
    }
    return all;
  }
  json response(const std::string& op) { return json::parse(slave_->ask(R"({"v":2,"op":")" + op + "\"}"))["response"]; }
  static std::string code(const std::string& reply) {
    const json parsed = json::parse(reply)["error_code"];
    return parsed.is_null() ? "" : parsed.get<std::string>();
  }

  Config config_ = [] {
    Config config = test::test_config();
    config.min_replicas_ack = 1;
    config.replicas_ack_timeout_ms = 5000;
    return config;
  }();
  test::CrashableFileSystem files_;
  test::ManualClock clock_;
  EventLog log_{clock_, false};
  std::unique_ptr<Engine> engine_;
  std::optional<Client> client_;
  std::optional<Client> slave_;
};

TEST_F(ReplicaAcksTest, AWriteIsAnsweredWhenASlaveHasIt) {
  open();
  client_->write(kWrite);
  await_waiting(1);
  EXPECT_EQ(client_->replies().size(), 0u);
  const std::string sum = slave_->ask(R"({"v":2,"op":"counter.sum","series":"s","key":1})");
  EXPECT_EQ(sum, test::success("1")) << "it is visible before";
  // Asked by a Karma 1.0, by a slave that does not sync, one of another history, and one that is not there yet.
  ask(R"(,"after_lsn":1)");
  ask(R"(,"after_lsn":1,"replica":")" + kA + '"');
  ask(R"(,"after_lsn":1,"durable_lsn":1,"replica":")" + kA + R"(","replica_epoch":")" + kB + '"');
  acknowledge(0);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(1);
  EXPECT_EQ(code(await(1)[0]), "");
  EXPECT_EQ(response("system.stats")["replicas_ack_timeouts"], 0);
  EXPECT_EQ(response("system.stats")["replicas_confirmed_lsn"], 1);
}

TEST_F(ReplicaAcksTest, WhatComesLaterWaitsForItsOwnEntry) {
  open();
  for (int i = 0; i < 3; ++i) client_->write(kWrite);
  await_waiting(3);
  acknowledge(2);
  EXPECT_EQ(await(2).size(), 2u);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(3);
  EXPECT_EQ(await(1).size(), 1u);
}

TEST_F(ReplicaAcksTest, OfTwoTheSlowerCounts) {
  config_.min_replicas_ack = 2;
  open();
  client_->write(kWrite);
  client_->write(kWrite);
  await_waiting(2);
  acknowledge(2, kA);
  acknowledge(2, kA);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(1, kB);
  EXPECT_EQ(await(1).size(), 1u);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(2, kB);
  EXPECT_EQ(await(1).size(), 1u);
}

// It answered to a log that gave way to another one in the meantime.
TEST_F(ReplicaAcksTest, WhatTheLogDoesNotHoldCannotBeConfirmed) {
  ReplicaAcks acks(
      clock_, {.timeout = 1s, .on_timeout = OnAckTimeout::error, .position = [] { return Lsn{5}; }, .changed = {}});
  acks.confirmed(Lsn{1000});
  EXPECT_EQ(acks.state().confirmed, Lsn{5});
}

TEST_F(ReplicaAcksTest, RepliesKeepTheOrderOfTheRequests) {
  open();
  client_->write(keyed("a"));
  client_->write(R"({"v":2,"op":"tree.drop","series":"none"})");
  client_->write(keyed("a"));
  client_->write(R"({"v":2,"op":"counter.decrement","series":"s","key":1,"bucket":20260505,"value":1})");
  await_waiting(4);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(2);
  const std::vector<std::string> replies = await(4);
  EXPECT_EQ(json::parse(replies[0])["idempotent"], false);
  EXPECT_EQ(code(replies[1]), "not_found");
  EXPECT_EQ(json::parse(replies[2])["idempotent"], true);
  EXPECT_EQ(code(replies[3]), "");
}

TEST_F(ReplicaAcksTest, ARefusalTellsOfNothingThatCouldBeLost) {
  open();
  client_->write(R"({"v":2,"op":"tree.drop","series":"none"})");
  EXPECT_EQ(code(await(1)[0]), "not_found");
}

TEST_F(ReplicaAcksTest, TheErrorOfATimeoutSaysWhatIsKnownAndTheKeyIsSafe) {
  open();
  client_->write(keyed("a"));
  await_waiting(1);
  clock_.advance(5);
  const json late = json::parse(await(1)[0]);
  EXPECT_EQ(late["error_code"], "not_confirmed");
  for (const char* part : {"entry 1 is durable", "within 5000 ms", "idempotency key", "elsewhere"})
    EXPECT_NE(late["response"].get<std::string>().find(part), std::string::npos) << late;
  EXPECT_EQ(response("system.stats")["replicas_ack_timeouts"], 1);
  // The repeat is no success either before a slave has the entry.
  client_->write(keyed("a"));
  await_waiting(1);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(1);
  const json repeat = json::parse(await(1)[0]);
  EXPECT_EQ(repeat["idempotent"], true);
  EXPECT_EQ(repeat["response"], 1);
}

TEST_F(ReplicaAcksTest, ARepeatAfterARestartWaitsToo) {
  open();
  client_->write(keyed("a"));
  await_waiting(1);
  close();
  open();
  client_->write(keyed("a"));
  await_waiting(1);
  acknowledge(1);
  EXPECT_EQ(json::parse(await(1)[0])["idempotent"], true);
}

TEST_F(ReplicaAcksTest, ADegradedNodeWaitsAgainWhenItsSlavesHaveCaughtUp) {
  config_.replicas_ack_on_timeout = OnAckTimeout::degrade;
  open();
  clock_.advance(60);
  acknowledge(0);
  EXPECT_EQ(response("system.health")["status"], "ok");
  client_->write(kWrite);
  client_->write(kWrite);
  await_waiting(2);
  clock_.advance(5);
  for (const std::string& reply : await(2)) EXPECT_EQ(code(reply), "");
  EXPECT_EQ(response("system.health")["status"], "degraded");
  EXPECT_EQ(response("system.stats")["replicas_ack_degraded"], true);
  EXPECT_EQ(response("system.stats")["replicas_ack_timeouts"], 2);
  EXPECT_EQ(response("replication.replicas")["degraded"], true);
  client_->write(kWrite);
  EXPECT_EQ(code(await(1)[0]), "") << "without waiting";
  acknowledge(1);  // of what was missed, not all
  EXPECT_EQ(response("system.stats")["replicas_ack_degraded"], true);
  acknowledge(2);
  EXPECT_EQ(response("system.stats")["replicas_ack_degraded"], false);
  EXPECT_EQ(response("system.health")["status"], "ok");
  client_->write(kWrite);
  await_waiting(1);
  EXPECT_EQ(client_->replies().size(), 0u);
  acknowledge(4);
  EXPECT_EQ(await(1).size(), 1u);
}

TEST_F(ReplicaAcksTest, AStopAnswersAll) {
  open();
  client_->write(kWrite);
  client_->write(kWrite);
  await_waiting(2);
  engine_->end_waiting();
  for (const std::string& reply : await(2)) EXPECT_EQ(code(reply), "not_confirmed");
  client_->write(kWrite);
  EXPECT_EQ(code(await(1)[0]), "not_confirmed");
}

TEST_F(ReplicaAcksTest, TooFewSlavesAreAProblem) {
  open();
  EXPECT_FALSE(response("system.health")["warnings"].is_null()) << "they have a moment to come";
  clock_.advance(2);
  EXPECT_EQ(response("system.health")["status"], "degraded");
  acknowledge(0);
  EXPECT_EQ(response("system.health")["status"], "ok");
  clock_.advance(11);
  EXPECT_EQ(response("system.health")["status"], "degraded");
}

// What the node writes for itself does not keep a start, or a load of many parts, waiting. The load is answered when
// its last entry is confirmed.
TEST_F(ReplicaAcksTest, ALoadWaitsOnceAtItsEnd) {
  config_.min_replicas_ack = 0;
  open();
  client_->write(kWrite);
  (void)await(1);
  ASSERT_TRUE(test::succeeded(client_->ask(R"({"v":2,"op":"snapshot.create","series":"s"})")));
  const std::string file = response("snapshot.info")["latest_by_tree"][0]["file"];
  close();
  config_.min_replicas_ack = 1;
  open();
  std::thread loading([&] {
    Client loader(*engine_, config_);
    EXPECT_TRUE(test::succeeded(loader.ask(R"({"v":2,"op":"snapshot.load","file":")" + file + "\"}")));
  });
  await_waiting(1);
  acknowledge(engine_->position().value);
  loading.join();
}

}  // namespace
}  // namespace karma::engine
