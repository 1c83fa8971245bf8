#include "store/slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "store/block.h"

namespace karma::store {
namespace {

constexpr std::size_t kPieces = 20000;

std::vector<std::byte*> take(SlabPool& pool, std::size_t bytes, std::size_t count = kPieces) {
  std::vector<std::byte*> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    pieces.push_back(static_cast<std::byte*>(pool.take(bytes)));
    std::memset(pieces.back(), static_cast<int>(i % 251), bytes);
  }
  return pieces;
}

TEST(SlabPool, PiecesDoNotOverlap) {
  for (const std::size_t bytes : {std::size_t{24}, std::size_t{40}, std::size_t{4160}}) {
    SlabPool pool;
    const std::vector<std::byte*> pieces = take(pool, bytes, 5000);
    for (std::size_t i = 0; i < pieces.size(); ++i)
      for (const std::size_t at : {std::size_t{0}, bytes - 1})
        ASSERT_EQ(pieces[i][at], static_cast<std::byte>(i % 251)) << bytes << ", piece " << i;
    for (std::byte* piece : pieces) pool.give_back(piece);
  }
}

TEST(SlabPool, PiecesAreAlignedAsTheirSizeIs) {
  SlabPool pool;
  for (std::byte* piece : take(pool, 4160, 100)) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % 64, 0u);
    pool.give_back(piece);
  }
}

TEST(SlabPool, WhatWasGivenBackIsTakenAgain) {
  SlabPool pool;
  std::vector<std::byte*> pieces = take(pool, 24);
  const std::size_t slabs = pool.slab_count();
  EXPECT_GT(slabs, 1u);
  EXPECT_LE(slabs, kPieces * 24 / SlabPool::kSlabBytes + 2);
  std::shuffle(pieces.begin(), pieces.end(), std::mt19937(7));
  for (std::size_t i = 0; i < kPieces / 2; ++i) pool.give_back(pieces[i]);
  std::set<std::byte*> given_back(pieces.begin(), pieces.begin() + kPieces / 2);
  for (std::size_t i = 0; i < kPieces / 2; ++i) {
    pieces[i] = static_cast<std::byte*>(pool.take(24));
    ASSERT_EQ(given_back.erase(pieces[i]), 1u);
  }
  EXPECT_EQ(pool.slab_count(), slabs);
  for (std::byte* piece : pieces) pool.give_back(piece);
}

TEST(SlabPool, EmptySlabsGoExceptTheLast) {
  SlabPool pool;
  std::vector<std::byte*> pieces = take(pool, 24);
  std::shuffle(pieces.begin(), pieces.end(), std::mt19937(8));
  for (std::byte* piece : pieces) pool.give_back(piece);
  EXPECT_EQ(pool.slab_count(), 1u);
  SlabPool other;  // takes what the first one gave back, for pieces of another size
  for (std::byte* piece : take(other, 4160, 200)) other.give_back(piece);
  EXPECT_EQ(other.slab_count(), 1u);
}

// More than stay at hand empty: their memory goes back to the system, and comes again as zeros or whatever it was.
TEST(SlabPool, ManySlabsGoAndComeAgain) {
  SlabPool pool;
  for (int round = 0; round < 3; ++round) {
    const std::vector<std::byte*> pieces = take(pool, 8184, 3000);
    EXPECT_GT(pool.slab_count(), 150u);
    for (std::size_t i = 0; i < pieces.size(); ++i) ASSERT_EQ(pieces[i][8183], static_cast<std::byte>(i % 251));
    for (std::byte* piece : pieces) pool.give_back(piece);
    EXPECT_EQ(pool.slab_count(), 1u);
  }
}

TEST(SlabPool, OneThreadTakesWhatAnotherGivesBack) {
  SlabPool pool;
  std::vector<std::byte*> first = take(pool, 56);
  std::thread other([&] {
    for (std::byte* piece : first) pool.give_back(piece);
  });
  std::vector<std::byte*> second = take(pool, 56);
  other.join();
  for (std::size_t i = 0; i < second.size(); ++i) ASSERT_EQ(second[i][55], static_cast<std::byte>(i % 251));
  for (std::byte* piece : second) pool.give_back(piece);
  EXPECT_EQ(pool.slab_count(), 1u);
}

TEST(Block, EachSizeHasItsOwnClass) {
  std::set<std::size_t> classes;
  std::set<std::size_t> sizes;
  for (std::size_t bytes = 1; bytes <= kLargestPooledBlock; ++bytes) {
    const std::size_t size = block_size(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_LE(size, kLargestPooledBlock);
    ASSERT_LT(block_class(size), kBlockClasses);
    sizes.insert(size);
    classes.insert(block_class(size));
  }
  EXPECT_EQ(classes.size(), sizes.size());
}

}  // namespace
}  // namespace karma::store
