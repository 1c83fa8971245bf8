// Durations, counted in buckets that are at most 1.6 % wide, so that percentiles cost no memory per request.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace karma::tools::load {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds, std::uint64_t times = 1) {
    counts_[slot_of(nanoseconds)] += times;
    count_ += times;
    largest_ = std::max(largest_, nanoseconds);
  }

  void add(const Histogram& other) {
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) counts_[slot] += other.counts_[slot];
    count_ += other.count_;
    largest_ = std::max(largest_, other.largest_);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t largest() const { return largest_; }

  // The duration that a share (0 to 1) of all stays at or below; never less than what was measured.
  std::uint64_t at(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen > wanted) return std::min(end_of(slot), largest_);
    }
    return largest_;
  }

 private:
  // Below 2 * kSteps a slot is one nanosecond wide; above, every power of two has kSteps slots.
  static constexpr std::uint64_t kSteps = 64;
  static constexpr int kStepBits = std::countr_zero(kSteps);
  static constexpr std::size_t kSlots = (64 - kStepBits + 1) * kSteps;

  static std::size_t slot_of(std::uint64_t value) {
    if (value < 2 * kSteps) return value;
    const int shift = std::bit_width(value) - 1 - kStepBits;
    return static_cast<std::size_t>(shift) * kSteps + (value >> shift);
  }
  static std::uint64_t end_of(std::size_t slot) {
    if (slot < 2 * kSteps) return slot;
    const std::size_t shift = slot / kSteps - 1;
    return ((slot - shift * kSteps + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kSlots> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace karma::tools::load
