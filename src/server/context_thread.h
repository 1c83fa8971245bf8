// An io_context and the thread that runs it.
#pragma once

#include <boost/asio/executor_work_guard.hpp>

#include <functional>
#include <string>
#include <thread>

#include "core/log.h"
#include "core/spin.h"
#include "server/asio.h"

namespace karma::server {

class ContextThread {
 public:
  // Starts the thread. An exception of a handler is logged, and the others go on. `spin_places`: nullptr for a thread
  // that sleeps as soon as it has nothing to do.
  ContextThread(std::string name, EventLog& log, SpinPlaces* spin_places = nullptr);
  ~ContextThread();

  asio::io_context& context() { return context_; }
  // Lets the thread do something, and waits for it. Not to be called by the thread itself.
  void call(const std::function<void()>& function);
  // Waits until nothing is under way or posted any more, then ends the thread.
  void finish();

 private:
  void run(Spinner& spinner);

  asio::io_context context_{1};  // one thread runs it; others may post
  asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

}  // namespace karma::server
