#include "server/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace karma::server {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

// A peer that has vanished without a word is noticed after 60 + 4 * 15 seconds, whatever the read timeout is.
constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 15;
constexpr int kKeepaliveProbes = 4;

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(ipv4->sin_addr.s_addr) >> 24 == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                            : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
}

// Invalid if it failed: errno says why.
FileDescriptor bind_at(const addrinfo& address, int port, bool nodelay) {
  FileDescriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return socket;
  int fd = socket.get();
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, nodelay ? 1 : 0);
  sockaddr_storage where{};
  std::memcpy(&where, address.ai_addr, address.ai_addrlen);
  if (address.ai_family == AF_INET6) {
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // "::" takes IPv4 clients, too
    reinterpret_cast<sockaddr_in6&>(where).sin6_port = htons(static_cast<std::uint16_t>(port));
  } else {
    reinterpret_cast<sockaddr_in&>(where).sin_port = htons(static_cast<std::uint16_t>(port));
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&where), address.ai_addrlen) < 0) {
    int error = errno;
    socket.close();
    errno = error;
  }
  return socket;
}

Error failure(const std::string& host, int port, const char* why) {
  return internal_error("Could not bind to '" + host + ":" + std::to_string(port) + "': " + why);
}

}  // namespace

Result<ListenSockets> bind_to(const std::string& host, int port, bool nodelay) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return failure(host, port, ::gai_strerror(error));
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);

  ListenSockets result;
  result.host = host;
  result.port = port;
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    if (address->ai_family != AF_INET && address->ai_family != AF_INET6) continue;
    FileDescriptor socket = bind_at(*address, result.port, nodelay);
    if (!socket.valid()) {
      error = errno;
      // A name may stand for addresses that this machine does not have; an occupied port is another matter.
      if (error == EADDRINUSE) break;
      continue;
    }
    result.port = port_of(socket.get());
    result.beyond_loopback |= !is_loopback(address->ai_addr);
    result.sockets.push_back(std::move(socket));
  }
  if (error == EADDRINUSE || result.sockets.empty()) return failure(host, port, std::strerror(error));
  return result;
}

Status start_listening(const ListenSockets& bound) {
  for (const FileDescriptor& socket : bound.sockets) {
    // Two processes may have bound the port; only one can listen.
    if (::listen(socket.get(), kBacklog) < 0) return failure(bound.host, bound.port, std::strerror(errno));
  }
  return {};
}

}  // namespace karma::server
