// Sums over the values of a dense block: the inner loop of every range read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace karma::store {

// Calls use(Value()) with the type of values of `width` bytes: 1, 2, 4 or 8.
template <class Use>
auto with_values_of(unsigned width, Use&& use) {
  switch (width) {
    case 1:
      return use(std::uint8_t());
    case 2:
      return use(std::uint16_t());
    case 4:
      return use(std::uint32_t());
    default:
      return use(std::uint64_t());
  }
}

struct DenseSum {
  std::uint64_t total = 0;    // must fit: a counter's total does
  std::uint64_t nonzero = 0;  // how many values are above 0
  friend bool operator==(DenseSum, DenseSum) = default;
};

// Of `count` unsigned little-endian values of `width` bytes (1, 2, 4 or 8). Uses the best code this CPU can run.
DenseSum dense_sum(const std::byte* values, std::size_t count, unsigned width);

struct DensePart {
  const std::byte* values;
  std::size_t count;
};

// dense_sum().total of each part of a block; totals[i] belongs to parts[i].
void dense_totals(std::span<const DensePart> parts, unsigned width, std::span<std::uint64_t> totals);

// The two ways to do it, for tests and benchmarks. The second may be called only where has_avx2().
DenseSum dense_sum_scalar(const std::byte* values, std::size_t count, unsigned width);
DenseSum dense_sum_avx2(const std::byte* values, std::size_t count, unsigned width);
bool has_avx2();

}  // namespace karma::store
