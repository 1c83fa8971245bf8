// The signals of a server: SIGINT, SIGTERM, SIGUSR1 and SIGHUP. They are blocked in every thread except one, which
// takes them, so that no handler ever interrupts anything else.
#pragma once

#include <signal.h>

#include <boost/asio/basic_signal_set.hpp>

#include <functional>

#include "server/asio.h"
#include "server/context_thread.h"

namespace karma::server {

sigset_t server_signals();
// Does this thread block the signals that stop a server, as Server::block_signals() does?
bool stop_signals_blocked();

// While it lives, threads that this thread starts take no signals at all.
class NoSignalsForNewThreads {
 public:
  NoSignalsForNewThreads();
  ~NoSignalsForNewThreads();
  NoSignalsForNewThreads(const NoSignalsForNewThreads&) = delete;
  NoSignalsForNewThreads& operator=(const NoSignalsForNewThreads&) = delete;

 private:
  sigset_t before_;
};

// Makes `thread` take the signals and call `handle` for each. A signal needs no descriptor: a server that has none left
// can still be stopped.
class SignalWatch {
 public:
  SignalWatch(ContextThread& thread, std::function<void(int signal)> handle);
  ~SignalWatch();

 private:
  void wait();

  ContextThread& thread_;
  const std::function<void(int)> handle_;
  asio::basic_signal_set<Executor> signals_;
  OperationRoom room_;
};

}  // namespace karma::server
