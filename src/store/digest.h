// A number by which two nodes find out whether they hold the same counters, without showing them to each other: the sum
// modulo 2^64 of a mix of key, bucket and value over all points. The order does not matter, nor how pages and blocks
// store them; nothing is 0. Two contents that differ by accident have the same digest once in 2^64 cases; whoever can
// choose values can make them so.
//
// The mix is the same on every node and in every version: manifests hold it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <karma/types.h>

#include "store/hash.h"
#include "store/series.h"

namespace karma::store {

class Digest {
 public:
  constexpr Digest() = default;
  constexpr explicit Digest(std::uint64_t value) : value_(value) {}

  // Of one counter; a point of value 0 is none.
  void add(Key key, std::span<const Point> points) {
    const std::uint64_t of_key = mix(key.value ^ kKeySecret);
    std::uint64_t sum = 0;
    for (const Point& point : points) {
      // A folded product is linear in neither factor: an increment under another key or day does not look like the
      // right one. It is 0 for a value of 0.
      sum += detail::mix(of_key + point.bucket.number() * kDaySecret, point.value * kValueSecret);
    }
    value_ += sum;
  }
  // Of one series of many: the digest of a whole state, which a series without counters does not change.
  void add(std::string_view name, Digest series) {
    if (series != Digest()) value_ += mix(series.value_ + hash_text(name, kNameSecret));
  }

  constexpr std::uint64_t value() const { return value_; }
  std::string text() const;  // 16 hexadecimal digits
  static std::optional<Digest> of_text(std::string_view text);

  friend constexpr bool operator==(Digest, Digest) = default;

  // A permutation of which every bit depends on every bit.
  static constexpr std::uint64_t mix(std::uint64_t word) {
    word = (word ^ word >> 32) * 0xE9846AF9B1A615D5;
    word = (word ^ word >> 29) * 0xD6E8FEB86659FD93;
    return word ^ word >> 32;
  }

 private:
  static constexpr std::uint64_t kKeySecret = 0x9E3779B97F4A7C15;
  // Odd, so that every day and every value has its own.
  static constexpr std::uint64_t kDaySecret = 0xA24BAED4963EE407;
  static constexpr std::uint64_t kValueSecret = 0x9FB21C651E98DF25;
  static constexpr std::uint64_t kNameSecret = 0xD1B54A32D192ED03;

  std::uint64_t value_ = 0;
};

}  // namespace karma::store
