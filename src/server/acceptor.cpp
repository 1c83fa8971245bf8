#include "server/acceptor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "protocol/envelope.h"

namespace karma::server {
namespace {

constexpr std::chrono::milliseconds kPause{100};  // between two tries to accept without descriptors
constexpr std::chrono::seconds kRefusedTime{2};   // for a refused client to read why
constexpr int kMaxAccepts = 64;                   // in a row, before looking at anything else

}  // namespace

Acceptor::Acceptor(std::vector<FileDescriptor> sockets, Service service, EventLog& log)
    : listeners_(std::move(sockets)),
      service_(std::move(service)),
      log_(log),
      bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  KARMA_CHECK(bell_.valid());
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "karma-accept");
    run();
  });
}

Acceptor::~Acceptor() { stop(); }

void Acceptor::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  ::eventfd_write(bell_.get(), 1);
  thread_.join();
  listeners_.clear();
  refused_.clear();
}

void Acceptor::run() {
  std::vector<bool> ready(listeners_.size());
  bool paused = false;
  while (!stopping_) {
    try {
      wait(ready, paused);
      if (stopping_) return;
      paused = false;
      for (std::size_t i = 0; i < listeners_.size(); ++i) {
        if (ready[i] && !accept_from(listeners_[i].get())) paused = true;
      }
      let_go();
    } catch (const std::exception& failure) {
      // No memory: it cost the one connection that was at hand, if any.
      log_.error("server.accept_paused", failure.what());
      std::this_thread::sleep_for(kPause);
    }
  }
}

// Waits for a client, the bell, a refused client that says something, or the moment to look again.
void Acceptor::wait(std::vector<bool>& ready, bool paused) {
  std::vector<pollfd> watched;
  watched.push_back({bell_.get(), POLLIN, 0});
  for (const FileDescriptor& listener : listeners_) watched.push_back({paused ? -1 : listener.get(), POLLIN, 0});
  for (const Refused& client : refused_) watched.push_back({client.socket.get(), POLLIN, 0});
  bool look_again = paused || !refused_.empty();
  int count = ::poll(watched.data(), watched.size(), look_again ? static_cast<int>(kPause.count()) : -1);
  KARMA_CHECK(count >= 0 || errno == EINTR || errno == ENOMEM);
  for (std::size_t i = 0; i < ready.size(); ++i) {
    // After a pause its result is not known: try.
    ready[i] = paused || watched[1 + i].revents != 0;
  }
}

// False: there is no room for another connection right now.
bool Acceptor::accept_from(int listener) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    FileDescriptor socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      accept_one(std::move(socket));
      continue;
    }
    // Anything else concerns the one connection that was to be accepted, which is gone.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (!std::exchange(out_of_descriptors_, true)) {
        log_.error("server.accept_paused", std::strerror(errno));
      }
      return false;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      out_of_descriptors_ = false;  // nobody waits any more
      return true;
    }
  }
  return true;
}

void Acceptor::accept_one(FileDescriptor socket) {
  if (service_.held_connections->load() >= service_.max_connections) {
    std::string why = "Too many connections, the limit is " + std::to_string(service_.max_connections);
    if (!std::exchange(full_logged_, true)) log_.warn("server.too_many_connections", why);
    return refuse(std::move(socket), why);
  }
  full_logged_ = false;
  service_.open_connections->fetch_add(1);
  service_.held_connections->fetch_add(1);
  try {
    service_.hand_over(std::move(socket));
  } catch (...) {
    service_.open_connections->fetch_sub(1);
    service_.held_connections->fetch_sub(1);
    throw;
  }
}

// Closing at once could reset the connection, and the client would not see the line: half-close, and wait a little.
void Acceptor::refuse(FileDescriptor socket, std::string_view why) {
  Buffer line;
  protocol::append_error(line, internal_error(std::string(why)));
  if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) return;
  ::shutdown(socket.get(), SHUT_WR);
  if (refused_.size() >= service_.max_refused) refused_.erase(refused_.begin());
  refused_.push_back({std::move(socket), std::chrono::steady_clock::now() + kRefusedTime});
}

// Forgets refused clients that have closed their side or had their time.
void Acceptor::let_go() {
  TimePoint now = std::chrono::steady_clock::now();
  std::erase_if(refused_, [&](const Refused& client) {
    char discarded[4096];
    ssize_t size = ::recv(client.socket.get(), discarded, sizeof discarded, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR) || now >= client.until;
  });
}

}  // namespace karma::server
