#include "server/service_manager.h"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>

#include "core/text.h"

namespace karma::server {
namespace {

using Datagrams = asio::local::datagram_protocol;

std::optional<Datagrams::endpoint> address_of(std::string path) {
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@')) return {};
  if (path[0] == '@') path[0] = '\0';  // an abstract address
  try {
    return Datagrams::endpoint(path);
  } catch (const boost::system::system_error&) {
    return {};  // longer than an address can be
  }
}

}  // namespace

ServiceManager::ServiceManager(const std::function<const char*(const char* name)>& environment) {
  const auto variable = [&](const char* name) {
    const char* const value = environment(name);
    return std::string(value == nullptr ? "" : value);
  };
  address_ = address_of(variable("NOTIFY_SOCKET"));
  const std::string process = variable("WATCHDOG_PID");
  if (!address_ || (!process.empty() && process != std::to_string(::getpid()))) return;
  if (const auto time = parse_number<std::uint32_t>(variable("WATCHDOG_USEC")))
    watchdog_ = std::chrono::microseconds(*time);
}

void ServiceManager::tell(std::string_view lines) const {
  if (!address_) return;
  asio::io_context context(1);
  Datagrams::socket socket(context);
  boost::system::error_code error;
  socket.open(Datagrams(), error);
  socket.non_blocking(true, error);
  socket.send_to(asio::buffer(lines.data(), lines.size()), *address_, 0, error);
}

}  // namespace karma::server
