// A socket that is connected to a server, without more than that.
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>

namespace karma::tools::load {

// Whoever runs a load catches it, so that what was made for the occasion goes: a server, a directory, a series.
[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

struct Address {
  std::string host = "127.0.0.1";  // or a name
  int port = 8080;
};

// Once connect() was interrupted by a signal: returns 0, or what errno would be.
inline int finish_connecting(int socket) {
  constexpr int kMilliseconds = 5000;
  pollfd wanted{socket, POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&wanted, 1, kMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// Returns a blocking socket, or -1 and errno.
inline int connect_to(const Address& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int fault = ::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found);
  if (fault != 0) fail("cannot resolve " + to.host + ": " + ::gai_strerror(fault));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
  int error = 0;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    const int socket = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
      error = errno;
      continue;
    }
    // It bounds the time that connecting takes, too.
    timeval limit{5, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    error = ::connect(socket, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINTR) error = finish_connecting(socket);
    if (error == 0) {
      limit = {};
      ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return socket;
    }
    if (error == EINPROGRESS) error = ETIMEDOUT;
    ::close(socket);
  }
  errno = error;
  return -1;
}

}  // namespace karma::tools::load
