// What the sockets of this machine allow: sends back what it receives, on one thread, and does nothing else.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "load_flags.h"

namespace karma::tools::load {
namespace {

int listen_on(std::uint64_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(socket, 1024) != 0)
    fail("cannot listen on port " + std::to_string(port));
  return socket;
}

void watch(int epoll, int socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

// False when the client is gone. Sockets block: a client that sends takes what comes back.
bool echo(int socket, std::vector<char>& buffer) {
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t count = ::send(socket, buffer.data() + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += count;
  }
  return size > 0;
}

[[noreturn]] void serve(std::uint64_t port) {
  const int listener = listen_on(port);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  std::vector<char> buffer(1 << 18);
  epoll_event events[256];
  while (true) {
    const int count = ::epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int socket = events[i].data.fd;
      if (socket != listener) {
        if (!echo(socket, buffer)) ::close(socket);
        continue;
      }
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (client >= 0) watch(epoll, client);
    }
  }
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  std::uint64_t port = 8080;
  karma::tools::load::Flags flags("echo_server",
                                  "Usage: echo_server [option...]\n\nSends back what it receives on 127.0.0.1.\n", {});
  flags.number("port", "PORT", "where it listens", port, 1, 65535);
  flags.parse(argc, argv);
  return karma::tools::load::run_program([&]() -> int { karma::tools::load::serve(port); });
}
