// The memory of counters' days: plain malloc blocks of sizes that waste nothing of what malloc hands out.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace karma::store {

// The size of a block that holds at least `bytes`: 8 less than a multiple of 16, which is what malloc has on 64-bit
// systems, and in larger blocks up to a sixteenth more, so that growing step by step costs constant time a step.
constexpr std::size_t block_size(std::size_t bytes) {
  std::size_t grain = std::bit_floor(bytes + 8) / 16;
  if (grain < 16) grain = 16;
  std::size_t rounded = (bytes + 8 + grain - 1) / grain * grain - 8;
  return rounded < 24 ? 24 : rounded;
}

inline std::byte* allocate_block(std::size_t bytes, bool zeroed) {
  void* block = zeroed ? std::calloc(1, bytes) : std::malloc(bytes);
  if (!block) throw std::bad_alloc();
  return static_cast<std::byte*>(block);
}

inline std::byte* resize_block(std::byte* block, std::size_t bytes) {
  void* resized = std::realloc(block, bytes);
  if (!resized) throw std::bad_alloc();
  return static_cast<std::byte*>(resized);
}

}  // namespace karma::store
