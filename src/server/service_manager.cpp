#include "server/service_manager.h"

#include <sys/socket.h>
#include <unistd.h>

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
  if (address_) socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (!present() || (!process.empty() && process != std::to_string(::getpid()))) return;
  if (const auto time = parse_number<std::uint32_t>(variable("WATCHDOG_USEC")))
    watchdog_ = std::chrono::microseconds(*time);
}

ServiceManager::~ServiceManager() {
  if (present()) ::close(socket_);
}

void ServiceManager::tell(std::string_view lines) const noexcept {
  if (!present()) return;
  (void)::sendto(socket_, lines.data(), lines.size(), MSG_NOSIGNAL, address_->data(),
                 static_cast<socklen_t>(address_->size()));
}

}  // namespace karma::server
