// How often which values came, in buckets with fixed bounds, for Prometheus.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tally.h"

namespace karma {

// Upper bounds, which belong to their buckets; each is at least twice the one before. Nanoseconds.
inline constexpr std::array<std::uint64_t, 19> kDurationBounds{
    10'000,      20'000,        50'000,        100'000,       200'000,       500'000,     1'000'000,
    2'000'000,   5'000'000,     10'000'000,    20'000'000,    50'000'000,    100'000'000, 200'000'000,
    500'000'000, 1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000};
inline constexpr std::array<std::uint64_t, 13> kSizeBounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

// Histograms added up, to be read.
struct HistogramFigures {
  std::span<const std::uint64_t> bounds;
  std::vector<std::uint64_t> counts;  // one more than bounds: what is above the last one
  std::uint64_t sum = 0;

  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t in_bucket : counts) all += in_bucket;
    return all;
  }
};

// One thread at a time adds, any may read. A value costs a table look-up, a comparison or two, and two additions.
template <const auto& kBounds>
class Histogram {
 public:
  void add(std::uint64_t value, std::uint64_t times = 1) {
    std::size_t bucket = kFirst[static_cast<std::size_t>(std::bit_width(value))];
    while (bucket < kBounds.size() && value > kBounds[bucket]) ++bucket;
    counts_[bucket].add(times);
    sum_.add(value * times);
  }
  void add(std::chrono::steady_clock::duration duration, std::uint64_t times = 1) {
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
    add(static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0)), times);
  }

  void add_to(HistogramFigures& figures) const {
    figures.bounds = kBounds;
    figures.counts.resize(counts_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) figures.counts[i] += counts_[i].get();
    figures.sum += sum_.get();
  }

 private:
  // By the number of bits of a value, the first bucket that it may be in.
  static constexpr std::array<std::uint8_t, 65> kFirst = [] {
    std::array<std::uint8_t, 65> first{};
    for (std::size_t bits = 1; bits < first.size(); ++bits) {
      const std::uint64_t smallest = std::uint64_t{1} << (bits - 1);
      first[bits] =
          static_cast<std::uint8_t>(std::ranges::count_if(kBounds, [=](auto bound) { return bound < smallest; }));
    }
    return first;
  }();

  std::array<Tally, kBounds.size() + 1> counts_;
  Tally sum_;
};

using DurationHistogram = Histogram<kDurationBounds>;
using SizeHistogram = Histogram<kSizeBounds>;

}  // namespace karma
