// Tells the service manager how the node is, by the protocol of sd_notify(3): a datagram of a few lines to the socket
// that NOTIFY_SOCKET names. Without that variable there is nobody to tell, and nothing is done.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/local/datagram_protocol.hpp>

#include "server/asio.h"

namespace karma::server {

// tell() is thread-safe.
class ServiceManager {
 public:
  // `environment`: as getenv(). The variables are read here and not later, and the socket is kept: a process without
  // descriptors is still well.
  explicit ServiceManager(const std::function<const char*(const char* name)>& environment);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  bool present() const { return socket_ >= 0; }
  // Within which time WATCHDOG=1 has to be told again and again, or the process is killed and started anew; zero: it
  // need not be told.
  std::chrono::microseconds watchdog() const { return watchdog_; }

  // Lines like READY=1. What cannot be delivered is lost: the service manager then acts as after silence.
  void tell(std::string_view lines) const noexcept;

 private:
  std::optional<asio::local::datagram_protocol::endpoint> address_;
  int socket_ = -1;
  std::chrono::microseconds watchdog_{0};
};

}  // namespace karma::server
