// Stands between a slave and its master, and cuts connections where the test wants it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace karma::test {

class CuttingProxy {
 public:
  explicit CuttingProxy(int master_port) : master_port_(master_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~CuttingProxy() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }
  // The next `count` connections end when the master has sent so many bytes on them; the last one of these gets
  // through.
  void cut_after(std::uint64_t bytes, int count) {
    cut_at_ = bytes;
    cuts_ = count;
  }
  int cuts_left() const { return cuts_; }
  std::uint64_t forwarded() const { return forwarded_; }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }

  // One connection at a time: a slave has no more.
  void run() {
    while (!stopping_) {
      const int slave = ::accept(listener_, nullptr, nullptr);
      if (slave < 0) return;
      const int master = ::socket(AF_INET, SOCK_STREAM, 0);
      const sockaddr_in address = loopback(master_port_);
      if (::connect(master, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) forward(slave, master);
      ::close(master);
      ::close(slave);
    }
  }

  void forward(int slave, int master) {
    std::uint64_t left = cuts_ > 0 ? cut_at_.load() : UINT64_MAX;
    pollfd both[2] = {{slave, POLLIN, 0}, {master, POLLIN, 0}};
    char bytes[4096];
    while (!stopping_) {
      if (::poll(both, 2, 20) < 0) return;
      if (both[0].revents != 0 && !pass(slave, master, bytes, sizeof bytes)) return;
      if (both[1].revents == 0) continue;
      const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, sizeof bytes));
      const std::int64_t passed = most == 0 ? 0 : pass(master, slave, bytes, most);
      if (most == 0) --cuts_;
      if (passed <= 0) return;
      left -= static_cast<std::uint64_t>(passed);
      forwarded_ += static_cast<std::uint64_t>(passed);
    }
  }

  static std::int64_t pass(int from, int to, char* bytes, std::size_t most) {
    const std::int64_t size = ::recv(from, bytes, most, 0);
    if (size <= 0 || ::send(to, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size) return 0;
    return size;
  }

  const int master_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> cut_at_{0};
  std::atomic<int> cuts_{0};
  std::atomic<std::uint64_t> forwarded_{0};
  std::thread thread_;
};

}  // namespace karma::test
