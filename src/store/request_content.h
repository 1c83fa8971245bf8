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
#include "store/short_number.h"

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

// A view: what it is of must outlive it.
class RequestContent {
 public:
  // A change is kept as it is if it takes no more.
  static constexpr std::size_t kMaxBytes = 64;

  RequestContent() : RequestContent(kNone) {}
  RequestContent(const Fingerprint& fingerprint)  // NOLINT: one is the other
      : bytes_(reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()) {}
  RequestContent(Fingerprint&&) = delete;

  // What a change is written to.
  using Room = std::array<char, kMaxBytes + kShortNumberRoom>;
  // Writes the change to `room`. Nothing if it takes more than kMaxBytes.
  static std::optional<RequestContent> keep(const CounterChange& change, Room& room);

  // As it is kept: the bytes, and whether they are a fingerprint.
  static RequestContent of_bytes(std::string_view bytes, bool is_fingerprint) {
    RequestContent content;
    content.is_fingerprint_ = is_fingerprint;
    content.bytes_ = bytes;
    return content;
  }
  std::string_view bytes() const { return bytes_; }
  bool is_fingerprint() const { return is_fingerprint_; }

  // `operation`: what it is the content of.
  Fingerprint fingerprint(Operation operation) const;
  // Whether both ask for the same.
  bool same(const RequestContent& other, Operation operation) const {
    if (is_fingerprint_ == other.is_fingerprint_) return bytes_ == other.bytes_;
    return fingerprint(operation) == other.fingerprint(operation);
  }

 private:
  static constexpr Fingerprint kNone{};

  std::string_view bytes_;
  bool is_fingerprint_ = true;
};

}  // namespace karma::store
