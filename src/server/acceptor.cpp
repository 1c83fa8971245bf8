#include "server/acceptor.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/envelope.h"
#include "server/peer_address.h"

namespace karma::server {
namespace {

constexpr std::chrono::milliseconds kPause{100};  // between two tries to accept without descriptors
constexpr std::chrono::seconds kRefusedTime{2};   // for a refused client to read why
constexpr int kMaxAccepts = 64;                   // in a row, before anything else gets its turn

bool is_shortage(const error_code& failure) {
  return failure == asio::error::no_descriptors || failure == boost::system::errc::too_many_files_open_in_system ||
         failure == asio::error::no_buffer_space || failure == asio::error::no_memory;
}

}  // namespace

struct Acceptor::Refused {
  explicit Refused(Socket socket_) : socket(std::move(socket_)), deadline(socket.get_executor()) {}
  void close() {
    error_code ignored;
    socket.close(ignored);
    deadline.cancel();
  }

  Socket socket;
  Timer deadline;
  char discarded[4096];
};

Acceptor::Acceptor(std::vector<ListenSocket> sockets, Service service, ContextThread& thread, EventLog& log)
    : service_(std::move(service)), thread_(thread), log_(log) {
  for (ListenSocket& socket : sockets) listeners_.emplace_back(std::move(socket));
  thread_.call([this] {
    for (Listener& listener : listeners_) wait(listener);
  });
}

Acceptor::~Acceptor() { stop(); }

void Acceptor::stop() {
  bool under_way = !listeners_.empty();
  while (under_way) {
    thread_.call([&] {
      for (Listener& listener : listeners_) {
        error_code ignored;
        listener.socket.close(ignored);
        listener.timer.cancel();
      }
      for (const auto& client : std::exchange(refused_, {})) {
        if (auto refused = client.lock()) refused->close();
      }
      under_way = std::ranges::any_of(listeners_, [](const Listener& listener) { return listener.room.taken(); });
    });
  }
  listeners_.clear();
}

void Acceptor::wait(Listener& listener) {
  listener.socket.async_wait(ListenSocket::wait_read, listener.room([this, &listener](const error_code& failure) {
    if (!failure) accept_from(listener);
  }));
}

void Acceptor::pause(Listener& listener) {
  listener.timer.expires_after(kPause);
  listener.timer.async_wait(listener.room([this, &listener](const error_code& failure) {
    if (!failure) accept_from(listener);
  }));
}

void Acceptor::accept_from(Listener& listener) {
  try {
    if (accept_some(listener)) return wait(listener);
  } catch (const std::exception& failure) {
    // No memory: only the connection at hand, if any, is lost.
    log_.error("server.accept_paused", failure.what());
  }
  pause(listener);
}

// False: there is no room for another connection right now.
bool Acceptor::accept_some(Listener& listener) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    error_code failure;
    Socket socket = listener.socket.accept(failure);
    if (!failure) {
      ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
      accept_one(std::move(socket));
    } else if (is_shortage(failure)) {
      if (!std::exchange(out_of_descriptors_, true)) log_.error("server.accept_paused", failure.message());
      return false;
    } else if (failure == asio::error::would_block) {
      out_of_descriptors_ = false;  // nobody waits any more
      return true;
    }
    // Any other failure concerns only the connection that was to be accepted, which is gone.
  }
  return true;
}

void Acceptor::accept_one(Socket socket) {
  if (service_.held_connections->load() >= service_.max_connections) {
    std::string why = "Too many connections, the limit is " + std::to_string(service_.max_connections);
    if (!std::exchange(full_logged_, true)) log_.warn("server.too_many_connections", why);
    return refuse(std::move(socket), why);
  }
  full_logged_ = false;
  if (log_.tells(LogLevel::debug)) log_.debug("client.connected", peer_address(socket));
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
void Acceptor::refuse(Socket socket, std::string_view why) {
  error_code failure;
  Buffer line;
  protocol::append_error(line, internal_error(std::string(why)));
  socket.non_blocking(true, failure);
  socket.write_some(asio::buffer(line.view()), failure);
  if (failure) return;
  socket.shutdown(Socket::shutdown_send, failure);

  refused_.remove_if([](const auto& client) { return client.expired(); });
  if (refused_.size() >= service_.max_refused) {
    if (auto oldest = refused_.front().lock()) oldest->close();
    refused_.pop_front();
  }
  const auto client = std::make_shared<Refused>(std::move(socket));
  refused_.push_back(client);
  client->deadline.expires_after(kRefusedTime);
  client->deadline.async_wait([client](const error_code& cancelled) {
    if (!cancelled) client->close();
  });
  discard(client);
}

// Until the client closes its side.
void Acceptor::discard(const std::shared_ptr<Refused>& client) {
  client->socket.async_read_some(asio::buffer(client->discarded), [client](const error_code& failure, std::size_t) {
    if (failure) return client->close();
    discard(client);
  });
}

}  // namespace karma::server
