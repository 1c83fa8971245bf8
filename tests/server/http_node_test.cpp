// A whole node asked over HTTP: what it says while it restores, serves, stalls and stops.
#include <gtest/gtest.h>
#include <karma/server.h>

#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "support/crashable_file_system.h"
#include "support/gate.h"
#include "support/server_process.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using test::SocketClient;

class HttpNodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.directory = "data";
    config_.bind = "127.0.0.1";
    config_.port = 0;
    config_.http_port = test::free_port();
    config_.log = false;
    config_.io_threads = 2;
    files_.before_sync([this] { gate_.pass(); });
  }
  void TearDown() override {
    gate_.open();
    server_.reset();
  }

  void start() {
    Result<std::unique_ptr<Server>> server = Server::start(config_, files_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  // Status and body.
  std::string get(const std::string& target) {
    SocketClient client(config_.http_port);
    client.send("GET " + target + " HTTP/1.0\r\n\r\n");
    const std::string reply = client.rest();
    const std::size_t body = reply.find("\r\n\r\n");
    return body == std::string::npos ? reply : reply.substr(9, 3) + " " + reply.substr(body + 4);
  }
  std::string ask(const std::string& request) {
    SocketClient client(server_->port());
    client.send(request + "\n");
    return client.line();
  }

  Config config_;
  test::CrashableFileSystem files_;
  test::Gate gate_;
  std::unique_ptr<Server> server_;
};

constexpr const char* kIncrement = R"({"v":2,"op":"counter.increment","series":"s","key":1})";

TEST_F(HttpNodeTest, AMasterIsAliveReadyAndPrimary) {
  start();
  EXPECT_EQ(get("/livez"), "200 alive\n");
  EXPECT_EQ(get("/readyz"), "200 ready\n");
  EXPECT_EQ(get("/primary"), "200 primary\n");
  EXPECT_EQ(get("/read-only"), "200 readable\n");
  EXPECT_EQ(get("/replica"), "503 not replica\nthis node is no slave\n");
}

TEST_F(HttpNodeTest, TheHistogramsAreToldOverTcpToo) {
  start();
  for (int i = 0; i < 3; ++i) ask(kIncrement);
  const nlohmann::json told = nlohmann::json::parse(ask(R"({"v":2,"op":"system.histograms"})"))["response"];
  EXPECT_EQ(told["measured"], true);
  EXPECT_EQ(told["requests"]["counter.increment"]["count"], 3);
  EXPECT_EQ(told["requests"].size(), 1u) << "what nobody asked for is left out";
  EXPECT_EQ(told["log_queue"]["count"], 3);
  EXPECT_GE(told["log_sync"]["count"], 1);
  EXPECT_EQ(told["log_batch"]["sum"], 3);
  const std::string scraped = get("/metrics");
  EXPECT_NE(scraped.find("karma_request_duration_seconds_count{op=\"counter.increment\"} 3\n"), std::string::npos);
}

TEST_F(HttpNodeTest, WithoutAPortNothingIsMeasured) {
  config_.http_port = 0;
  start();
  ask(kIncrement);
  const nlohmann::json told = nlohmann::json::parse(ask(R"({"v":2,"op":"system.histograms"})"))["response"];
  EXPECT_EQ(told["measured"], false);
  EXPECT_EQ(told["requests"].size(), 0u);
}

TEST_F(HttpNodeTest, WithoutAPortThereIsNoHttp) {
  const int port = std::exchange(config_.http_port, 0);
  start();
  EXPECT_FALSE(SocketClient(port).connected());
}

TEST_F(HttpNodeTest, APortThatIsTakenKeepsItFromStarting) {
  start();
  Config other = config_;
  other.directory = "other";
  Result<std::unique_ptr<Server>> second = Server::start(other, files_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find(":" + std::to_string(config_.http_port)), std::string::npos);
}

TEST_F(HttpNodeTest, WhileItRestoresItIsAliveAndSaysHowFarItIs) {
  start();
  ask(kIncrement);
  server_.reset();
  gate_.close();
  std::thread starting([this] { start(); });
  gate_.wait_for_somebody();  // a start syncs the history of its log, after the log was applied
  EXPECT_EQ(get("/livez"), "200 alive\n");
  const std::string ready = get("/readyz");
  EXPECT_TRUE(ready.starts_with("503 not ready\nstarting: ")) << ready;
  EXPECT_NE(ready.find(" bytes\n"), std::string::npos) << ready;
  for (const char* path : {"/primary", "/replica", "/read-only"}) EXPECT_TRUE(get(path).starts_with("503 ")) << path;
  gate_.open();
  starting.join();
  EXPECT_EQ(get("/readyz"), "200 ready\n");
}

TEST_F(HttpNodeTest, AWriterThatIsStuckInASyncIsNotAlive) {
  start();
  gate_.close();
  SocketClient client(server_->port());
  client.send(std::string(kIncrement) + "\n");
  gate_.wait_for_somebody();
  EXPECT_EQ(get("/livez"), "503 not alive\nthe writer of the log has not turned\n");
  EXPECT_EQ(get("/read-only"), "200 readable\n");
  gate_.open();
  client.line();
  EXPECT_EQ(get("/livez"), "200 alive\n");
}

TEST_F(HttpNodeTest, ALogThatCannotBeWrittenIsNotReady) {
  start();
  files_.fail({.operation = test::CrashableFileSystem::Operation::sync, .name = "karma.wal"});
  ask(kIncrement);
  for (const char* path : {"/readyz", "/primary"}) {
    const std::string answer = get(path);
    EXPECT_TRUE(answer.starts_with("503 ")) << answer;
    EXPECT_NE(answer.find("writing has stopped"), std::string::npos) << answer;
  }
  EXPECT_EQ(get("/livez"), "200 alive\n");
  EXPECT_EQ(get("/read-only"), "200 readable\n");
}

TEST_F(HttpNodeTest, WhileItStopsItIsAliveAndNotReady) {
  start();
  ask(kIncrement);
  gate_.close();
  files_.before_call([this](test::CrashableFileSystem::Operation, const std::string& path) {
    if (path.find(".tree") != std::string::npos) gate_.pass();
  });
  std::thread stopping([this] { EXPECT_TRUE(server_->stop().ok()); });
  gate_.wait_for_somebody();  // a snapshot is being written
  EXPECT_EQ(get("/livez"), "200 alive\n");
  EXPECT_EQ(get("/readyz"), "503 not ready\nthe node stops\n");
  gate_.open();
  stopping.join();
  EXPECT_FALSE(SocketClient(config_.http_port).connected());
}

TEST_F(HttpNodeTest, EachRequestIsInTheHistogramOfItsOp) {
  start();
  for (int i = 0; i < 3; ++i) ask(kIncrement);
  ask(R"({"v":2,"op":"counter.sum","series":"s","key":1})");
  ask(R"({"v":2,"op":"counter.sum","series":"nothing","key":1})");
  ask(R"({"v":2,"op":"tree.keys","series":"s"})");
  ask(R"({"v":2,"op":"snapshot.create_all"})");
  ask(R"({"v":2,"op":"nonsense"})");
  ask("{}");
  const std::string metrics = get("/metrics");
  const auto count = [&](const std::string& series) {
    const std::size_t at = metrics.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stoi(metrics.substr(at + series.size() + 2));
  };
  const auto requests = [&](const std::string& op) {
    return count("karma_request_duration_seconds_count{op=\"" + op + "\"}");
  };
  EXPECT_EQ(requests("counter.increment"), 3);
  EXPECT_EQ(requests("counter.sum"), 2);
  EXPECT_EQ(requests("tree.keys"), 1);
  EXPECT_EQ(requests("snapshot.create_all"), 1);
  EXPECT_EQ(requests("counter.series"), -1);  // nobody asked for it
  EXPECT_EQ(count("karma_wal_queue_duration_seconds_count"), 3);
  EXPECT_EQ(count("karma_wal_batch_entries_sum"), 3);
  EXPECT_EQ(count("karma_wal_sync_duration_seconds_count"), count("karma_wal_batch_entries_count"));
  EXPECT_EQ(metrics.find("nothing"), std::string::npos);  // names of series are nobody's business
}

TEST_F(HttpNodeTest, WhileItRestoresItsMetricsAreThoseOfTheProcess) {
  gate_.close();
  std::thread starting([this] { start(); });
  gate_.wait_for_somebody();
  const std::string metrics = get("/metrics");
  EXPECT_NE(metrics.find("\nprocess_start_time_seconds "), std::string::npos);
  EXPECT_EQ(metrics.find("\nkarma_keys "), std::string::npos);
  gate_.open();
  starting.join();
  EXPECT_NE(get("/metrics").find("\nkarma_keys 0\n"), std::string::npos);
}

TEST_F(HttpNodeTest, NothingThatItSaysHoldsAToken) {
  config_.auth_token = "a-secret";
  config_.read_auth_token = "another-secret";
  config_.replication_token = "a-third-secret";
  start();
  for (const char* path : {"/", "/livez", "/readyz", "/primary", "/replica", "/read-only", "/metrics"})
    EXPECT_EQ(get(path).find("secret"), std::string::npos) << path;
}

}  // namespace
}  // namespace karma
