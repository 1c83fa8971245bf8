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

ContextThread::ContextThread(std::string name, EventLog& log)
    : work_(context_.get_executor()), thread_([this, name = std::move(name), &log] {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        for (;;) {
          try {
            context_.run();
            return;
          } catch (const std::exception& failure) {
            log.error("server.io_failed", failure.what());
            std::this_thread::sleep_for(kRetryPause);
          }
        }
      }) {}

ContextThread::~ContextThread() { finish(); }

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
