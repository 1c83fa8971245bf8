// How long requests took, by op, as one I/O thread counts it. The clock is read once for the requests that a wake-up
// brings, once when those of them that can be are answered, and once when answers of others have come.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <karma/clock.h>

#include "commands/op.h"
#include "core/histogram.h"

namespace karma::engine {

// Belongs to the thread; any may add_to().
class alignas(64) RequestTimes {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RequestTimes(const Clock& clock);

  // When the wake-up at hand began: that is when its first request asks for it.
  Time wake_up() {
    if (wake_up_ == Time()) wake_up_ = clock_.steady();
    return wake_up_;
  }
  // At once, in this wake-up.
  void answered(const commands::Op& op) {
    if (answered_[index_of(op)]++ == 0) ops_.push_back(index_of(op));
  }
  void end_wake_up();
  // In a later one, which began at `now`.
  void answered(const commands::Op& op, Time arrived, Time now) { durations_[index_of(op)].add(now - arrived); }

  // By op, in the order of the catalog.
  void add_to(std::vector<HistogramFigures>& figures) const;

 private:
  std::size_t index_of(const commands::Op& op) const { return static_cast<std::size_t>(&op - first_op_); }

  static constexpr std::size_t kMaxOps = 128;

  const Clock& clock_;
  const commands::Op* const first_op_;
  Time wake_up_{};
  std::vector<std::size_t> ops_;                   // that were answered in this wake-up
  std::array<std::uint32_t, kMaxOps> answered_{};  // how often
  std::array<DurationHistogram, kMaxOps> durations_;
};

}  // namespace karma::engine
