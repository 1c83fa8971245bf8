// A whole node inside the test: <karma/server.h> and real clients.
#include <karma/server.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/client.h"
#include "support/crashable_file_system.h"
#include "support/gate.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using test::Gate;
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
    gate_.open();
    server_.reset();
    std::filesystem::remove_all(config_.directory);
  }

  void start() {
    Result<std::unique_ptr<Server>> server = Server::start(config_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  // On a disk in memory whose syncs wait while the gate is closed.
  void start_on_held_disk() {
    files_.before_sync([this] { gate_.pass(); });
    Result<std::unique_ptr<Server>> server = Server::start(config_, files_);
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
  test::CrashableFileSystem files_;
  Gate gate_;
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

// Systems with an /etc/hosts rarely list this one, so it stands for "localhost" where there is none.
TEST_F(ServerTest, NamesOfLocalhostAreThisMachine) {
  config_.bind = "karma.localhost";
  start();
  const std::string health = ask("{\"v\":2,\"op\":\"system.health\"}\n");
  EXPECT_EQ(health.find("open to the network"), std::string::npos) << health;
  protocol::Client client({.host = config_.bind, .port = server_->port(), .token = {}});
  EXPECT_TRUE(client.connect().ok());
}

TEST_F(ServerTest, AnOccupiedPortIsAnErrorThatNamesIt) {
  start();
  config_.port = server_->port();
  config_.directory += "/other";
  std::string where = "'127.0.0.1:" + std::to_string(config_.port) + "'";
  EXPECT_EQ(start_error(),
            "Could not bind to " + where + ": Address already in use; --bind and --port choose another address");
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

TEST_F(ServerTest, AStopAnswersWhatWaitsForAWorkerAndHasNotBegun) {
  config_.wal = false;
  config_.shutdown_timeout = 2;
  start_on_held_disk();
  EXPECT_NE(ask(increment(1)).find(R"("success":true)"), std::string::npos);

  constexpr int kWaiting = 30;
  const std::string snapshot = "{\"v\":2,\"op\":\"snapshot.create_all\"}\n";
  gate_.close();
  SocketClient first = connect();
  first.send(snapshot);
  gate_.wait_for_somebody();
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
  gate_.open();  // the stop waits for what has begun
  stop.join();
}

std::uint64_t stat(const std::string& stats, const std::string& name) {
  const std::size_t at = stats.find("\"" + name + "\":");
  EXPECT_NE(at, std::string::npos) << name << " in " << stats;
  return at == std::string::npos ? 0 : std::stoull(stats.substr(at + name.size() + 3));
}

// Whatever clients send while the disk stands still, and whether or not they stay.
TEST_F(ServerTest, WhatClientsHaveUnderWayWhileTheDiskStandsStillIsBounded) {
  config_.wal_fsync = true;
  config_.client_memory_mib = 16;
  config_.read_timeout = 0;
  config_.write_timeout = 0;
  start_on_held_disk();
  const std::string get_stats = "{\"v\":2,\"op\":\"system.stats\"}\n";
  // Two threads may overshoot the share, an eighth of the budget, by what they gather and what they have not told yet.
  constexpr std::uint64_t kBound = (2 << 20) + 2 * (1 << 20);
  std::uint64_t most = 0;
  const auto stats = [&] {
    const std::string now = ask(get_stats);  // reads go on
    most = std::max(most, stat(now, "client_memory_request_bytes"));
    return now;
  };
  EXPECT_EQ(stat(stats(), "client_memory_limit_bytes"), 16U << 20);

  gate_.close();
  std::string requests;
  constexpr int kRequests = 2000;
  for (int i = 0; i < kRequests; ++i) requests += increment(i);
  std::vector<SocketClient> crowd;
  for (int i = 0; i < 60; ++i) {
    crowd.push_back(connect());
    ASSERT_TRUE(crowd.back().send(requests));
    if (i % 2 == 0) continue;
    stats();
    crowd.back().reset();
    crowd.pop_back();
  }
  while (stat(stats(), "client_memory_paused_connections") == 0) std::this_thread::yield();
  EXPECT_GT(most, 1U << 20);
  EXPECT_LT(most, kBound);

  gate_.open();
  for (SocketClient& client : crowd) {
    for (int i = 0; i < kRequests; ++i) {
      const std::string reply = client.line();
      ASSERT_NE(reply.find(R"("success":true)"), std::string::npos) << i << ": " << reply;
    }
  }
  EXPECT_LT(most, kBound);
  for (std::string now = stats();
       stat(now, "client_memory_request_bytes") + stat(now, "client_memory_paused_connections") > 2 * (64 << 10);
       now = stats())
    std::this_thread::yield();
}

TEST_F(ServerTest, StagedPointsHaveAShareOfTheSameBudget) {
  config_.client_memory_mib = 16;
  config_.max_request_bytes = 1 << 20;
  start();
  EXPECT_NE(ask(R"({"v":2,"op":"ingest.begin","stream_id":"a","mode":"replace_series"})"
                "\n")
                .find(R"("success":true)"),
            std::string::npos);
  constexpr int kItems = 10'000;
  std::string reply;
  int chunk = 0;
  do {
    std::string request = R"({"v":2,"op":"ingest.chunk","stream_id":"a","series":"s","chunk_seq":)" +
                          std::to_string(++chunk) + R"(,"items":[)";
    for (int i = 0; i < kItems; ++i)
      request += (i == 0 ? "[" : ",[") + std::to_string(chunk * kItems + i) + ",20260101,1]";
    reply = ask(request + "]}\n");
  } while (reply.find(R"("success":true)") != std::string::npos && chunk < 100);
  EXPECT_NE(reply.find("validation_error"), std::string::npos) << reply;
  EXPECT_GE(chunk, 20) << reply;
  EXPECT_LE(chunk, 28) << "three quarters of the budget hold 262,144 points";
}

}  // namespace
}  // namespace karma
