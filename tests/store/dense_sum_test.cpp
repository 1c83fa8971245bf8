#include "store/dense_sum.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace karma::store {
namespace {

struct Block {
  std::vector<std::byte> bytes;
  DenseSum expected;
};

// `count` values at an odd address in a buffer that ends with them, so that reading past the end is noticed.
Block make_block(std::mt19937_64& random, std::size_t count, unsigned width, bool largest) {
  Block block{std::vector<std::byte>(count * width), {}};
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t value = largest ? ~std::uint64_t{0} : random() % 3 == 0 ? 0 : random();
    // The sum must fit: a counter's total does.
    value = width == 8 ? value >> 12 : value & ((std::uint64_t{1} << (8 * width)) - 1);
    std::memcpy(block.bytes.data() + i * width, &value, width);
    block.expected.total += value;
    block.expected.nonzero += value != 0;
  }
  return block;
}

using Sum = DenseSum (*)(const std::byte*, std::size_t, unsigned);

void check_all(Sum sum) {
  std::mt19937_64 random(7);
  for (unsigned width : {1u, 2u, 4u, 8u}) {
    for (std::size_t count = 0; count < 200; ++count) {
      for (bool largest : {false, true}) {
        Block block = make_block(random, count, width, largest);
        ASSERT_EQ(sum(block.bytes.data(), count, width), block.expected) << width << " " << count;
      }
    }
  }
  Block block = make_block(random, 300000, 2, true);
  EXPECT_EQ(sum(block.bytes.data(), 300000, 2), block.expected);
}

TEST(DenseSum, IsRightForEveryWidthAndLength) { check_all(dense_sum); }

TEST(DenseSum, ScalarCodeIsRight) { check_all(dense_sum_scalar); }

TEST(DenseSum, VectorCodeIsRight) { check_all(has_avx2() ? dense_sum_avx2 : dense_sum); }

TEST(DenseSum, PartsOfABlockAreSummedAtOnce) {
  std::mt19937_64 random(11);
  for (unsigned width : {1u, 2u, 4u, 8u}) {
    const Block block = make_block(random, 150, width, false);
    std::vector<DensePart> parts;
    std::vector<std::uint64_t> expected;
    for (std::size_t from = 0; from <= 150; from += 1 + random() % 7) {
      const std::size_t count = random() % (151 - from);
      parts.push_back({block.bytes.data() + from * width, count});
      expected.push_back(dense_sum_scalar(parts.back().values, count, width).total);
    }
    std::vector<std::uint64_t> found(parts.size());
    dense_totals(parts, width, found);
    EXPECT_EQ(found, expected) << width;
  }
}

TEST(DenseSum, LooksAtNothingOutside) {
  std::vector<std::byte> bytes(4 + 100 + 40, std::byte{0xFF});
  for (std::size_t count = 0; count <= 100; ++count) {
    std::fill(bytes.begin() + 4, bytes.begin() + 4 + static_cast<std::ptrdiff_t>(count), std::byte{2});
    EXPECT_EQ(dense_sum(bytes.data() + 4, count, 1), (DenseSum{2 * count, count}));
  }
}

}  // namespace
}  // namespace karma::store
