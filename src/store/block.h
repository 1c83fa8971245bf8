// The memory of counters' days and of pages: blocks of some hundred sizes, each from a pool of its own (slab.h).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "store/slab.h"

namespace karma::store {

// The size of a block that holds at least `bytes`: 8 less than a multiple of 16, and in larger blocks up to a sixteenth
// more, so that growing step by step costs constant time a step.
constexpr std::size_t block_size(std::size_t bytes) {
  std::size_t grain = std::bit_floor(bytes + 8) / 16;
  if (grain < 16) grain = 16;
  std::size_t rounded = (bytes + 8 + grain - 1) / grain * grain - 8;
  return rounded < 24 ? 24 : rounded;
}

// Larger ones, of which a series has few, are malloc's.
inline constexpr std::size_t kLargestPooledBlock = 8184;

// The number of a size that block_size() returns, among those up to kLargestPooledBlock: sixteen from one power of two
// to the next.
constexpr std::size_t block_class(std::size_t size) {
  const std::size_t whole = size + 8;
  if (whole < 256) return whole / 16;
  const int top = std::bit_width(whole) - 1;
  return static_cast<std::size_t>(top - 8) * 16 + (whole >> (top - 4));
}
inline constexpr std::size_t kBlockClasses = block_class(kLargestPooledBlock) + 1;

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kPooled = false;  // AddressSanitizer watches what malloc hands out
#else
inline constexpr bool kPooled = true;
#endif

inline constinit std::array<SlabPool, kBlockClasses> block_pools;

// `size` is one of block_size().
inline std::byte* allocate_block(std::size_t size) {
  void* block = kPooled && size <= kLargestPooledBlock ? block_pools[block_class(size)].take(size) : std::malloc(size);
  if (!block) throw std::bad_alloc();
  return static_cast<std::byte*>(block);
}

inline void free_block(std::byte* block, std::size_t size) {
  if (block == nullptr) return;
  if (kPooled && size <= kLargestPooledBlock) return block_pools[block_class(size)].give_back(block);
  std::free(block);
}

}  // namespace karma::store
