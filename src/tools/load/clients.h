// Many connections on one thread: each keeps its pipeline full and measures from the write of a request to the read of
// its reply.
//
// It has to cost less than any server, so what a request costs here is little: requests lie ready one after the other
// and are sent from where they lie, as many as fit the pipeline at a time; the clock is read once for all replies that
// one read brought; what was sent together and comes back together is counted together.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/connect.h"
#include "tools/load/histogram.h"
#include "tools/load/replies.h"
#include "tools/load/requests.h"

namespace karma::tools::load {

using Time = std::chrono::steady_clock::time_point;

inline Time now() { return std::chrono::steady_clock::now(); }

inline double seconds_since(Time begin) { return std::chrono::duration<double>(now() - begin).count(); }

struct Measured {
  Histogram round_trips;
  std::uint64_t replies = 0;  // requests that were answered
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
};

// Which of the requests are sent, and how often.
struct Plan {
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();  // in a circle, until it is reached
  Time::duration duration = Time::duration::max();                  // or so long, from the first request
  double rate = 0;                                                  // so many a second, or as fast as they are answered
  bool stamped = false;                                             // with idempotency keys
  const std::atomic<bool>* stop = nullptr;                          // or until it is true
  std::vector<std::uint64_t>* values = nullptr;                     // takes the sums of all replies
  std::chrono::seconds patience{60};                                // without any reply while some are due
};

class Clients {
 public:
  Clients(const Address& address, Dialect dialect, std::uint64_t clients, std::uint64_t pipeline)
      : dialect_(dialect), pipeline_(pipeline), epoll_(::epoll_create1(EPOLL_CLOEXEC)), input_(kReadBytes, '\0') {
    for (std::uint64_t i = 0; i < clients; ++i) {
      const int socket = connect_to(address);
      if (socket < 0)
        fail("cannot connect to " + address.host + ":" + std::to_string(address.port) + ": " + std::strerror(errno));
      ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->socket = socket;
      clients_.back()->runs.resize(std::bit_ceil(pipeline));
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.ptr = clients_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
    }
  }
  ~Clients() { ::close(epoll_); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  // Until the plan has no more and everything is answered.
  Measured run(Requests& requests, const Plan& plan) {
    requests_ = &requests;
    plan_ = plan;
    next_ = 0;
    measured_ = {};
    under_way_ = 0;
    taken_ = 0;
    const Time begin = begin_ = now();
    Time heard = begin;
    refill_all();
    epoll_event events[256];
    while (under_way_ != 0 || (plan_.rate > 0 && plan_.count != 0)) {
      const int count = wait(events, 256);
      if (count > 0) heard = now();
      if (under_way_ != 0 && count == 0 && now() - heard >= plan_.patience)
        fail("no reply for " + std::to_string(plan_.patience.count()) + " s");
      if (plan_.rate > 0) refill_all();
      for (int i = 0; i < count; ++i) {
        Client& client = *static_cast<Client*>(events[i].data.ptr);
        if (!client.unsent.empty()) send_rest(client);
        if ((events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0)
          receive(client, (events[i].events & EPOLLRDHUP) != 0);
      }
    }
    measured_.seconds = seconds_since(begin);
    return std::move(measured_);
  }

 private:
  static constexpr std::size_t kReadBytes = 1 << 20;
  // At a rate, requests leave so often: much less often, and each would be a burst that others have to wait for.
  static constexpr long kStepNanoseconds = 100000;
  static constexpr std::size_t kMostPieces = 16;

  // Requests that lie behind each other and were sent at the same time; the first ones are answered already.
  struct Run {
    std::size_t first;
    std::uint64_t count;
    Time sent;
  };
  struct Client {
    Client() = default;
    ~Client() { ::close(socket); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    int socket = -1;
    std::vector<Run> runs;  // a ring, as large as the pipeline
    std::size_t first_run = 0;
    std::size_t run_count = 0;
    std::uint64_t under_way = 0;
    std::string unsent;  // what the socket did not take
    std::string in;      // of a reply that has not come whole
    ReplyReader reader;
    std::uint32_t parts = 0;  // replies that have come for a request that takes several
    bool refused = false;     // one of them was no good
  };

  int wait(epoll_event* events, int size) const {
    const timespec step = {0, kStepNanoseconds};
    const timespec patience = {plan_.patience.count(), 0};
    return ::epoll_pwait2(epoll_, events, size, plan_.rate > 0 ? &step : &patience, nullptr);
  }

  void refill_all() {
    for (const auto& client : clients_) refill(*client, now());
  }

  // The next requests that lie behind each other, at most `limit`.
  Run take(std::uint64_t limit, Time time) {
    if (time - begin_ >= plan_.duration || (plan_.stop != nullptr && plan_.stop->load(std::memory_order_relaxed)))
      plan_.count = 0;
    if (next_ == requests_->size()) next_ = 0;
    if (plan_.rate > 0) {
      const auto due = static_cast<std::uint64_t>(std::chrono::duration<double>(time - begin_).count() * plan_.rate);
      limit = std::min(limit, due - std::min(due, taken_));
    }
    const Run run{next_, std::min({limit, plan_.count, std::uint64_t{requests_->size() - next_}}), time};
    next_ += run.count;
    taken_ += run.count;
    plan_.count -= run.count;
    if (plan_.stamped && run.count != 0) requests_->stamp(run.first, run.count);
    return run;
  }

  void refill(Client& client, Time time) {
    while (client.under_way < pipeline_) {
      iovec pieces[kMostPieces];
      std::size_t count = 0;
      while (count < kMostPieces && client.under_way < pipeline_) {
        const Run run = take(pipeline_ - client.under_way, time);
        if (run.count == 0) break;
        client.runs[(client.first_run + client.run_count++) & (client.runs.size() - 1)] = run;
        client.under_way += run.count;
        under_way_ += run.count;
        const std::string_view bytes = requests_->bytes_of(run.first, run.count);
        pieces[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
      }
      if (count == 0) return;
      send(client, pieces, count);
    }
  }

  void send(Client& client, const iovec* pieces, std::size_t count) {
    std::size_t sent = 0;
    if (client.unsent.empty()) {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces);
      message.msg_iovlen = count;
      const ssize_t size = count == 1 ? ::send(client.socket, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
                                      : ::sendmsg(client.socket, &message, MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) fail("cannot send: " + std::string(std::strerror(errno)));
      if (size > 0) sent = static_cast<std::size_t>(size);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t skip = std::min(sent, pieces[i].iov_len);
      sent -= skip;
      client.unsent.append(static_cast<const char*>(pieces[i].iov_base) + skip, pieces[i].iov_len - skip);
    }
    // A short write may have left room that no event will tell of.
    if (!client.unsent.empty()) send_rest(client);
  }

  void send_rest(Client& client) {
    std::size_t sent = 0;
    while (sent < client.unsent.size()) {
      const ssize_t size =
          ::send(client.socket, client.unsent.data() + sent, client.unsent.size() - sent, MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) fail("cannot send: " + std::string(std::strerror(errno)));
      if (size < 0) break;
      sent += static_cast<std::size_t>(size);
    }
    client.unsent.erase(0, sent);
  }

  // Everything that is there, and the end of it: an event tells of them only once.
  void receive(Client& client, bool ended) {
    while (true) {
      const std::size_t before = client.in.size();
      if (input_.size() < 2 * before) input_.resize(2 * before);
      const ssize_t size = ::recv(client.socket, input_.data() + before, input_.size() - before, 0);
      if (size < 0 && errno == EAGAIN) return;
      if (size < 0) fail("cannot receive: " + std::string(std::strerror(errno)));
      if (size == 0) fail("the server closed a connection; first error: " + measured_.first_error);
      const std::size_t room = input_.size() - before;
      std::memcpy(input_.data(), client.in.data(), before);
      const Time time = now();
      const char* at = input_.data();
      const char* const end = at + before + size;
      take_replies(client, at, end, time);
      client.in.assign(at, end);
      refill(client, time);
      if (static_cast<std::size_t>(size) < room && !ended) return;
    }
  }

  void take_replies(Client& client, const char*& at, const char* end, Time time) {
    ReplyReader::Reply reply;
    std::uint64_t together = 0;  // replies to the first run
    while (at != end && client.reader.next(dialect_, at, end, reply, plan_.values)) {
      if (client.run_count == 0) fail("a reply that nobody asked for");
      Run& run = client.runs[client.first_run];
      Request& request = (*requests_)[run.first];
      if (!reply.good) [[unlikely]] {
        client.refused = true;
        if (measured_.first_error.empty()) measured_.first_error = reply.text;
        reply = {};
      }
      if (++client.parts < request.replies) continue;
      client.parts = 0;
      if (client.refused) [[unlikely]] {
        client.refused = false;
        ++measured_.errors;
      } else {
        ++request.acknowledged;
        measured_.items += request.items;
      }
      ++together;
      ++run.first;
      if (--run.count == 0) {
        count(client, run, together, time);
        together = 0;
        client.first_run = (client.first_run + 1) & (client.runs.size() - 1);
        --client.run_count;
      }
    }
    if (together != 0) count(client, client.runs[client.first_run], together, time);
  }

  void count(Client& client, const Run& run, std::uint64_t replies, Time time) {
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(time - run.sent).count();
    measured_.round_trips.add(static_cast<std::uint64_t>(duration), replies);
    measured_.replies += replies;
    client.under_way -= replies;
    under_way_ -= replies;
  }

  const Dialect dialect_;
  const std::uint64_t pipeline_;
  const int epoll_;
  std::string input_;
  std::vector<std::unique_ptr<Client>> clients_;
  Requests* requests_ = nullptr;
  Plan plan_;
  std::size_t next_ = 0;
  Time begin_;
  std::uint64_t taken_ = 0;
  std::uint64_t under_way_ = 0;
  Measured measured_;
};

// Sends each request once, from one connection; returns the sums in the replies.
inline std::vector<std::uint64_t> send_all(const Address& address, Dialect dialect, Requests& requests,
                                           std::chrono::seconds patience = Plan().patience) {
  std::vector<std::uint64_t> values;
  Plan plan;
  plan.patience = patience;
  plan.count = requests.size();
  plan.values = &values;
  const Measured measured = Clients(address, dialect, 1, 16).run(requests, plan);
  if (measured.errors != 0) fail("refused: " + measured.first_error);
  return values;
}

}  // namespace karma::tools::load
