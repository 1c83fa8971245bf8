// A change:
//
//   1   length of the series' name
//   2   how many bytes key, bucket and value take, four bits each
//   …   name, key, bucket, value
#include "store/request_content.h"

namespace karma::store {
namespace {

constexpr std::size_t kHeaderBytes = 1 + 2;

}  // namespace

std::optional<RequestContent> RequestContent::keep(const CounterChange& change, Room& room) {
  const unsigned key = short_number_bytes(change.key.value);
  const unsigned bucket = short_number_bytes(change.bucket.number());
  const unsigned value = short_number_bytes(change.value);
  const std::size_t size = kHeaderBytes + change.series.size() + key + bucket + value;
  if (size > kMaxBytes) return std::nullopt;
  const auto lengths = static_cast<std::uint16_t>(key | bucket << 4 | value << 8);
  room[0] = static_cast<char>(change.series.size());
  std::memcpy(room.data() + 1, &lengths, sizeof(lengths));
  char* to = room.data() + kHeaderBytes;
  std::memcpy(to, change.series.data(), change.series.size());
  to = put_short_number(to + change.series.size(), change.key.value, key);
  put_short_number(put_short_number(to, change.bucket.number(), bucket), change.value, value);
  return of_bytes({room.data(), size}, false);
}

// The fields in the order of the ops' describe().
Fingerprint RequestContent::fingerprint(std::string_view command) const {
  if (is_fingerprint_) {
    Fingerprint fingerprint;
    std::memcpy(fingerprint.data(), bytes_.data(), fingerprint.size());
    return fingerprint;
  }
  std::uint16_t lengths;
  std::memcpy(&lengths, bytes_.data() + 1, sizeof(lengths));
  const std::string_view series(bytes_.data() + kHeaderBytes, static_cast<unsigned char>(bytes_[0]));
  std::uint64_t key;
  std::uint64_t bucket;
  std::uint64_t value;
  const char* from = series.data() + series.size();
  from = get_short_number(from, lengths & 0xFu, key);
  from = get_short_number(from, lengths >> 4 & 0xFu, bucket);
  get_short_number(from, lengths >> 8 & 0xFu, value);
  FingerprintBuilder builder(command);
  builder.text("series", series);
  builder.number("key", key);
  builder.number("bucket", bucket);
  builder.number("value", value);
  return builder.finish();
}

}  // namespace karma::store
