#include "snapshot/tree_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <span>

#include "core/buffer.h"

namespace karma::snapshot {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxIntegerBytes = 9;
constexpr std::size_t kPointsAtOnce = 4096;

template <class T>
char* put_big_endian(char* at, unsigned char head, T number) {
  *at++ = static_cast<char>(head);
  if constexpr (sizeof(T) == 8) number = __builtin_bswap64(number);
  if constexpr (sizeof(T) == 4) number = __builtin_bswap32(number);
  if constexpr (sizeof(T) == 2) number = __builtin_bswap16(number);
  std::memcpy(at, &number, sizeof number);
  return at + sizeof number;
}
static_assert(std::endian::native == std::endian::little);

// Writes at most kMaxIntegerBytes.
char* put_integer(char* at, std::uint64_t number) {
  if (number < 0x80) {
    *at = static_cast<char>(number);
    return at + 1;
  }
  if (number <= 0xff) return put_big_endian(at, 0xcc, static_cast<std::uint8_t>(number));
  if (number <= 0xffff) return put_big_endian(at, 0xcd, static_cast<std::uint16_t>(number));
  if (number <= 0xffffffff) return put_big_endian(at, 0xce, static_cast<std::uint32_t>(number));
  return put_big_endian(at, 0xcf, number);
}

// Both as put_integer does. Of values below 256, as most are, nobody could guess which are below 128 and take one byte
// less, so nothing branches on it. Writes at most 2 * kMaxIntegerBytes.
char* put_point(char* at, std::uint64_t bucket, std::uint64_t value) {
  const bool four_bytes = bucket > 0xffff && bucket <= 0xffffffff;
  if (four_bytes && value <= 0xff) {
    const std::uint64_t in_next = value >> 7;
    const std::uint64_t tail = in_next * 0xcc00 | value << (8 - 8 * in_next);
    const std::uint64_t bytes = __builtin_bswap64(std::uint64_t{0xce} << 56 | bucket << 24 | tail << 8);
    std::memcpy(at, &bytes, sizeof bytes);
    return at + 6 + in_next;
  }
  return put_integer(put_integer(at, bucket), value);
}

char* put_map(char* at, std::size_t size) {
  if (size < 16) {
    *at = static_cast<char>(0x80 | size);
    return at + 1;
  }
  if (size <= 0xffff) return put_big_endian(at, 0xde, static_cast<std::uint16_t>(size));
  return put_big_endian(at, 0xdf, static_cast<std::uint32_t>(size));
}

char* put_text(char* at, std::string_view text) {
  *at++ = static_cast<char>(0xa0 | text.size());  // fixstr: none of the names is longer than 31
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

class Encoder {
 public:
  explicit Encoder(const ByteSink& sink) : sink_(sink) {}

  Status begin() {
    char* at = piece_.reserve(64);
    char* const start = at;
    *at++ = static_cast<char>(0x82);
    at = put_text(at, "branches_num");
    at = put_integer(at, kBranchCount);
    at = put_text(at, "branches");
    *at++ = static_cast<char>(0x90 | kBranchCount);
    return taken(start, at);
  }

  Status begin_branch(std::size_t key_count) {
    if (key_count > std::numeric_limits<std::uint32_t>::max()) {
      return internal_error("More keys than a snapshot file can hold");
    }
    char* const start = piece_.reserve(kMaxIntegerBytes);
    return taken(start, put_map(start, key_count));
  }

  Status counter(Key key, std::span<const store::Point> points) {
    char* start = piece_.reserve(64);
    char* at = put_integer(start, key.value);
    *at++ = static_cast<char>(0x82);
    at = put_text(at, "table");
    at = put_map(at, points.size());
    if (Status done = taken(start, at); !done) return done;
    std::uint64_t total = 0;
    for (std::size_t from = 0; from < points.size(); from += kPointsAtOnce) {
      const std::size_t to = std::min(points.size(), from + kPointsAtOnce);
      start = at = piece_.reserve((to - from) * 2 * kMaxIntegerBytes);
      digest_.add(key, points.subspan(from, to - from));
      for (std::size_t i = from; i < to; ++i) {
        at = put_point(at, points[i].bucket.number(), points[i].value);
        total += points[i].value;
      }
      if (Status done = taken(start, at); !done) return done;
    }
    start = piece_.reserve(64);
    at = put_text(start, "total");
    return taken(start, put_integer(at, total));
  }

  store::Digest digest() const { return digest_; }
  Status finish() { return piece_.empty() ? Status() : flush(); }

 private:
  Status taken(const char* start, const char* at) {
    piece_.commit(static_cast<std::size_t>(at - start));
    return piece_.size() < kPieceBytes ? Status() : flush();
  }
  Status flush() {
    Status done = sink_(piece_.view());
    piece_.clear();
    return done;
  }

  const ByteSink& sink_;
  Buffer piece_;
  store::Digest digest_;
};

}  // namespace

Result<store::Digest> encode_tree(const store::SeriesView& series, const ByteSink& sink) {
  Encoder encoder(sink);
  Status status = encoder.begin();
  // A branch's map begins with the number of its keys, so they are needed branch by branch.
  series.for_each_by_remainder(
      kBranchCount,
      [&](std::uint64_t count) {
        if (status) status = encoder.begin_branch(count);
      },
      [&](Key key, std::uint64_t, std::span<const store::Point> points) {
        if (status) status = encoder.counter(key, points);
      },
      [&] { return !status.ok(); });
  if (status) status = encoder.finish();
  if (!status) return status.error();
  return encoder.digest();
}

}  // namespace karma::snapshot
