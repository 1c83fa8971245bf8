// Many connections on one thread: each keeps its pipeline full and measures from the write of a request to the read of
// its reply.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load_histogram.h"
#include "load_options.h"
#include "load_workload.h"

namespace karma::load {

using Time = std::chrono::steady_clock::time_point;

inline Time now() { return std::chrono::steady_clock::now(); }

inline int connect_to(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &address.sin_addr) != 1)
    misuse("--host must be an IPv4 address");
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    if (socket >= 0) ::close(socket);
    errno = error;
    return -1;
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  return socket;
}

struct Measured {
  Histogram round_trips;
  std::uint64_t replies = 0;
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
};

// What a run sends: the next request, or nullptr when there are no more; and who sees each good reply.
struct Script {
  std::function<Request*()> next;
  std::function<void(const Request&, std::string_view reply)> on_reply = {};
};

class Clients {
 public:
  Clients(const Options& options, std::uint64_t connections, std::uint64_t pipeline)
      : pipeline_(pipeline), epoll_(::epoll_create1(EPOLL_CLOEXEC)), input_(kReadBytes, '\0') {
    for (std::uint64_t i = 0; i < connections; ++i) {
      const int socket = connect_to(options.host, options.port);
      if (socket < 0) fail("cannot connect: " + std::string(std::strerror(errno)));
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->socket = socket;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = clients_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
    }
  }
  ~Clients() {
    for (const auto& client : clients_) ::close(client->socket);
    ::close(epoll_);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // Until the script has no more and everything is answered.
  Measured run(const Script& script) {
    measured_ = {};
    under_way_ = 0;
    const Time begin = now();
    for (const auto& client : clients_) refill(*client, script);
    epoll_event events[256];
    while (under_way_ != 0) {
      const int count = ::epoll_wait(epoll_, events, 256, kPatienceMs);
      if (count == 0) fail("no reply for " + std::to_string(kPatienceMs / 1000) + " s");
      for (int i = 0; i < count; ++i) {
        Client& client = *static_cast<Client*>(events[i].data.ptr);
        if ((events[i].events & EPOLLOUT) != 0) send(client);
        if ((events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) continue;
        receive(client, script);
        refill(client, script);
      }
    }
    measured_.seconds = std::chrono::duration<double>(now() - begin).count();
    return std::move(measured_);
  }

 private:
  static constexpr std::size_t kReadBytes = 1 << 18;
  static constexpr int kPatienceMs = 30000;
  static constexpr std::string_view kGood = R"({"protocol_version":2,"success":true,)";

  struct UnderWay {
    Request* request;
    Time sent;
  };
  struct Client {
    int socket = -1;
    std::string out;
    std::size_t sent = 0;
    std::string in;  // of a reply that has not come whole
    std::deque<UnderWay> under_way;
    bool waits_to_send = false;
  };

  void refill(Client& client, const Script& script) {
    const Time time = now();
    bool added = false;
    while (client.under_way.size() < pipeline_) {
      Request* request = script.next();
      if (request == nullptr) break;
      client.out += request->line;
      client.under_way.push_back({request, time});
      ++under_way_;
      added = true;
    }
    if (added) send(client);
  }

  void send(Client& client) {
    while (client.sent < client.out.size()) {
      const ssize_t size = ::send(client.socket, client.out.data() + client.sent, client.out.size() - client.sent,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size < 0 && errno != EAGAIN) fail("cannot send: " + std::string(std::strerror(errno)));
      if (size < 0) break;
      client.sent += static_cast<std::size_t>(size);
    }
    const bool waits = client.sent < client.out.size();
    if (!waits) {
      client.out.clear();
      client.sent = 0;
    }
    if (waits == client.waits_to_send) return;
    client.waits_to_send = waits;
    epoll_event event{};
    event.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &client;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.socket, &event);
  }

  void receive(Client& client, const Script& script) {
    const ssize_t size = ::recv(client.socket, input_.data(), input_.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) fail("cannot receive: " + std::string(std::strerror(errno)));
    if (size == 0) fail("the server closed a connection; first error: " + measured_.first_error);
    const Time time = now();
    std::string_view bytes(input_.data(), static_cast<std::size_t>(size));
    while (true) {
      const std::size_t end = bytes.find('\n');
      if (end == std::string_view::npos) break;
      std::string_view line = bytes.substr(0, end);
      if (!client.in.empty()) {
        client.in.append(line);
        line = client.in;
      }
      take(client, line, time, script);
      client.in.clear();
      bytes.remove_prefix(end + 1);
    }
    client.in.append(bytes);
  }

  void take(Client& client, std::string_view line, Time time, const Script& script) {
    if (client.under_way.empty()) fail("a reply that nobody asked for: " + std::string(line));
    const UnderWay answered = client.under_way.front();
    client.under_way.pop_front();
    --under_way_;
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(time - answered.sent).count();
    measured_.round_trips.add(static_cast<std::uint64_t>(duration));
    ++measured_.replies;
    if (line.starts_with(kGood)) {
      ++answered.request->acknowledged;
      measured_.items += answered.request->items;
      if (script.on_reply) script.on_reply(*answered.request, line);
    } else if (measured_.errors++ == 0) {
      measured_.first_error = line;
    }
  }

  const std::uint64_t pipeline_;
  const int epoll_;
  std::string input_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t under_way_ = 0;
  Measured measured_;
};

}  // namespace karma::load
