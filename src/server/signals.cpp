#include "server/signals.h"

#include <pthread.h>

#include <utility>

namespace karma::server {

sigset_t server_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) sigaddset(&set, signal);
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

SignalWatch::SignalWatch(ContextThread& thread, std::function<void(int)> handle)
    : thread_(thread), handle_(std::move(handle)), signals_(thread.context(), SIGINT, SIGTERM, SIGUSR1) {
  signals_.add(SIGHUP);
  thread_.call([this] {
    wait();
    const sigset_t taken = server_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
  });
}

SignalWatch::~SignalWatch() {
  for (bool under_way = true; under_way;) {
    thread_.call([&] {
      const sigset_t taken = server_signals();
      ::pthread_sigmask(SIG_BLOCK, &taken, nullptr);
      error_code ignored;
      signals_.clear(ignored);
      signals_.cancel(ignored);
      under_way = room_.taken();
    });
  }
}

void SignalWatch::wait() {
  signals_.async_wait(room_([this](const error_code& failure, int signal) {
    if (failure) return;
    wait();  // first: what handle_() throws must not be the end of watching
    handle_(signal);
  }));
}

}  // namespace karma::server
