// What a request with an idempotency key asked for: enough to tell a repeat from another request under the same key.
//
// That is its fingerprint, as far as files and clients see. But hashing costs more than anything else about such a
// request, and most of them change one counter by an amount and say so in fewer bytes than a hash has. Those are kept
// as they are, and the fingerprint is worked out when somebody wants to see it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string_view>

#include <karma/types.h>

#include "store/fingerprint.h"

namespace karma::store {

// The commands that honour a key, by their internal names. The numbers are of this process alone.
enum class Operation : std::uint8_t {
  increment = 1,
  decrement,
  batch_add,
  batch_set,
  reset,
  batch_reset,
  delete_range,  // "delete"
  batch_delete_range,
};
inline constexpr std::string_view kOperations[] = {
    "", "increment", "decrement", "batch_add", "batch_set", "reset", "batch_reset", "delete", "batch_delete_range"};
constexpr std::string_view to_string(Operation operation) { return kOperations[static_cast<std::size_t>(operation)]; }
constexpr std::optional<Operation> operation_of(std::string_view command) {
  for (std::size_t i = 1; i < std::size(kOperations); ++i)
    if (kOperations[i] == command) return static_cast<Operation>(i);
  return std::nullopt;
}

// An increment or a decrement.
struct CounterChange {
  std::string_view series;
  Key key;
  Bucket bucket;
  std::uint64_t value = 0;
};

class RequestContent {
 public:
  static constexpr std::size_t kMaxBytes = 64;

  RequestContent() : RequestContent(Fingerprint{}) {}
  RequestContent(const Fingerprint& fingerprint) : size_(fingerprint.size()) {  // NOLINT: one is the other
    std::memcpy(bytes_.data(), fingerprint.data(), fingerprint.size());
  }
  // Takes the change as it is. False, and nothing changed, if it does not fit.
  bool keep(const CounterChange& change);

  // As it is kept: the bytes, and whether they are a fingerprint. Not one that is longer than kMaxBytes.
  static RequestContent of_bytes(std::string_view bytes, bool is_fingerprint) {
    RequestContent content;
    content.is_fingerprint_ = is_fingerprint;
    content.size_ = static_cast<std::uint8_t>(bytes.size());
    std::memcpy(content.bytes_.data(), bytes.data(), bytes.size());
    return content;
  }
  std::string_view bytes() const { return {bytes_.data(), size_}; }
  bool is_fingerprint() const { return is_fingerprint_; }

  // `operation`: what it is the content of.
  Fingerprint fingerprint(Operation operation) const;
  // Whether both ask for the same.
  bool same(const RequestContent& other, Operation operation) const {
    if (is_fingerprint_ == other.is_fingerprint_) return bytes() == other.bytes();
    return fingerprint(operation) == other.fingerprint(operation);
  }

 private:
  bool is_fingerprint_ = true;
  std::uint8_t size_;
  // A change: one byte with the length of the series' name, the name, then key, bucket and value as varints (varint.h).
  std::array<char, kMaxBytes> bytes_;
};

}  // namespace karma::store
