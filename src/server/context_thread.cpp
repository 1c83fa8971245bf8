#include "server/context_thread.h"

#include <pthread.h>

#include <boost/asio/post.hpp>

#include <chrono>
#include <exception>
#include <future>

namespace karma::server {
namespace {

// After a handler that failed, for want of memory mostly.
constexpr std::chrono::milliseconds kRetryPause{10};

}  // namespace

ContextThread::ContextThread(std::string name, EventLog& log, SpinPlaces* spin_places)
    : work_(context_.get_executor()), thread_([this, name = std::move(name), &log, spin_places] {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        Spinner spinner(spin_places, SpinPlaces::Thread::io);
        for (;;) {
          try {
            run(spinner);
            return;
          } catch (const std::exception& failure) {
            log.error("server.io_failed", failure.what());
            std::this_thread::sleep_for(kRetryPause);
          }
        }
      }) {}

ContextThread::~ContextThread() { finish(); }

// While it spins, whoever posts to it need not wake it: Asio sees that the thread is not in a wait that could last.
void ContextThread::run(Spinner& spinner) {
  if (!spinner.spins()) {
    context_.run();
    return;
  }
  for (;;) {
    while (spinner.finds([this] { return context_.poll() != 0; })) {
    }
    if (context_.run_one() == 0) return;
    spinner.woken();
  }
}

void ContextThread::call(const std::function<void()>& function) {
  std::promise<void> done;
  asio::post(context_, [&] {
    function();
    done.set_value();
  });
  done.get_future().wait();
}

void ContextThread::finish() {
  if (!thread_.joinable()) return;
  work_.reset();
  thread_.join();
}

}  // namespace karma::server
