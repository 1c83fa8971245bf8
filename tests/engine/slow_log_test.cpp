// Which requests the slow log keeps, and what it says of them. The rounds of the I/O thread are the test's.
#include "ops/slow_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/dispatcher.h"
#include "engine/engine.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using namespace std::chrono_literals;
using ops::SlowLog;
using ops::SlowRequest;

TEST(SlowLog, KeepsTheLatest) {
  SlowLog log(100ms);
  EXPECT_FALSE(log.is_slow(99ms));
  EXPECT_TRUE(log.is_slow(100ms));
  for (std::size_t i = 0; i < SlowLog::kCapacity + 3; ++i) log.note({.op = "o", .total = 1s});
  EXPECT_EQ(log.count(), SlowLog::kCapacity + 3);
  EXPECT_EQ(log.latest(1000).size(), SlowLog::kCapacity);
  EXPECT_EQ(log.latest(1000).back().number, 4u);
  ASSERT_EQ(log.latest(2).size(), 2u);
  EXPECT_EQ(log.latest(2).front().number, SlowLog::kCapacity + 3);
  EXPECT_EQ(log.clear(), SlowLog::kCapacity);
  EXPECT_TRUE(log.latest(10).empty());
  log.note({.op = "o", .total = 1s});
  EXPECT_EQ(log.latest(10).front().number, SlowLog::kCapacity + 4) << "numbers go on";
  EXPECT_FALSE(SlowLog(0ms).is_slow(1h));
}

class SlowRequests : public ::testing::Test {
 protected:
  void SetUp() override { open(100); }
  void open(int slow_ms) {
    engine_.reset();
    config_.slow_ms = slow_ms;
    auto opened = Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok());
    engine_ = std::move(*opened);
    dispatcher_ = std::make_unique<Dispatcher>(*engine_, config_, [this] { wake(); });
    dispatcher_->name_clients([](const void*) { return std::string("here:1"); });
  }
  void TearDown() override { dispatcher_.reset(); }

  void wake() {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    woken_.notify_one();
  }
  void await_wake() {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [this] { return awake_; });
    awake_ = false;
  }
  Handled handle(const std::string& line) {
    out_.clear();
    return dispatcher_->handle(line, &connection_, 0, out_);
  }
  // The answer that comes so much later.
  void collect(Dispatcher::Time now) {
    await_wake();
    dispatcher_->begin_round(now, 0ms);
    Buffer reply;
    dispatcher_->collect([&](void*, std::size_t) -> Buffer& { return reply; }, [](void*) { ADD_FAILURE(); });
    replied_ = reply.size();
  }
  std::vector<SlowRequest> noted() const { return engine_->slow_log().latest(10); }

  const Dispatcher::Time start_{1000h};
  Config config_ = test::test_config();
  test::CrashableFileSystem files_;
  test::ManualClock clock_;
  EventLog log_{clock_, false};
  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;
  int connection_ = 0;
  Buffer out_;
  std::size_t replied_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

const std::string kWrite = R"({"v":2,"op":"counter.increment","series":"links","key":7})";

TEST_F(SlowRequests, AWriteThatWaitsForTheLogIsOne) {
  for (const auto& [wait, slow] : {std::pair{99ms, false}, {100ms, true}}) {
    ASSERT_EQ(handle(kWrite), Handled::pending);
    dispatcher_->begin_round(start_, 1ms);
    dispatcher_->flush();
    collect(start_ + wait);
    ASSERT_EQ(noted().size(), slow ? 1u : 0u);
  }
  const SlowRequest request = noted().front();
  EXPECT_EQ(request.op, "counter.increment");
  EXPECT_EQ(request.series, "links");
  EXPECT_EQ(request.client, "here:1");
  EXPECT_EQ(request.request_bytes, kWrite.size());
  EXPECT_EQ(request.reply_bytes, replied_);
  EXPECT_EQ(request.total, 100ms);
  EXPECT_EQ(request.log, std::optional<SlowRequest::Duration>(100ms));
  EXPECT_FALSE(request.queued || request.executed);
}

TEST_F(SlowRequests, OfManyThatAreSlowAtOnceAFewAreKept) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(handle(kWrite), Handled::pending);
  dispatcher_->begin_round(start_, 1ms);
  dispatcher_->flush();
  collect(start_ + 100ms);
  EXPECT_EQ(noted().size(), 4u);
  dispatcher_->begin_round(start_ + 100ms, 1ms);
  EXPECT_EQ(engine_->slow_log().count(), 50u);
}

