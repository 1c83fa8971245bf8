#include "server/signals.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "core/check.h"

namespace karma::server {
namespace {

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

StopSignalWatch::StopSignalWatch(std::function<void()> stop) : end_(::eventfd(0, EFD_CLOEXEC)) {
  sigset_t watched = stop_signals();
  signals_ = FileDescriptor(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  KARMA_CHECK(signals_.valid() && end_.valid());
  thread_ = std::thread([this, stop = std::move(stop)] {
    pollfd watch[] = {{end_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    while (::poll(watch, 2, -1) < 0 || watch[0].revents == 0) {
      signalfd_siginfo signal;
      if (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) stop();
    }
  });
}

StopSignalWatch::~StopSignalWatch() {
  ::eventfd_write(end_.get(), 1);
  thread_.join();
}

}  // namespace karma::server
