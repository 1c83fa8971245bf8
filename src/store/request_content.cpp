#include "store/request_content.h"

#include <algorithm>
#include <iterator>

#include "store/varint.h"

namespace karma::store {
namespace {

constexpr std::string_view kOperations[] = {"",      "increment",   "decrement", "batch_add",         "batch_set",
                                            "reset", "batch_reset", "delete",    "batch_delete_range"};

}  // namespace

std::string_view to_string(Operation operation) { return kOperations[static_cast<std::size_t>(operation)]; }

std::optional<Operation> operation_of(std::string_view command) {
  const auto* found = std::find(std::begin(kOperations) + 1, std::end(kOperations), command);
  if (found == std::end(kOperations)) return std::nullopt;
  return static_cast<Operation>(found - std::begin(kOperations));
}

std::optional<RequestContent> RequestContent::of(const CounterChange& change) {
  const std::size_t size = 1 + change.series.size() + varint_bytes(change.key.value) +
                           varint_bytes(change.bucket.number()) + varint_bytes(change.value);
  if (size > kMaxBytes) return std::nullopt;
  RequestContent content;
  content.is_fingerprint_ = false;
  content.size_ = static_cast<std::uint8_t>(size);
  char* to = content.bytes_.data();
  *to++ = static_cast<char>(change.series.size());
  to = std::copy(change.series.begin(), change.series.end(), to);
  put_varint(put_varint(put_varint(to, change.key.value), change.bucket.number()), change.value);
  return content;
}

// The fields in the order of the ops' describe().
Fingerprint RequestContent::fingerprint(Operation operation) const {
  Fingerprint fingerprint;
  if (is_fingerprint_) {
    std::memcpy(fingerprint.data(), bytes_.data(), fingerprint.size());
    return fingerprint;
  }
  const std::string_view series(bytes_.data() + 1, static_cast<unsigned char>(bytes_[0]));
  std::uint64_t key;
  std::uint64_t bucket;
  std::uint64_t value;
  get_varint(get_varint(get_varint(series.data() + series.size(), key), bucket), value);
  FingerprintBuilder builder(to_string(operation));
  builder.text("series", series);
  builder.number("key", key);
  builder.number("bucket", bucket);
  builder.number("value", value);
  return builder.finish();
}

}  // namespace karma::store
