// The signals of a server. They are blocked in every thread and taken one by one where that is convenient, so that no
// handler ever interrupts anything.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace karma::server {

// SIGINT, SIGTERM, SIGUSR1, SIGHUP.
sigset_t server_signals();
// Does this thread block the signals that stop a server, as Server::block_signals() does?
bool stop_signals_blocked();

// While it lives, threads that this thread starts take no signals at all: they stay for the main thread.
class NoSignalsForNewThreads {
 public:
  NoSignalsForNewThreads();
  ~NoSignalsForNewThreads();
  NoSignalsForNewThreads(const NoSignalsForNewThreads&) = delete;
  NoSignalsForNewThreads& operator=(const NoSignalsForNewThreads&) = delete;

 private:
  sigset_t before_;
};

// Calls `stop` on a thread of its own when SIGINT or SIGTERM comes; for the time in which the main thread is busy.
// The signals must be blocked. Needs no descriptor: a server that has none left can still be stopped.
class StopSignalWatch {
 public:
  explicit StopSignalWatch(std::function<void()> stop);
  ~StopSignalWatch();

 private:
  std::thread thread_;
};

}  // namespace karma::server
