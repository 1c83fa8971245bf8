// What a service manager hears, at a socket of the test's own.
#include "server/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <string>

namespace karma::server {
namespace {

class Listener {
 public:
  // An abstract address: nothing is left of it.
  Listener() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& name() const { return name_; }
  std::string next() const {
    char bytes[512];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    return count < 0 ? "" : std::string(bytes, static_cast<std::size_t>(count));
  }

 private:
  const std::string name_ = "@karma-test-" + std::to_string(::getpid());
  const int socket_;
};

using Variables = std::map<std::string, std::string>;

ServiceManager with(const Variables& variables) {
  return ServiceManager([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ServiceManager, HearsWhatItIsTold) {
  const Listener listener;
  const ServiceManager manager = with({{"NOTIFY_SOCKET", listener.name()}});
  EXPECT_TRUE(manager.present());
  manager.tell("READY=1\nSTATUS=it serves");
  manager.tell("STOPPING=1");
  EXPECT_EQ(listener.next(), "READY=1\nSTATUS=it serves");
  EXPECT_EQ(listener.next(), "STOPPING=1");
  EXPECT_EQ(listener.next(), "");
}

TEST(ServiceManager, NobodyIsToldWhereNobodyListens) {
  EXPECT_FALSE(with({}).present());
  with({}).tell("READY=1");
  for (const std::string& name : {std::string("relative"), std::string("/"), std::string("@"), std::string(300, '/')}) {
    EXPECT_FALSE(with({{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "5"}}).present()) << name;
  }
  const ServiceManager gone = with({{"NOTIFY_SOCKET", "/nonexistent/socket"}});
  EXPECT_TRUE(gone.present());
  gone.tell("READY=1");
}

TEST(ServiceManager, TheWatchdogIsForThisProcess) {
  const auto time = [](Variables variables) {
    variables.emplace("NOTIFY_SOCKET", "/run/notify");
    return with(variables).watchdog().count();
  };
  EXPECT_EQ(time({}), 0);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "30000000"}}), 30'000'000);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "3x"}}), 0);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", std::to_string(::getpid())}}), 5);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", "1"}}), 0);
}

}  // namespace
}  // namespace karma::server