TEST_F(SlowRequests, ARequestThatNobodyKnowsHasNoOp) {
  handle(R"({"v":2,"op":"system.ping"})");
  EXPECT_EQ(dispatcher_->latest_op(), "system.ping");
  handle("GET / HTTP/1.1");
  EXPECT_EQ(dispatcher_->latest_op(), "");
  handle(R"({"v":2,"op":"no.such_op"})");
  EXPECT_EQ(dispatcher_->latest_op(), "");
}

TEST_F(SlowRequests, AnAdminOpTellsHowLongItWasQueuedAndRan) {
  files_.before_sync([this] { clock_.advance(1); });
  ASSERT_EQ(handle(R"({"v":2,"op":"snapshot.create_all"})"), Handled::job);
  collect(start_);
  ASSERT_EQ(noted().size(), 1u);
  const SlowRequest request = noted().front();
  EXPECT_EQ(request.op, "snapshot.create_all");
  EXPECT_GE(*request.executed, 1s);
  EXPECT_EQ(request.total, *request.queued + *request.executed);
  EXPECT_FALSE(request.log);
}

TEST_F(SlowRequests, OfASlowWakeUpTheLatestRequestIsNamed) {
  const std::string read = R"({"v":2,"op":"system.ping"})";
  dispatcher_->begin_round(start_, 200ms);
  EXPECT_TRUE(noted().empty()) << "it had no requests";
  handle(read);
  dispatcher_->begin_round(start_, 99ms);
  EXPECT_TRUE(noted().empty());
  handle(read);
  handle(read);
  dispatcher_->begin_round(start_, 200ms);
  ASSERT_EQ(noted().size(), 1u);
  EXPECT_EQ(noted().front().op, "system.ping");
  EXPECT_EQ(noted().front().requests, 2u);
  EXPECT_EQ(noted().front().executed, std::optional<SlowRequest::Duration>(200ms));
  EXPECT_EQ(noted().front().client, "");
}

TEST_F(SlowRequests, SwitchedOffNothingIsKept) {
  dispatcher_.reset();
  open(0);
  handle(R"({"v":2,"op":"system.ping"})");
  dispatcher_->begin_round(start_, 1h);
  ASSERT_EQ(handle(kWrite), Handled::pending);
  dispatcher_->flush();
  collect(start_ + 1h);
  EXPECT_TRUE(noted().empty());
}

TEST_F(SlowRequests, WhoeverHasNoRoundsHasNoSlowWrites) {
  ASSERT_EQ(handle(kWrite), Handled::pending);
  dispatcher_->flush();
  await_wake();
  Buffer reply;
  dispatcher_->collect([&](void*, std::size_t) -> Buffer& { return reply; }, [](void*) { ADD_FAILURE(); });
  EXPECT_TRUE(noted().empty());
}

TEST_F(SlowRequests, AreToldAndForgotten) {
  const auto ask = [this](const std::string& line) {
    test::Client client(*engine_, config_);
    return nlohmann::json::parse(client.ask(line)).at("response");
  };
  using nlohmann::json;
  EXPECT_EQ(ask(R"({"v":2,"op":"system.slowlog"})"), json::parse(R"({"slow_ms":100,"count":0,"entries":[]})"));
  engine_->slow_log().note({.unix_seconds = 5,
                            .op = "tree.top",
                            .series = "s",
                            .client = "c",
                            .request_bytes = 10,
                            .reply_bytes = 20,
                            .total = 1500us,
                            .queued = 500us,
                            .executed = 1ms});
  engine_->slow_log().note({.op = "system.ping", .requests = 3, .total = 2s});
  EXPECT_EQ(ask(R"({"v":2,"op":"system.slowlog","limit":1})").at("entries").at(0).at("id"), 2);
  EXPECT_EQ(ask(R"({"v":2,"op":"system.slowlog"})").at("entries").at(1), json::parse(R"({"id":1,"at_unix":5,
      "op":"tree.top","series":"s","client":"c","request_bytes":10,"reply_bytes":20,"requests":1,"total_ms":1.5,
      "queued_ms":0.5,"executed_ms":1.0,"log_ms":null})"));
  EXPECT_EQ(ask(R"({"v":2,"op":"system.slowlog_clear"})"), json::parse(R"({"cleared":2})"));
  EXPECT_EQ(ask(R"({"v":2,"op":"system.slowlog"})"), json::parse(R"({"slow_ms":100,"count":2,"entries":[]})"));
}

}  // namespace
}  // namespace karma::engine
