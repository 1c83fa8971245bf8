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
#include <optional>
#include <string_view>

#include <karma/types.h>

#include "store/fingerprint.h"
#include "store/short_number.h"

namespace karma::store {

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

  // `command`: of the operation that it is the content of.
  Fingerprint fingerprint(std::string_view command) const;
  // Whether both ask for the same.
  bool same(const RequestContent& other, std::string_view command) const {
    if (is_fingerprint_ == other.is_fingerprint_) return bytes_ == other.bytes_;
    return fingerprint(command) == other.fingerprint(command);
  }

 private:
  static constexpr Fingerprint kNone{};

  std::string_view bytes_;
  bool is_fingerprint_ = true;
};

}  // namespace karma::store
