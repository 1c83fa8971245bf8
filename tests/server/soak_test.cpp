// A node under mixed load from many clients at once, with snapshots going on and clients that come and go: for the
// sanitizers, and for the sums at the end, which every acknowledged write must be in exactly once.
#include <karma/engine.h>
#include <karma/server.h>
#include <stdlib.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/socket_client.h"

namespace karma {
namespace {

using test::SocketClient;

constexpr int kClients = 6;
constexpr int kRounds = 150;
constexpr int kKeys = 40;

std::uint64_t seed() {
  const char* given = std::getenv("KARMA_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::string key_text(std::mt19937_64& random) { return std::to_string(random() % kKeys); }

// One client: a pipeline of mixed requests a round, all of them answered in order. Returns the sum of what it added.
class Client {
 public:
  Client(int port, std::uint64_t client_seed) : port_(port), random_(client_seed), connection_(std::in_place, port) {}

  std::uint64_t run() {
    for (int round = 0; round < kRounds; ++round) {
      if (random_() % 16 == 0) connection_.emplace(port_);
      const int count = static_cast<int>(random_() % 20) + 1;
      std::string requests;
      expected_.clear();
      for (int i = 0; i < count; ++i) requests += request();
      EXPECT_TRUE(connection_->send(requests));
      for (const std::string& part : expected_) {
        const std::string reply = connection_->line();
        EXPECT_NE(reply.find(part), std::string::npos) << reply << " should hold " << part;
      }
    }
    return added_;
  }

 private:
  std::string request() {
    switch (random_() % 8) {
      case 0:
        return expect(R"("response":[{"key":1,"value":)",
                      R"({"v":2,"op":"counter.batch_sum","series":"s","keys":[1,2,3,1]})");
      case 1:
        return expect(R"("response":{"tree":"s","range_from":20260101,)",
                      R"({"v":2,"op":"tree.summary","series":"s","range":{"from":20260101,"to":20261231}})");
      case 2:
        return expect(R"("response":{"tree":"s","limit":5)", R"({"v":2,"op":"tree.top","series":"s","limit":5})");
      case 3:
        added_ += 7;
        return expect(R"("response":{"applied":2,"total":7})",
                      R"({"v":2,"op":"series.batch_add","series":"s","items":[[)" + key_text(random_) +
                          ",20260101,3],[" + key_text(random_) + ",20260301,4]]}");
      case 4:
        return random_() % 40 == 0 ? expect(R"("response":"OK")", R"({"v":2,"op":"snapshot.create_all"})")
                                   : expect(R"("error_code":"not_found")", R"({"v":2,"op":"tree.drop","series":"x"})");
      case 5:
        return expect(R"("error_code":"invalid_json")", "{nonsense");
      default:
        added_ += 2;
        return expect(R"("response":2,)",
                      R"({"v":2,"op":"counter.increment","series":"s","bucket":20260501,"value":2,"key":)" +
                          key_text(random_) + "}");
    }
  }

  std::string expect(std::string part, std::string line) {
    expected_.push_back(std::move(part));
    return std::move(line) + "\n";
  }

  int port_;
  std::mt19937_64 random_;
  std::optional<SocketClient> connection_;
  std::vector<std::string> expected_;
  std::uint64_t added_ = 0;
};

TEST(Soak, MixedLoadOverManyConnectionsAddsUpLiveAndAfterARestart) {
  std::string directory = ::testing::TempDir() + "karma_soak_XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  Config config;
  config.directory = directory;
  config.bind = "127.0.0.1";
  config.port = 0;
  config.log = false;
  config.io_threads = 3;
  config.spin_us = 50;
  config.wal_fsync = false;
  config.wal_segment_bytes = 20000;
  config.read_timeout = 0;
  const std::uint64_t base = seed();
  std::cout << "KARMA_TEST_SEED=" << base << "\n";

  std::atomic<std::uint64_t> added{0};
  {
    Result<std::unique_ptr<Server>> server = Server::start(config);
    ASSERT_TRUE(server) << server.error().message;
    SocketClient first((*server)->port());
    first.send(R"({"v":2,"op":"tree.create","series":"s"})"
               "\n");
    ASSERT_NE(first.line().find("OK"), std::string::npos);
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&, i] { added += Client((*server)->port(), base + static_cast<std::uint64_t>(i)).run(); });
    }
    for (std::thread& client : clients) client.join();
    first.send(R"({"v":2,"op":"tree.info","series":"s"})"
               "\n");
    EXPECT_NE(first.line().find(R"("total":)" + std::to_string(added.load()) + ","), std::string::npos);
    first.close();
    EXPECT_TRUE((*server)->stop());
  }
  Result<std::unique_ptr<Engine>> engine = Engine::open(config);
  ASSERT_TRUE(engine) << engine.error().message;
  const std::string info = (*engine)->execute(R"({"v":2,"op":"tree.info","series":"s"})");
  EXPECT_NE(info.find(R"("total":)" + std::to_string(added.load()) + ","), std::string::npos) << info;
  const std::string verified = (*engine)->execute(R"({"v":2,"op":"snapshot.verify"})");
  EXPECT_NE(verified.find(R"("status":"ok")"), std::string::npos) << verified;
  EXPECT_TRUE((*engine)->close(false));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace karma
