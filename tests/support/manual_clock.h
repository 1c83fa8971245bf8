// A clock that moves only when a test says so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <karma/clock.h>

namespace karma::test {

// Thread-safe.
class ManualClock final : public Clock {
 public:
  static constexpr std::int64_t kNoon = 1'777'982'400;  // 2026-05-05 12:00:00 UTC

  explicit ManualClock(std::int64_t unix_seconds = kNoon) : unix_seconds_(unix_seconds) {}

  std::int64_t unix_seconds() const override { return unix_seconds_; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::seconds(steady_seconds_));
  }

  void advance(std::int64_t seconds) {
    unix_seconds_ += seconds;
    steady_seconds_ += seconds;
  }
  // The wall clock is set, forwards or backwards; durations do not notice.
  void set(std::int64_t unix_seconds) { unix_seconds_ = unix_seconds; }

 private:
  std::atomic<std::int64_t> unix_seconds_;
  std::atomic<std::int64_t> steady_seconds_{1'000'000};
};

}  // namespace karma::test
