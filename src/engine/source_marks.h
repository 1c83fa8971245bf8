// Of which sources a batch holds something. Nobody is forgotten; that somebody is taken for another one, whose mark is
// the same, only makes a reply come later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace karma::engine {

// Not thread-safe.
class SourceMarks {
 public:
  void clear() { ++batch_; }
  void add(const void* source) { marks_[place(source)] = batch_; }
  bool may_hold(const void* source) const { return marks_[place(source)] == batch_; }

 private:
  static constexpr int kBits = 10;

  // Fibonacci hashing: the high bits of the product depend on all bits of the address.
  static std::size_t place(const void* source) {
    return reinterpret_cast<std::uintptr_t>(source) * 0x9e3779b97f4a7c15 >> (64 - kBits);
  }

  std::array<std::uint64_t, 1 << kBits> marks_{};  // of the batch in which the source was last seen
  std::uint64_t batch_ = 1;
};

}  // namespace karma::engine
