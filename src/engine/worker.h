// A thread with a bounded queue, for work that an I/O thread must not wait for.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

#include "core/mutex.h"

namespace karma::engine {

// Thread-safe. Jobs handle their failures themselves; an exception ends only the job that throws it.
class Worker {
 public:
  static constexpr std::size_t kMaxQueued = 1024;
  // Threads that serve clients go first where processors are few.
  static constexpr int kNice = 10;

  Worker();
  ~Worker();  // stop()

  // False, and nothing is called, if `most` are queued already or the worker is closed. `abandon` is called instead of
  // `job` if that has not begun when the worker is closed; without it the job runs even then.
  bool submit(std::function<void()> job, std::function<void()> abandon = {}, std::size_t most = kMaxQueued);
  // Takes no more, and abandons what has not begun.
  void close();
  // close(), runs what is left, then ends the thread.
  void stop();

 private:
  struct Queued {
    std::function<void()> run;
    std::function<void()> abandon;
  };

  void run();

  Mutex mutex_;
  Condition changed_;
  std::deque<Queued> jobs_ KARMA_GUARDED_BY(mutex_);
  bool closed_ KARMA_GUARDED_BY(mutex_) = false;
  bool stopping_ KARMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace karma::engine
