// What waits for a worker: how much of it there may be, what it costs, and how it ends.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <semaphore>
#include <string>

#include "core/log.h"
#include "engine/dispatcher.h"
#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using test::CrashableFileSystem;
using test::failed_with;
using test::succeeded;

class Jobs : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Engine>> opened = Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    dispatcher_ = std::make_unique<Dispatcher>(*engine_, config_, [this] { woken_.release(); });
    expect_success(R"(,"op":"counter.increment","series":"s","key":1)");
    expect_success(R"(,"op":"snapshot.create_all")");
  }
  void TearDown() override {
    gate_.release();
    (void)engine_->shutdown(false);
    dispatcher_.reset();
  }

  // As a connection of its own.
  Handled ask(int connection, const std::string& request) {
    Buffer out;
    const Handled handled = dispatcher_->handle("{\"v\":2" + request + "}", &connections_[connection], 0, out);
    dispatcher_->flush();
    if (handled == Handled::replied) keep(connection, out);
    return handled;
  }
  void keep(int connection, const Buffer& reply) {
    replies_[connection] = reply.view().substr(0, reply.size() - 2);  // without its line end
  }
  // Until it has come.
  const std::string& reply(int connection) {
    while (!replies_.contains(connection)) {
      woken_.acquire();
      collect();
    }
    return replies_[connection];
  }
  void collect() {
    std::map<void*, Buffer> come;
    dispatcher_->collect([&](void* connection, std::size_t) -> Buffer& { return come[connection]; }, [](void*) {});
    for (const auto& [connection, text] : come)
      keep(static_cast<int>(static_cast<char*>(connection) - connections_), text);
  }
  void expect_success(const std::string& request) {
    ask(0, request);
    EXPECT_TRUE(succeeded(reply(0))) << reply(0);
    replies_.clear();
  }

  // The snapshot worker is held where it opens a file of that kind, until the gate is opened.
  void hold_worker(const std::string& request, std::string_view suffix) {
    files_.before_call(
        [this, suffix = std::string(suffix)](CrashableFileSystem::Operation operation, const std::string& path) {
          if (operation != CrashableFileSystem::Operation::open || !path.ends_with(suffix) || held_.exchange(true))
            return;
          at_gate_.release();
          gate_.acquire();
        });
    ASSERT_EQ(ask(kHolder, request), Handled::job);
    at_gate_.acquire();
  }
  void hold_worker() { hold_worker(R"(,"op":"snapshot.verify")", ".tree"); }

  std::string snapshot_file() { return test::find_name(files_, "", ".tree"); }

  static constexpr int kHolder = 5000;

  CrashableFileSystem files_;
  test::ManualClock clock_;
  Config config_ = test::test_config();
  EventLog log_{clock_, false};
  std::unique_ptr<Engine> engine_;
  std::counting_semaphore<> woken_{0};
  std::unique_ptr<Dispatcher> dispatcher_;
  std::map<int, std::string> replies_;
  char connections_[kHolder + 1] = {};
  std::atomic<bool> held_{false};
  std::binary_semaphore at_gate_{0};
  std::counting_semaphore<> gate_{0};
};

TEST_F(Jobs, FewReadAllThereIs) {
  hold_worker();
  EXPECT_EQ(ask(1, R"(,"op":"snapshot.verify")"), Handled::job);
  ask(2, R"(,"op":"snapshot.verify")");
  EXPECT_NE(reply(2).find("Too many requests of this kind are waiting"), std::string::npos) << reply(2);
  gate_.release();
  EXPECT_TRUE(succeeded(reply(kHolder)) && succeeded(reply(1)));
  EXPECT_EQ(ask(3, R"(,"op":"snapshot.verify")"), Handled::job);
  EXPECT_TRUE(succeeded(reply(3))) << "there is room again";
}

