// What a service manager hears of loops that turn, and of one that does not.
#include "server/watchdog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>

#include "support/manual_clock.h"

namespace karma::server {
namespace {

using namespace std::chrono_literals;

class WatchdogTest : public ::testing::Test {
 protected:
  WatchdogTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);  // an abstract address
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~WatchdogTest() override { ::close(socket_); }

  // Waits for as long as it takes.
  std::string hear() const {
    char bytes[64];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    return count < 0 ? "" : std::string(bytes, static_cast<std::size_t>(count));
  }
  void forget_what_was_said() const {
    char bytes[64];
    while (::recv(socket_, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
  }

  const std::string name_ = "@karma-watchdog-test-" + std::to_string(::getpid());
  const int socket_;
  test::ManualClock clock_{0};
  EventLog log_{clock_, false};
  const ServiceManager manager_{[this](const char* name) -> const char* {
    if (std::string(name) == "NOTIFY_SOCKET") return name_.c_str();
    return std::string(name) == "WATCHDOG_USEC" ? "20000" : nullptr;
  }};
};

TEST_F(WatchdogTest, IsSilentWhileALoopStandsStill) {
  std::atomic<bool> turns = true;
  std::atomic<int> looks = 0;
  const Loop loop{"a", [&] {
                    return [&] {
                      ++looks;
                      return turns.load();
                    };
                  }};
  const Watchdog watchdog(manager_, {loop}, log_);
  EXPECT_EQ(hear(), "WATCHDOG=1");
  EXPECT_EQ(hear(), "WATCHDOG=1");
  turns = false;
  // What was found before that may be told still.
  for (const int begun = looks; looks < begun + 3;) std::this_thread::yield();
  forget_what_was_said();
  for (const int begun = looks; looks < begun + 20;) std::this_thread::yield();
  char byte;
  EXPECT_LT(::recv(socket_, &byte, 1, MSG_DONTWAIT), 0);
  turns = true;
  EXPECT_EQ(hear(), "WATCHDOG=1");
}

}  // namespace
}  // namespace karma::server
