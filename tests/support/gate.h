// A place where threads wait while a test wants them to, such as in a sync of the disk.
#pragma once

#include <condition_variable>
#include <mutex>

namespace karma::test {

// Open at first.
class Gate {
 public:
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }
  // Those who wait go on; who comes after them waits.
  void let_through() {
    std::lock_guard lock(mutex_);
    ++round_;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this, round = round_] { return !closed_ || round_ != round; });
    --waiting_;
  }
  void wait_for_somebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int waiting_ = 0;
  int round_ = 0;
};

}  // namespace karma::test
