// A thread with a bounded queue, for what an I/O thread must not wait for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace karma::engine {

// Thread-safe.
class Worker {
 public:
  static constexpr std::size_t kMaxQueued = 1024;

  Worker();
  ~Worker();  // stop()

  // False, and not run, if the queue is full or the worker has stopped.
  bool submit(std::function<void()> task);
  // Runs what is queued, then ends the thread.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::thread thread_;
};

}  // namespace karma::engine
