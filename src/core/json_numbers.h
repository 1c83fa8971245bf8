// The numbers of an array, kept while a Reader checks it: bulk requests are little else, and reading their numbers once
// more would take as long as all the rest of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/decimal.h"

namespace karma::json {

// Keeps [n, …] and [[n, n, n], …] where each n has at most 19 digits and nothing else. Not thread-safe.
class Numbers {
 public:
  // Longer arrays are not kept.
  explicit Numbers(std::size_t most) : most_(most) {}

  // 0: nothing is kept; 1: [n, …]; 3: [[n, n, n], …].
  std::size_t row() const { return row_; }
  std::span<const std::uint64_t> all() const { return {numbers_.get(), size_}; }
  // Whether white space stands between them.
  bool blanks() const { return blanks_; }

  void clear() { row_ = size_ = 0; }
  // The end of the array that begins at `at`; nullptr, and nothing is kept, if it is another one or no JSON.
  const char* read(const char* at, const char* end);

 private:
  const std::size_t most_;
  std::unique_ptr<std::uint64_t[]> numbers_;  // room for most_, made when it is needed
  std::size_t size_ = 0;
  std::size_t row_ = 0;
  bool blanks_ = false;
};

}  // namespace karma::json
