// A whole node inside the test: <karma/server.h> and real clients.
#include <karma/server.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/crashable_file_system.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using test::SocketClient;

constexpr const char* kPing = "{\"v\":2,\"op\":\"system.ping\"}\n";
constexpr const char* kPong = R"({"protocol_version":2,"success":true,"response":"pong","error_code":null})";

std::string increment(int key) {
  return R"({"v":2,"op":"counter.increment","series":"s","bucket":20260101,"key":)" + std::to_string(key) + "}\n";
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "karma_server_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    config_.directory = pattern;
    config_.bind = "127.0.0.1";
    config_.port = 0;
    config_.log = false;
    config_.io_threads = 2;
    config_.wal_fsync = false;  // the disk is not what is tested here
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(config_.directory);
  }

  void start() {
    Result<std::unique_ptr<Server>> server = Server::start(config_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  std::string start_error() {
    Result<std::unique_ptr<Server>> server = Server::start(config_);
    return server.ok() ? "started" : server.error().message;
  }
  SocketClient connect() { return SocketClient(server_->port()); }
  std::string ask(const std::string& request) {
    SocketClient client = connect();
    client.send(request);
    return client.line();
  }

  Config config_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersOnTheLoopback) {
  start();
  EXPECT_EQ(ask(kPing), kPong);
}

TEST_F(ServerTest, ResolvesHostNames) {
  config_.bind = "localhost";
  start();
  EXPECT_EQ(ask(kPing), kPong);
}

TEST_F(ServerTest, AnOccupiedPortIsAnErrorThatNamesIt) {
  start();
  config_.port = server_->port();
  config_.directory += "/other";
  std::string where = "'127.0.0.1:" + std::to_string(config_.port) + "'";
  EXPECT_EQ(start_error(), "Could not bind to " + where + ": Address already in use");
}

TEST_F(ServerTest, AHostThatDoesNotExistIsAnError) {
  config_.bind = "999.999.999.999";
  EXPECT_TRUE(start_error().starts_with("Could not bind to '999.999.999.999:0': ")) << start_error();
}

TEST_F(ServerTest, ProtectedModeRefusesAnOpenNodeWithoutToken) {
  config_.bind = "0.0.0.0";
  config_.protected_mode = true;
  EXPECT_TRUE(start_error().starts_with("Protected mode: ")) << start_error();
  config_.auth_token = "t";
  EXPECT_EQ(start_error(), "started");
  config_.auth_token.reset();
  config_.bind = "127.0.0.1";
  EXPECT_EQ(start_error(), "started");
}

TEST_F(ServerTest, APipelineOfReadsAndWritesIsAnsweredInOrder) {
  start();
  const std::string sum = R"({"v":2,"op":"counter.sum","series":"s","key":1})"
                          "\n";
  SocketClient client = connect();
  std::string requests;
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) requests += increment(1) + sum;
  client.send(requests);
  for (int i = 1; i <= kCount; ++i) {
    EXPECT_NE(client.line().find(R"("response":1,)"), std::string::npos);
    EXPECT_NE(client.line().find("\"response\":" + std::to_string(i) + ","), std::string::npos);
  }
}

TEST_F(ServerTest, WhatWasAcknowledgedBeforeAStopUnderLoadIsThereAfterIt) {
  start();
  constexpr int kClients = 6;
  std::vector<int> acknowledged(kClients, 0);
  std::vector<int> sent(kClients, 0);
  std::atomic<int> warm{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      SocketClient client = connect();
      for (;;) {
        std::string request;
        for (int i = 0; i < 20; ++i) request += increment(c);
        if (!client.send(request)) return;
        sent[c] += 20;
        for (int i = 0; i < 20; ++i) {
          if (client.line().find(R"("success":true)") == std::string::npos) return;
          if (++acknowledged[c] == 100) ++warm;
        }
      }
    });
  }
  while (warm < kClients) std::this_thread::yield();
  ASSERT_TRUE(server_->stop().ok());
  for (std::thread& client : clients) client.join();
  server_.reset();

  start();
  for (int c = 0; c < kClients; ++c) {
    std::string reply = ask(R"({"v":2,"op":"counter.sum","series":"s","key":)" + std::to_string(c) + "}\n");
    int total = std::stoi(reply.substr(reply.find("\"response\":") + 11));
    EXPECT_GE(total, acknowledged[c]);
    EXPECT_LE(total, sent[c]);
  }
}

TEST_F(ServerTest, AStopDoesNotWaitForIdleClientsAndRefusesNewOnes) {
  config_.shutdown_timeout = 3600;
  start();
  SocketClient idle = connect();
  idle.send(kPing);
  EXPECT_EQ(idle.line(), kPong);
  const int port = server_->port();
  ASSERT_TRUE(server_->stop().ok());
  EXPECT_EQ(idle.rest(), "");
  EXPECT_FALSE(SocketClient(port).connected());
}

TEST_F(ServerTest, AClientThatTakesNothingDelaysAStopOnlyUntilItsTimeout) {
  config_.shutdown_timeout = 0;
  start();
  SocketClient greedy(server_->port(), 4096);
  greedy.send(kPing);
  EXPECT_EQ(greedy.line(), kPong);
  std::string requests;
  for (int i = 0; i < 20000; ++i) requests += "{\"v\":2,\"op\":\"system.metrics\"}\n";
  std::thread sender([&] { greedy.send(requests); });
  ASSERT_TRUE(server_->stop().ok());
  sender.join();
}

// Holds up syncs once it is told to.
class Gate {
 public:
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    waiting_ += closed_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
  }
  void wait_for_somebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int waiting_ = 0;
};

TEST_F(ServerTest, AStopAnswersWhatWaitsForAWorkerAndHasNotBegun) {
  test::CrashableFileSystem files;
  Gate gate;
  files.before_sync([&] { gate.pass(); });
  config_.wal = false;
  config_.shutdown_timeout = 2;
  Result<std::unique_ptr<Server>> started = Server::start(config_, files);
  ASSERT_TRUE(started.ok()) << started.error().message;
  server_ = std::move(*started);
  EXPECT_NE(ask(increment(1)).find(R"("success":true)"), std::string::npos);

  constexpr int kWaiting = 30;
  const std::string snapshot = "{\"v\":2,\"op\":\"snapshot.create_all\"}\n";
  gate.close();
  SocketClient first = connect();
  first.send(snapshot);
  gate.wait_for_somebody();
  std::vector<SocketClient> waiting;
  for (int i = 0; i < kWaiting; ++i) {
    waiting.push_back(connect());
    waiting.back().send(snapshot);
  }
  EXPECT_EQ(ask(kPing), kPong);
  std::thread stop([&] { EXPECT_TRUE(server_->stop().ok()); });
  for (SocketClient& client : waiting) {
    EXPECT_NE(client.line().find(R"("response":"The node is shutting down","error_code":"internal_error")"),
              std::string::npos);
  }
  gate.open();  // the stop waits for what has begun
  stop.join();
}

}  // namespace
}  // namespace karma
