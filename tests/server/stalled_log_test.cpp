// A server whose log nobody reads goes on as if somebody did.
#include <signal.h>

#include <string>

#include "support/server_process.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using test::ServerProcess;
using test::SocketClient;

class StalledLogTest : public test::ServerProcessTest {
 protected:
  static constexpr int kPipeBytes = 4096;  // a page: the log's pipe is full soon
  static constexpr int kPatienceMs = 20'000;

  // Writes until the log has rotated often: each rotation says so.
  static void rotate_often(SocketClient& client) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(client.send("{\"v\":2,\"op\":\"counter.increment\",\"series\":\"s\",\"key\":1}\n"));
      ASSERT_NE(client.line().find(R"("success":true)"), std::string::npos) << "at " << i;
    }
  }
};

TEST_F(StalledLogTest, WritesRotationsSnapshotsAndTheStopGoOn) {
  ServerProcess server(arguments({"--wal-segment-bytes=200", "--wal-fsync=false"}), 0, kPipeBytes);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  SocketClient client(port_);
  rotate_often(client);
  server.signal(SIGUSR1);
  client.send("{\"v\":2,\"op\":\"snapshot.create_all\"}\n");
  EXPECT_NE(client.line().find(R"("success":true)"), std::string::npos);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_without_reading(kPatienceMs), 0);
}

TEST_F(StalledLogTest, ASecondSignalLeavesAtOnce) {
  ServerProcess server(arguments({"--wal-segment-bytes=200", "--wal-fsync=false", "--shutdown-timeout=3600"}), 0,
                       kPipeBytes);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  SocketClient client(port_);
  rotate_often(client);
  // A client that takes nothing of its replies keeps the drain from ending.
  SocketClient greedy(port_, 4096);
  std::string requests;
  for (int i = 0; i < 2000; ++i) requests += "{\"v\":2,\"op\":\"system.metrics\"}\n";
  greedy.send(requests);
  EXPECT_TRUE(greedy.readable(kPatienceMs));
  server.signal(SIGTERM);
  EXPECT_EQ(client.line(), "<eof>");  // it drains
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait_without_reading(kPatienceMs), 1);
}

}  // namespace
}  // namespace karma
