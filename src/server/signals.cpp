#include "server/signals.h"

#include <pthread.h>

#include <utility>

namespace karma::server {
namespace {

// Sent to the thread of a StopSignalWatch only.
constexpr int kEndOfWatch = SIGUSR2;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

sigset_t server_signals() {
  sigset_t set = stop_signals();
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGHUP);
  return set;
}

bool stop_signals_blocked() {
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return sigismember(&blocked, SIGINT) == 1 && sigismember(&blocked, SIGTERM) == 1;
}

NoSignalsForNewThreads::NoSignalsForNewThreads() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
}

NoSignalsForNewThreads::~NoSignalsForNewThreads() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

StopSignalWatch::StopSignalWatch(std::function<void()> stop) {
  NoSignalsForNewThreads guard;  // kEndOfWatch must find it blocked, or it would end the process
  thread_ = std::thread([stop = std::move(stop)] {
    sigset_t watched = stop_signals();
    sigaddset(&watched, kEndOfWatch);
    for (int signal = 0; signal != kEndOfWatch;) {
      if (::sigwait(&watched, &signal) == 0 && signal != kEndOfWatch) stop();
    }
  });
}

StopSignalWatch::~StopSignalWatch() {
  ::pthread_kill(thread_.native_handle(), kEndOfWatch);
  thread_.join();
}

}  // namespace karma::server
