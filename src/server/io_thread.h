// One thread of the I/O pool: a poller, the sessions it watches, and the request handler that answers them.
//
//   wait -> sockets that have something -> connections handed over, replies that have come -> paused sessions
//        -> hand the gathered writes to the writer, once -> timeouts -> forget the sessions that are over
//
// Public functions are thread-safe; everything else belongs to the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/log.h"
#include "server/session.h"

namespace karma::server {

struct IoThreadOptions {
  SessionOptions session;
  std::chrono::milliseconds write_timeout{5000};  // 0: never
  std::chrono::milliseconds goodbye_timeout = kMaxDiscardTime;
};

class IoThread {
 public:
  // `open_connections` is counted down for each socket that closes. `changed` is called by the thread whenever, while
  // it drains, that has happened. `memory.connections` is counted down when nothing of a connection is left, replies to
  // come included. Starts the thread.
  IoThread(std::string name, IoThreadOptions options, const engine::MakeRequestHandler& make_handler,
           std::atomic<int>& open_connections, engine::ClientMemory& memory, EventLog& log,
           std::function<void()> changed);
  // Ends the thread; sessions that are left lose their sockets. The handler must expect no more wake-ups.
  ~IoThread();

  // Takes over a connected, non-blocking socket.
  void adopt(FileDescriptor socket);
  // Answers what has arrived, reads no more, closes what is done with. No adopt() after it.
  void drain();
  // Closes all sockets; their sessions stay until their replies have come.
  void close_all();

 private:
  struct Orders {
    std::vector<FileDescriptor> adopt;
    bool drain = false;
    bool close_all = false;
    bool stop = false;
  };

  void order(const std::function<void(Orders&)>& change);
  void run();
  void finish_round();
  void obey();
  void begin(FileDescriptor socket);
  void resume_queued();
  void let_starved_try();
  void expire();
  void make_room();
  void reap();
  void count_closed();
  int timeout_ms() const;
  template <class Act>
  void for_each_session(Act act);
  template <class Step>
  void guarded(Session& session, Step step);

  const IoThreadOptions options_;
  std::atomic<int>& open_connections_;
  engine::ClientMemory& memory_;
  EventLog& log_;
  const std::function<void()> changed_;

  std::mutex orders_mutex_;
  Orders orders_;  // guarded by orders_mutex_
  Orders todo_;    // taken, not yet carried out

  Poller poller_;
  std::unique_ptr<engine::RequestHandler> handler_;
  SessionHost host_;
  std::size_t counted_sockets_ = 0;      // of open_connections_
  int counted_paused_ = 0;               // of memory_.paused
  std::optional<TimePoint> full_since_;  // reading waits for room
  bool draining_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace karma::server
