// A change:
//
//   1   length of the series' name
//   2   how many bytes key, bucket and value take, four bits each
//   …   name, key, bucket, value
#include "store/request_content.h"

#include <bit>
#include <cstring>

#include "core/short_text.h"

namespace karma::store {
namespace {

constexpr std::size_t kHeaderBytes = 1 + 2;

std::size_t bytes_of(std::uint64_t number) { return (static_cast<std::size_t>(std::bit_width(number)) + 7) / 8; }

// Returns the end; eight bytes are written in any case.
char* put(char* to, std::uint64_t number, std::size_t bytes) {
  std::memcpy(to, &number, sizeof(number));
  return to + bytes;
}

std::uint64_t take(const char*& from, unsigned bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, from, bytes);
  from += bytes;
  return number;
}

}  // namespace

std::optional<RequestContent> RequestContent::keep(const CounterChange& change, Room& room) {
  const std::size_t key = bytes_of(change.key.value);
  const std::size_t bucket = bytes_of(change.bucket.number());
  const std::size_t value = bytes_of(change.value);
  const std::size_t size = kHeaderBytes + change.series.size() + key + bucket + value;
  if (size > kMaxBytes) return std::nullopt;
  const auto lengths = static_cast<std::uint16_t>(key | bucket << 4 | value << 8);
  room[0] = static_cast<char>(change.series.size());
  std::memcpy(room.data() + 1, &lengths, sizeof(lengths));
  char* to = room.data() + kHeaderBytes;
  copy_short(to, change.series.data(), change.series.size());
  to = put(to + change.series.size(), change.key.value, key);
  put(put(to, change.bucket.number(), bucket), change.value, value);
  return of_bytes({room.data(), size}, false);
}

// The fields in the order of the ops' describe().
Fingerprint RequestContent::fingerprint(Operation operation) const {
  if (is_fingerprint_) {
    Fingerprint fingerprint;
    std::memcpy(fingerprint.data(), bytes_.data(), fingerprint.size());
    return fingerprint;
  }
  std::uint16_t lengths;
  std::memcpy(&lengths, bytes_.data() + 1, sizeof(lengths));
  const std::string_view series(bytes_.data() + kHeaderBytes, static_cast<unsigned char>(bytes_[0]));
  const char* from = series.data() + series.size();
  const std::uint64_t key = take(from, lengths & 0xFu);
  const std::uint64_t bucket = take(from, lengths >> 4 & 0xFu);
  const std::uint64_t value = take(from, lengths >> 8 & 0xFu);
  FingerprintBuilder builder(to_string(operation));
  builder.text("series", series);
  builder.number("key", key);
  builder.number("bucket", bucket);
  builder.number("value", value);
  return builder.finish();
}

}  // namespace karma::store
