#include "store/request_content.h"

#include "store/varint.h"

namespace karma::store {
bool RequestContent::keep(const CounterChange& change) {
  const std::size_t size = 1 + change.series.size() + varint_bytes(change.key.value) +
                           varint_bytes(change.bucket.number()) + varint_bytes(change.value);
  if (size > kMaxBytes) return false;
  is_fingerprint_ = false;
  size_ = static_cast<std::uint8_t>(size);
  char* to = bytes_.data();
  *to++ = static_cast<char>(change.series.size());
  std::memcpy(to, change.series.data(), change.series.size());
  to += change.series.size();
  put_varint(put_varint(put_varint(to, change.key.value), change.bucket.number()), change.value);
  return true;
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
