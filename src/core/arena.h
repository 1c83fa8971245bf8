// Memory for many small things that die together. Blocks are kept for the next round, so a busy arena never allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace karma {

// Not thread-safe. What lives in it is never destroyed, so only trivially destructible types fit.
class Arena {
 public:
  static constexpr std::size_t kBlockBytes = 16 * 1024;
  static constexpr std::size_t kKeptBytes = 256 * 1024;  // reset() frees memory beyond this

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Inlined: most sizes are constants, and then this takes a few instructions.
  [[gnu::always_inline]] void* allocate(std::size_t bytes, std::size_t alignment) {
    const std::size_t gap = -reinterpret_cast<std::uintptr_t>(at_) & (alignment - 1);
    if (gap + bytes > static_cast<std::size_t>(end_ - at_)) return allocate_in_next_block(bytes, alignment);
    char* const allocated = at_ + gap;
    at_ = allocated + bytes;
    return allocated;
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  template <class T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_copyable_v<T>);
    return {static_cast<T*>(allocate(count * sizeof(T), alignof(T))), count};
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* bytes = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(bytes, text.data(), text.size());
    return {bytes, text.size()};
  }

  // Invalidates everything allocated so far.
  void reset() {
    std::size_t kept = 0;
    std::size_t count = 0;
    while (count < blocks_.size() && kept + blocks_[count].size <= kKeptBytes) kept += blocks_[count++].size;
    blocks_.resize(count);
    enter(0);
  }

  // Memory held, in bytes.
  std::size_t footprint() const {
    std::size_t bytes = 0;
    for (const Block& block : blocks_) bytes += block.size;
    return bytes;
  }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size = 0;
  };

  void* allocate_in_next_block(std::size_t bytes, std::size_t alignment) {
    const std::size_t room = bytes + alignment;
    std::size_t next = at_ == nullptr ? 0 : current_ + 1;
    while (next < blocks_.size() && blocks_[next].size < room) ++next;
    if (next == blocks_.size()) {
      const std::size_t size = room < kBlockBytes ? kBlockBytes : room;
      blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    }
    enter(next);
    return allocate(bytes, alignment);  // fits now
  }
  void enter(std::size_t block) {
    current_ = block;
    at_ = block < blocks_.size() ? blocks_[block].data.get() : nullptr;
    end_ = block < blocks_.size() ? at_ + blocks_[block].size : nullptr;
  }

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  // the block that is being filled
  char* at_ = nullptr;       // what is free of it
  char* end_ = nullptr;
};

}  // namespace karma
