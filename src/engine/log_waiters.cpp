#include "engine/log_waiters.h"

#include <algorithm>
#include <utility>

namespace karma::engine {

LogWaiters::LogWaiters(std::function<Lsn()> position, std::function<void(std::unique_ptr<Job>)> answer)
    : position_(std::move(position)), answer_(std::move(answer)) {}

LogWaiters::~LogWaiters() { close(); }

bool LogWaiters::wait(std::unique_ptr<Job>& job, Lsn after, std::chrono::milliseconds time) {
  if (time.count() <= 0 || position_() > after) return false;
  const MutexLock lock(mutex_);
  if (closed_ || waiting_.size() >= kMaxWaiting) return false;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  waiting_.push_back({nullptr, after, std::chrono::steady_clock::now() + time});
  waiting_.back().job = std::move(job);
  waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
  // The thread looks at the position after this; see notify().
  grown_ = true;
  changed_.notify_one();
  return true;
}

void LogWaiters::wake() {
  const MutexLock lock(mutex_);
  grown_ = true;
  changed_.notify_one();
}

void LogWaiters::run() {
  for (bool closed = false; !closed;) {
    std::vector<std::unique_ptr<Job>> due;
    {
      const MutexLock lock(mutex_);
      while (!grown_ && !closed_) {
        if (waiting_.empty()) {
          changed_.wait(mutex_);
          continue;
        }
        const auto first = std::min_element(waiting_.begin(), waiting_.end(),
                                            [](const Waiting& a, const Waiting& b) { return a.until < b.until; });
        if (!changed_.wait_until(mutex_, first->until)) break;
      }
      grown_ = false;
      closed = closed_;
      std::atomic_thread_fence(std::memory_order_seq_cst);
      due = take_due();
    }
    for (std::unique_ptr<Job>& job : due) answer_(std::move(job));
  }
}

std::vector<std::unique_ptr<Job>> LogWaiters::take_due() {
  const bool closed = closed_;
  const Lsn position = position_();
  const Time now = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Job>> due;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (!closed && position <= waiting.after && now < waiting.until) return false;
    due.push_back(std::move(waiting.job));
    return true;
  });
  waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
  return due;
}

void LogWaiters::close() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    changed_.notify_one();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace karma::engine
