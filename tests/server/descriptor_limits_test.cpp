#include "server/descriptor_limits.h"

#include <signal.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/server_process.h"
#include "support/socket_client.h"

namespace karma {
namespace {

using server::ConnectionLimits;
using server::kFileDescriptors;
using server::kMaxRefused;
using server::share_descriptors;
using test::ServerProcess;
using test::SocketClient;

TEST(DescriptorLimits, ConnectionsTakeWhatIsLeft) {
  constexpr std::size_t kInUse = 12;
  for (std::size_t limit = 0; limit < 2000; ++limit) {
    for (int wanted : {1, 5, 50, 10000}) {
      const ConnectionLimits limits = share_descriptors(limit, kInUse, wanted);
      ASSERT_GE(limits.connections, 1);
      ASSERT_LE(limits.connections, wanted);
      ASSERT_GE(limits.refused, 1U);
      ASSERT_LE(limits.refused, kMaxRefused);
      if (limit < kInUse + kFileDescriptors + 3) continue;  // too few for anybody
      ASSERT_LE(static_cast<std::size_t>(limits.connections) + limits.refused + kInUse + kFileDescriptors, limit - 1);
    }
  }
  EXPECT_EQ(share_descriptors(11000, kInUse, 10000).connections, 10000);
  EXPECT_EQ(share_descriptors(11000, kInUse, 10000).refused, kMaxRefused);
}

TEST(DescriptorLimits, EachIoThreadHasItsOwn) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  constexpr int kConnections = 10;
  constexpr int kThreads = 64;
  constexpr rlim_t kWanted = kConnections + 3 * kThreads + kFileDescriptors + kMaxRefused;
  ASSERT_GT(before.rlim_max, 2 * kWanted);
  rlimit low = before;
  low.rlim_cur = 128;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  server::raise_descriptor_limit(kConnections, kThreads, 0);
  rlimit raised{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &raised), 0);
  EXPECT_GE(raised.rlim_cur, kWanted + 12);  // standard streams, lock, log, listeners, the thread that accepts
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

class DescriptorLimitsTest : public test::ServerProcessTest {
 protected:
  // A crowd that never goes away, and a writer that makes the log begin files: none of its writes may fail.
  void write_beside_a_crowd(ServerProcess& server, SocketClient& writer) {
    std::vector<SocketClient> crowd;
    for (int i = 0; i < 200; ++i) {
      if (i < 160) {
        crowd.emplace_back(port_);
        crowd.back().send(test::kPing);
      }
      writer.send("{\"v\":2,\"op\":\"counter.increment\",\"series\":\"s\",\"key\":1}\n");
      const std::string reply = writer.line();
      ASSERT_NE(reply.find(R"("success":true)"), std::string::npos) << "write " << i << ": " << reply;
      if (i % 50 != 49) continue;
      writer.send("{\"v\":2,\"op\":\"snapshot.create_all\"}\n");
      const std::string saved = writer.line();
      ASSERT_NE(saved.find(R"("success":true)"), std::string::npos) << saved;
    }
    // Who came last was told why.
    EXPECT_NE(crowd.back().line().find("Too many connections"), std::string::npos);
    EXPECT_TRUE(server.running());
    server.signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0) << server.output();
    EXPECT_EQ(server.output().find("Too many open files"), std::string::npos) << server.output();
  }
};

TEST_F(DescriptorLimitsTest, ACrowdNeverTakesTheDescriptorsOfTheLog) {
  ServerProcess server(arguments({"--read-timeout=0", "--wal-segment-bytes=500", "--wal-fsync=false"}), 72);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  SocketClient writer(port_);
  writer.send("{\"v\":2,\"op\":\"system.stats\"}\n");
  const std::string stats = writer.line();
  EXPECT_EQ(stats.find(R"("max_connections":10000)"), std::string::npos) << stats;
  EXPECT_NE(server.output().find("server.few_descriptors"), std::string::npos) << server.output();
  write_beside_a_crowd(server, writer);
}

TEST_F(DescriptorLimitsTest, RefusedClientsAreWithinTheReserve) {
  ServerProcess server(
      arguments({"--read-timeout=0", "--wal-segment-bytes=500", "--wal-fsync=false", "--max-connections=50"}), 100);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  SocketClient writer(port_);
  write_beside_a_crowd(server, writer);
}

}  // namespace
}  // namespace karma
