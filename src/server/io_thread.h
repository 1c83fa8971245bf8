// One thread of the I/O pool: an io_context, the sessions whose sockets it watches, and the request handler that
// answers them.
//
// A wake-up comes from sockets that are readable, from replies, or from a deadline. Each session handles its input;
// then one round for all follows:
//
//   hand the gathered writes to the writer -> replies that have come -> paused sessions -> hand over what they brought
//        -> replies that were held back for those -> timeouts -> forget the sessions that are over
//
// Public functions are thread-safe; everything else belongs to the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "core/log.h"
#include "server/asio.h"
#include "server/context_thread.h"
#include "server/session.h"

namespace karma::server {

struct IoThreadOptions {
  SessionOptions session;
  std::chrono::milliseconds write_timeout{5000};  // 0: never
  std::chrono::milliseconds linger_timeout = kMaxDiscardTime;
};

class IoThread {
 public:
  // `open_connections` is counted down for each socket that closes. `changed` is called by the thread whenever, while
  // it drains, that has happened. `memory.connections` is counted down when nothing of a connection is left, replies to
  // come included. Starts the thread.
  IoThread(std::string name, IoThreadOptions options, const engine::MakeRequestHandler& make_handler,
           std::atomic<int>& open_connections, engine::ClientMemory& memory, SpinPlaces& spin_places, EventLog& log,
           std::function<void()> changed);
  // Ends the thread; sessions that are left lose their sockets. The handler must expect no more wake-ups.
  ~IoThread();

  // Takes over a connected socket.
  void adopt(Socket socket);
  int sockets() const { return sockets_.load(std::memory_order_relaxed); }
  // Its connections with ids above `after`, so many at most, and how many there are.
  std::future<commands::ClientPage> clients(std::uint64_t after, std::size_t limit);
  // What clients have to show from now on.
  void set_tokens(const engine::AccessTokens& tokens);
  // Answers what has arrived, reads no more, closes connections that are done. No adopt() after it.
  void drain();
  // Lets the thread do something that concerns no session.
  void run_soon(std::function<void()> function);
  // Closes all sockets; their sessions stay until their replies have come.
  void close_all();

 private:
  template <class Function>
  void post(Function function);
  void wake();
  void request_round();
  void round();
  template <class Step>
  bool attempt(Step step);
  void answer();
  void begin(Socket socket);
  void collect_replies();
  void retry_starved();
  void retry(Waiting room);
  void resume_queued();
  void send_held_back();
  void expire();
  void make_room();
  void reap();
  void count_closed();
  void set_timer();
  TimePoint first_deadline() const;
  template <class Function>
  void for_each_session(Function function);

  const IoThreadOptions options_;
  std::atomic<int>& open_connections_;
  engine::ClientMemory& memory_;
  EventLog& log_;
  const std::function<void()> changed_;
  std::atomic<int> sockets_{0};  // taken over and not closed

  // The thread that sets it posts the round.
  std::atomic<bool> round_requested_{false};
  std::atomic<bool> woken_{false};  // there is something to collect
  std::atomic<bool> drain_requested_{false};
  OperationRoom round_room_;

  ContextThread thread_;
  std::unique_ptr<engine::RequestHandler> handler_;
  SessionHost host_;
  Timer timer_;
  TimePoint timer_at_ = TimePoint::max();
  std::size_t counted_sockets_ = 0;        // of open_connections_
  int counted_paused_ = 0;                 // of memory_.paused
  std::optional<TimePoint> make_room_at_;  // reading waits for room
  bool stopping_ = false;
};

}  // namespace karma::server
