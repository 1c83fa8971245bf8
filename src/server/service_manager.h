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

// Not thread-safe, except for tell().
class ServiceManager {
 public:
  // `environment`: as getenv(). The variables are read here and not later.
  explicit ServiceManager(const std::function<const char*(const char* name)>& environment);

  bool present() const { return address_.has_value(); }
  // Within which time WATCHDOG=1 has to be told again and again, or the process is killed and started anew; zero: it
  // need not be told.
  std::chrono::microseconds watchdog() const { return watchdog_; }

  // Lines like READY=1. What cannot be delivered is lost: the service manager then acts as after silence.
  void tell(std::string_view lines) const;

 private:
  std::optional<asio::local::datagram_protocol::endpoint> address_;
  std::chrono::microseconds watchdog_{0};
};

}  // namespace karma::server
