// Numbers as decimal text, eight digits at a time, into memory that the caller provides and back. Requests, log
// entries, replies and fingerprints consist of little else, and std::to_chars, which does it digit by digit pair and
// out of line, was a sixth of what an I/O thread did.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/short_text.h"

namespace karma {

// What write_decimal() may write to, even if the number is shorter.
inline constexpr std::size_t kDecimalRoom = 20;

namespace detail {

inline constexpr std::uint64_t kEightDigits = 100000000;

// The eight digits of a number below 10^8, the first one in the lowest byte. Halves are taken apart side by side: into
// four digits, two and one. The quotients are exact for numbers that small (see the test).
inline std::uint64_t eight_digits(std::uint64_t number) {
  std::uint64_t halves = number / 10000 | number % 10000 << 32;
  std::uint64_t high = halves * 10486 >> 20 & 0x0000007f0000007f;
  halves = high | (halves - high * 100) << 16;
  high = halves * 103 >> 10 & 0x000f000f000f000f;
  return high | (halves - high * 10) << 8;
}

inline char* put_eight(char* to, std::uint64_t digits) {
  static_assert(std::endian::native == std::endian::little);
  digits |= 0x3030303030303030;
  std::memcpy(to, &digits, 8);
  return to + 8;
}

inline char* write_short(char* to, std::uint64_t number) {
  const std::uint64_t digits = eight_digits(number);
  // Leading zeros are the low bytes; the last digit stays in any case.
  const int zeros = std::countr_zero(digits | std::uint64_t{1} << 56) / 8;
  put_eight(to, digits >> zeros * 8);
  return to + 8 - zeros;
}

inline char* write_long(char* to, std::uint64_t number) {
  const std::uint64_t upper = number / kEightDigits;
  to = upper < kEightDigits ? write_short(to, upper) : write_long(to, upper);
  return put_eight(to, eight_digits(number % kEightDigits));
}

}  // namespace detail

// Returns the end. Inlined even where a compiler would rather not: the call costs as much as what it does.
[[gnu::always_inline]] inline char* write_decimal(char* to, std::uint64_t number) {
  return number < detail::kEightDigits ? detail::write_short(to, number) : detail::write_long(to, number);
}

namespace detail {

inline constexpr std::uint64_t kZeros = 0x3030303030303030;

// Not 0 if a byte is no digit; the lowest bit that is set is in the first such byte.
inline std::uint64_t not_digits(std::uint64_t bytes) {
  constexpr std::uint64_t kHigh = 0xF0F0F0F0F0F0F0F0;
  return ((bytes & kHigh) ^ kZeros) | (((bytes + 0x0606060606060606) & kHigh) ^ kZeros);
}

// The number of eight digits from 0 to 9. Pairs, fours and eights are put together side by side.
inline std::uint64_t digits_value(std::uint64_t digits) {
  digits = digits * 10 + (digits >> 8);
  constexpr std::uint64_t kPairs = 0x000000FF000000FF;
  constexpr std::uint64_t kFirst = 100 + (std::uint64_t{1000000} << 32);
  constexpr std::uint64_t kSecond = 1 + (std::uint64_t{10000} << 32);
  return ((digits & kPairs) * kFirst + (digits >> 16 & kPairs) * kSecond) >> 32;
}

}  // namespace detail

// Reads digits; returns the first byte that is none. `number` is what they say, modulo 2^64; 0 without any. Eight at
// once where there are eight, as in each bucket, the rest one by one: how many they are is mostly guessed right by the
// processor, which beats counting them.
[[gnu::always_inline]] inline const char* read_decimal(const char* at, const char* end, std::uint64_t& number) {
  number = 0;
  for (; end - at >= 8; at += 8) {
    const std::uint64_t bytes = detail::load<std::uint64_t>(at);
    if (detail::not_digits(bytes) != 0) break;
    number = number * detail::kEightDigits + detail::digits_value(bytes ^ detail::kZeros);
  }
  for (; at != end && *at >= '0' && *at <= '9'; ++at) number = number * 10 + static_cast<std::uint64_t>(*at - '0');
  return at;
}

// The same for numbers of seven digits as well as of eight, or of any length below, like keys at random: here the
// digits are counted, as nobody could guess how many they are.
inline const char* read_decimal_of_any_length(const char* at, const char* end, std::uint64_t& number) {
  if (end - at > 8) {
    const std::uint64_t bytes = detail::load<std::uint64_t>(at);
    const int bits = std::countr_zero(detail::not_digits(bytes)) & ~7;
    const bool longer = (bits == 64) & (static_cast<unsigned char>(at[8] - '0') < 10);
    if (!longer && bits != 0) {
      number = detail::digits_value((bytes ^ detail::kZeros) << (64 - bits));
      return at + bits / 8;
    }
  }
  return read_decimal(at, end, number);
}

}  // namespace karma
