// The program as the operating system sees it: exit codes, signals, streams, a shortage of descriptors.
#include <signal.h>

#include <string>
#include <vector>

#include "support/server_process.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using test::kPing;
using test::kPong;
using test::SocketClient;

constexpr int kPatienceMs = 20'000;

using Process = test::ServerProcess;
class ProcessTest : public test::ServerProcessTest {};

TEST_F(ProcessTest, HelpAndVersionGoToStdoutAndSucceed) {
  Process help({"--help"});
  EXPECT_EQ(help.wait(), 0);
  EXPECT_TRUE(help.output().starts_with("Usage: karma [arguments]\n"));
  Process version({"-v"});
  EXPECT_EQ(version.wait(), 0);
  EXPECT_TRUE(version.output().starts_with("karma 2."));
}

TEST_F(ProcessTest, WrongUsageIsTwoAndAFailureIsOne) {
  Process unknown({"--nonsense=1"});
  EXPECT_EQ(unknown.wait(), 2);
  EXPECT_TRUE(unknown.output().starts_with("ERROR: --nonsense is not a valid option."));
  Process command({"serve"});
  EXPECT_EQ(command.wait(), 2);
  Process host({"--bind=999.999.999.999", "--directory=" + directory_});
  EXPECT_EQ(host.wait(), 1);
  EXPECT_NE(host.output().find("ERROR: Could not bind to '999.999.999.999:8080'"), std::string::npos);
}

TEST_F(ProcessTest, SignalsThatStopItEndCleanly) {
  for (int number : {SIGINT, SIGTERM}) {
    Process server(arguments());
    ASSERT_TRUE(server.wait_for("server.start")) << server.output();
    SocketClient client(port_);
    client.send(kPing);
    EXPECT_EQ(client.line(), kPong);
    server.signal(number);
    EXPECT_EQ(server.wait(), 0);
    std::size_t at = 0;
    for (const char* event : {"server.start", "server.stop_begin", "active_clients=1", "server.drain_complete",
                              "active_clients=0", "server.stop\""}) {
      at = server.output().find(event, at);
      EXPECT_NE(at, std::string::npos) << event << " in " << server.output();
    }
  }
}

TEST_F(ProcessTest, HangingUpDoesNotEndIt) {
  Process server(arguments());
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  server.signal(SIGHUP);
  server.signal(SIGUSR1);
  SocketClient client(port_);
  client.send(kPing);
  EXPECT_EQ(client.line(), kPong);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST_F(ProcessTest, ASecondSignalLeavesAtOnce) {
  Process server(arguments({"--shutdown-timeout=3600", "--max-response-bytes=0"}));
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  // A client that takes nothing of its replies keeps the drain from ending.
  SocketClient greedy(port_, 4096);
  std::string requests;
  for (int i = 0; i < 2000; ++i) requests += "{\"v\":2,\"op\":\"system.metrics\"}\n";
  greedy.send(requests);
  EXPECT_TRUE(greedy.readable(kPatienceMs));
  server.signal(SIGTERM);
  ASSERT_TRUE(server.wait_for("server.stop_begin")) << server.output();
  server.signal(SIGINT);
  EXPECT_EQ(server.wait(), 1);
}

TEST_F(ProcessTest, WithoutDescriptorsItStopsAsItAlwaysDoes) {
  constexpr int kCrowd = 100;
  Process server(arguments({"--read-timeout=0", "--io-threads=1"}));
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  server.limit_descriptors(60);  // as if others had taken those of the whole system
  std::vector<SocketClient> crowd;
  for (int i = 0; i < kCrowd; ++i) crowd.emplace_back(port_);
  ASSERT_TRUE(server.wait_for("server.accept_paused")) << server.output();
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0) << server.output();
}

TEST_F(ProcessTest, WithoutDescriptorsItPausesAndGoesOnWhenThereAreSome) {
  constexpr int kCrowd = 100;
  Process server(arguments({"--read-timeout=0", "--io-threads=1"}));
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  server.limit_descriptors(60);  // as if others had taken those of the whole system
  std::vector<SocketClient> crowd;
  crowd.emplace_back(port_);
  crowd.front().send(kPing);
  EXPECT_EQ(crowd.front().line(), kPong);
  for (int i = 1; i < kCrowd; ++i) {
    crowd.emplace_back(port_);
    ASSERT_TRUE(crowd.back().send(kPing));
  }
  ASSERT_TRUE(server.wait_for("server.accept_paused")) << server.output();
  crowd.front().send(kPing);
  EXPECT_EQ(crowd.front().line(), kPong) << "who is connected is served";
  // Each place that becomes free goes to one who waits.
  for (SocketClient& client : crowd) {
    if (&client != &crowd.front()) {
      EXPECT_EQ(client.line(), kPong);
    }
    client.close();
  }
  EXPECT_TRUE(server.running());
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0) << server.output();
  std::size_t first = server.output().find("server.accept_paused");
  EXPECT_EQ(server.output().find("server.accept_paused", first + 1), std::string::npos) << server.output();
}

// ulimit -f: a write that fails, as on a full disk, and no reason to die.
TEST_F(ProcessTest, AFileThatReachesItsLimitRefusesAndHeals) {
  const auto call = [](SocketClient& client, const std::string& op_and_fields) {
    client.send("{\"v\":2,\"op\":" + op_and_fields + "}\n");
    return client.line();
  };
  const std::string increment = R"("counter.increment","series":"s","key":1)";
  const std::string read = R"("counter.sum","series":"s","key":1)";
  int acknowledged = 0;
  {
    Process server(arguments({"--max-request-bytes=100000"}));
    ASSERT_TRUE(server.wait_for("server.start")) << server.output();
    server.limit_files(2000);
    SocketClient client(port_);
    int refused = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string reply = call(client, increment);
      const bool done = reply.find("\"success\":true") != std::string::npos;
      EXPECT_TRUE(done || reply.find("File too large") != std::string::npos) << reply;
      ++(done ? acknowledged : refused);
    }
    EXPECT_GT(acknowledged, 5);
    EXPECT_GT(refused, 5);
    EXPECT_NE(call(client, read).find("\"response\":" + std::to_string(acknowledged) + ","), std::string::npos);
    server.limit_files(RLIM_INFINITY);
    EXPECT_NE(call(client, increment).find("\"success\":true"), std::string::npos) << "there is room again";
    ++acknowledged;
    std::string items = "[0,20260505,1]";
    for (int key = 100; key < 1000; ++key) items += ",[" + std::to_string(key) + ",20260505,1]";
    const std::string added = call(client, R"("series.batch_add","series":"s","items":[)" + items + "]");
    ASSERT_NE(added.find("\"success\":true"), std::string::npos) << added;
    client.close();
    server.limit_files(2000);
    server.signal(SIGTERM);
    EXPECT_EQ(server.wait(), 1) << "the snapshot did not fit: " << server.output();
  }
  Process server(arguments());
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  SocketClient client(port_);
  EXPECT_NE(call(client, read).find("\"response\":" + std::to_string(acknowledged) + ","), std::string::npos);
  EXPECT_NE(call(client, R"("counter.sum","series":"s","key":999)").find("\"response\":1,"), std::string::npos);
}

}  // namespace
}  // namespace karma
