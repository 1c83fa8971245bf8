// Questions for entries that are not there yet: a slave that has caught up asks for what comes next, a client for what
// it has written elsewhere. Each is answered when it comes, or when its time is up. A thread of its own, begun by the
// first of them; nobody else waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <karma/types.h>

#include "core/mutex.h"
#include "engine/mutation.h"

namespace karma::engine {

class LogWaiters {
 public:
  // More are answered at once.
  static constexpr std::size_t kMaxWaiting = 256;

  // `position`: up to where the log reaches; `answer` gets what has waited. Both are called by any thread.
  LogWaiters(std::function<Lsn()> position, std::function<void(std::unique_ptr<Job>)> answer);
  ~LogWaiters();  // close()

  // Until the log reaches beyond `after`. False, and the job stays, if it is not to wait.
  bool wait(std::unique_ptr<Job>& job, Lsn after, std::chrono::milliseconds time);
  // The log has grown. For the writer: costs next to nothing while nobody waits.
  void notify() {
    // Pairs with the one in wait(): either the writer sees who waits, or that one sees how far the log reaches.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting_count_.load(std::memory_order_relaxed) != 0) wake();
  }
  // Answers all that wait, and ends the thread. Later ones do not wait.
  void close();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Waiting {
    std::unique_ptr<Job> job;
    Lsn after;
    Time until;
  };

  void wake();
  void run();
  std::vector<std::unique_ptr<Job>> take_due() KARMA_REQUIRES(mutex_);

  const std::function<Lsn()> position_;
  const std::function<void(std::unique_ptr<Job>)> answer_;
  std::atomic<std::size_t> waiting_count_{0};
  Mutex mutex_;
  Condition changed_;
  std::vector<Waiting> waiting_ KARMA_GUARDED_BY(mutex_);
  bool grown_ KARMA_GUARDED_BY(mutex_) = false;
  bool closed_ KARMA_GUARDED_BY(mutex_) = false;
  std::thread thread_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::engine
