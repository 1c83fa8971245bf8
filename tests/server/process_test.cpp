// The program as the operating system sees it: exit codes, signals, streams, a shortage of descriptors.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/socket_client.h"

namespace karma {
namespace {

using test::SocketClient;

constexpr const char* kPing = "{\"v\":2,\"op\":\"system.ping\"}\n";
constexpr const char* kPong = R"({"protocol_version":2,"success":true,"response":"pong","error_code":null})";
constexpr int kPatienceMs = 20'000;

int free_port() {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// The server binary with its output, both streams in one.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments, rlim_t descriptors = 0) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    std::vector<char*> argv;
    arguments.insert(arguments.begin(), KARMA_SERVER_BINARY);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::dup2(ends[1], 2);
      rlimit limit{descriptors, descriptors};
      if (descriptors > 0) ::setrlimit(RLIMIT_NOFILE, &limit);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(output_);
  }

  void signal(int number) { ::kill(pid_, number); }
  // Reads output until it holds `text`; false if it ends before.
  bool wait_for(const std::string& text) {
    while (output().find(text) == std::string::npos) {
      if (!read_some()) return false;
    }
    return true;
  }
  // Reads the rest; the exit code, or minus the signal that ended it.
  int wait() {
    while (read_some()) continue;
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  bool running() { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  const std::string& output() const { return text_; }

 private:
  bool read_some() {
    pollfd watched{output_, POLLIN, 0};
    char bytes[4096];
    ssize_t size = ::poll(&watched, 1, kPatienceMs) > 0 ? ::read(output_, bytes, sizeof bytes) : 0;
    if (size > 0) text_.append(bytes, static_cast<std::size_t>(size));
    return size > 0;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
};

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "karma_process_XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    port_ = free_port();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> arguments(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--bind=127.0.0.1", "--port=" + std::to_string(port_), "--directory=" + directory_});
    return more;
  }

  std::string directory_;
  int port_ = 0;
};

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
  Process server(arguments({"--read-timeout=0", "--io-threads=1"}), 60);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
  std::vector<SocketClient> crowd;
  for (int i = 0; i < kCrowd; ++i) crowd.emplace_back(port_);
  ASSERT_TRUE(server.wait_for("server.accept_paused")) << server.output();
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0) << server.output();
}

TEST_F(ProcessTest, WithoutDescriptorsItPausesAndGoesOnWhenThereAreSome) {
  constexpr int kCrowd = 100;
  Process server(arguments({"--read-timeout=0", "--io-threads=1"}), 60);
  ASSERT_TRUE(server.wait_for("server.start")) << server.output();
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

}  // namespace
}  // namespace karma