TEST_F(Jobs, ReadersDoNotKeepTheOwnersSnapshotsOutNorClientsTheNodes) {
  hold_worker();
  int next = 1;
  const auto ask_until_refused = [&](const std::string& request) {
    while (true) {
      ask(next, request);
      collect();
      if (replies_.contains(next++)) return;
    }
  };
  ask_until_refused(R"(,"op":"snapshot.list")");
  const int readers = next;
  ask_until_refused(R"(,"op":"snapshot.create","series":"s")");
  EXPECT_GT(next, readers + 100);
  clock_.advance(1000);
  const auto now = static_cast<std::uint64_t>(clock_.unix_seconds());
  engine_->snapshot_in_background();
  gate_.release();
  EXPECT_TRUE(succeeded(reply(next - 2)));
  ask(next, R"(,"op":"snapshot.list")");
  EXPECT_TRUE(succeeded(reply(next)));
  EXPECT_EQ(engine_->stats().snapshot_last_unix, now);
}

TEST_F(Jobs, WithLittleRoomNothingQueues) {
  hold_worker();
  ClientMemory& memory = engine_->client_memory();
  EXPECT_EQ(ask(1, R"(,"op":"snapshot.list")"), Handled::job);
  const std::size_t half = memory.limit() / 16;  // of the share of buffers
  memory.buffers += half;
  ask(2, R"(,"op":"snapshot.list")");
  EXPECT_TRUE(failed_with(reply(2), "internal_error")) << "one waits already";
  gate_.release();
  EXPECT_TRUE(failed_with(reply(1), "internal_error")) << "it gives way: " << reply(1);
  EXPECT_TRUE(succeeded(reply(kHolder)));
  ask(3, R"(,"op":"snapshot.list")");
  EXPECT_TRUE(succeeded(reply(3))) << "who waits for nobody";
  memory.buffers -= half;
}

TEST_F(Jobs, ReadersAndLittleRoomDoNotKeepTheOwnerOut) {
  hold_worker();
  ClientMemory& memory = engine_->client_memory();
  const std::size_t all = memory.limit();
  EXPECT_EQ(ask(1, R"(,"op":"snapshot.create","series":"s")"), Handled::job);
  memory.buffers += all;
  memory.jobs += all;
  EXPECT_EQ(ask(2, R"(,"op":"snapshot.create_all")"), Handled::job);
  EXPECT_EQ(ask(3, R"(,"op":"snapshot.load","file":")" + snapshot_file() + '"'), Handled::job);
  gate_.release();
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(succeeded(reply(i))) << reply(i);
  memory.jobs -= all;
  memory.buffers -= all;
}

TEST_F(Jobs, WhatTheyAnswerCountsUntilItIsTaken) {
  for (int i = 0; i < 2001; ++i) {
    expect_success(R"(,"op":"tree.create","series":")" + std::string(100, 'x') + std::to_string(i) + '"');
  }
  EXPECT_EQ(engine_->client_memory().jobs.load(), 0U);
  EXPECT_EQ(ask(1, R"(,"op":"tree.list")"), Handled::job) << "many names are listed by a worker";
  woken_.acquire();  // it is there
  EXPECT_GT(engine_->client_memory().jobs.load(), 2001U * 100);
  collect();
  EXPECT_TRUE(succeeded(reply(1)));
  EXPECT_EQ(engine_->client_memory().jobs.load(), 0U);
}

TEST_F(Jobs, AVerificationOfTheLogEndsWithTheNode) {
  expect_success(R"(,"op":"counter.increment","series":"s","key":1)");
  hold_worker(R"(,"op":"snapshot.verify")", "karma.wal");
  engine_->abandon_jobs();
  gate_.release();
  EXPECT_NE(reply(kHolder).find("The node is shutting down"), std::string::npos) << reply(kHolder);
}

TEST_F(Jobs, AVerificationOfSnapshotsEndsWithTheNode) {
  hold_worker();
  engine_->abandon_jobs();
  gate_.release();
  EXPECT_NE(reply(kHolder).find("The node is shutting down"), std::string::npos) << reply(kHolder);
}

TEST_F(Jobs, ALoadEndsWithTheNode) {
  hold_worker(R"(,"op":"snapshot.load","file":")" + snapshot_file() + '"', ".tree");
  engine_->abandon_jobs();
  gate_.release();
  EXPECT_NE(reply(kHolder).find("The node is shutting down"), std::string::npos) << reply(kHolder);
}

}  // namespace
}  // namespace karma::engine
