// The numbers of an array, kept while a Reader checks it. Bulk requests consist of little else, and reading the numbers
// a second time would take as long as the rest of the request.
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
  // Returns the end of the array that begins at `at`. If it has another form or is not JSON: nullptr, and nothing is
  // kept.
  const char* read(const char* at, const char* end);

 private:
  const std::size_t most_;
  std::unique_ptr<std::uint64_t[]> numbers_;  // room for most_, made when it is needed
  std::size_t size_ = 0;
  std::size_t row_ = 0;
  bool blanks_ = false;
};

}  // namespace karma::json
