// Mutexes that Clang's thread safety analysis understands: KARMA_GUARDED_BY(mutex_) beside a member is not a comment
// but a rule that `scripts/check threads` checks. https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define KARMA_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define KARMA_THREAD_ATTRIBUTE(x)
#endif

#define KARMA_GUARDED_BY(mutex) KARMA_THREAD_ATTRIBUTE(guarded_by(mutex))
#define KARMA_REQUIRES(mutex) KARMA_THREAD_ATTRIBUTE(requires_capability(mutex))
// Called with the mutex held, returns without.
#define KARMA_RELEASES(mutex) KARMA_THREAD_ATTRIBUTE(release_capability(mutex))

namespace karma {

class KARMA_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() KARMA_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  bool try_lock() KARMA_THREAD_ATTRIBUTE(try_acquire_capability(true)) { return mutex_.try_lock(); }
  void unlock() KARMA_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// Holds the mutex as long as it lives, except between unlock() and lock().
class KARMA_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KARMA_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  // Of a mutex that is held already.
  MutexLock(Mutex& mutex, std::adopt_lock_t) KARMA_REQUIRES(mutex) : mutex_(mutex) {}
  ~MutexLock() KARMA_THREAD_ATTRIBUTE(release_capability()) {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() KARMA_THREAD_ATTRIBUTE(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }
  void unlock() KARMA_THREAD_ATTRIBUTE(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// A condition variable. Wait in a loop that tests what is waited for: the analysis does not look into predicates.
class Condition {
 public:
  void wait(Mutex& mutex) KARMA_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False at the deadline.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline) KARMA_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace karma
