// The last requests that took long, for those who look for the reason.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"

namespace karma::ops {

struct SlowRequest {
  using Duration = std::chrono::steady_clock::duration;

  std::uint64_t number = 0;  // counts from 1; set by note()
  std::int64_t unix_seconds = 0;
  std::string_view op = {};  // of the catalog
  std::string series = {};   // empty: none, or several
  std::string client = {};   // its address
  std::uint64_t request_bytes = 0;
  std::uint64_t reply_bytes = 0;
  // More than 1: nobody knows which of these took so long, of which this was the last.
  std::uint64_t requests = 1;
  Duration total{};
  // Parts of it, as far as they are known.
  std::optional<Duration> queued = {};    // before a worker began
  std::optional<Duration> executed = {};  // by the worker or the I/O thread
  std::optional<Duration> log = {};       // from the hand-over to the writer until it was logged, applied and confirmed
};

// Thread-safe.
class SlowLog {
 public:
  static constexpr std::size_t kCapacity = 128;

  // 0: nothing is slow.
  explicit SlowLog(std::chrono::milliseconds limit) : limit_(limit) {}

  std::chrono::milliseconds limit() const { return limit_; }
  bool is_on() const { return limit_.count() > 0; }
  bool is_slow(SlowRequest::Duration total) const { return is_on() && total >= limit_; }

  void note(SlowRequest request) {
    const MutexLock lock(mutex_);
    request.number = ++count_;
    if (kept_.size() == kCapacity) kept_.pop_front();
    kept_.push_back(std::move(request));
  }
  // So many more were slow, of which nothing else is kept.
  void add_unnoted(std::uint64_t requests) {
    const MutexLock lock(mutex_);
    count_ += requests;
  }
  // The latest first.
  std::vector<SlowRequest> latest(std::size_t most) const {
    const MutexLock lock(mutex_);
    most = std::min(most, kept_.size());
    return {kept_.rbegin(), kept_.rbegin() + static_cast<std::ptrdiff_t>(most)};
  }
  std::uint64_t count() const {  // since the start
    const MutexLock lock(mutex_);
    return count_;
  }
  std::size_t clear() {  // how many there were
    const MutexLock lock(mutex_);
    const std::size_t size = kept_.size();
    kept_.clear();
    return size;
  }

 private:
  const std::chrono::milliseconds limit_;
  mutable Mutex mutex_;
  std::uint64_t count_ KARMA_GUARDED_BY(mutex_) = 0;
  std::deque<SlowRequest> kept_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::ops
