// The socket at which a service manager hears of its services, for a test.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace karma::test {

class NotifyListener {
 public:
  // At an abstract address: nothing is left of it.
  NotifyListener() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  ~NotifyListener() { ::close(socket_); }
  NotifyListener(const NotifyListener&) = delete;
  NotifyListener& operator=(const NotifyListener&) = delete;

  // For NOTIFY_SOCKET.
  const std::string& name() const { return name_; }
  // What was said next; empty if it has not been said yet.
  std::string next() const { return receive(MSG_DONTWAIT); }
  // Waits for it, for as long as it takes.
  std::string await() const { return receive(0); }

 private:
  std::string receive(int flags) const {
    char bytes[512];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, flags);
    return count < 0 ? "" : std::string(bytes, static_cast<std::size_t>(count));
  }

  const std::string name_ = "@karma-test-" + std::to_string(::getpid());
  const int socket_;
};

}  // namespace karma::test
