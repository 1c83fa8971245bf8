// Numbers as decimal text, into memory that the caller provides. Log entries, replies and fingerprints consist of
// little else, and std::to_chars, which does it digit by digit pair and out of line, was a sixth of what an I/O thread
// did.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

}  // namespace detail

// Returns the end.
inline char* write_decimal(char* to, std::uint64_t number) {
  if (number >= detail::kEightDigits) {
    to = write_decimal(to, number / detail::kEightDigits);
    return detail::put_eight(to, detail::eight_digits(number % detail::kEightDigits));
  }
  const std::uint64_t digits = detail::eight_digits(number);
  // Leading zeros are the low bytes; the last digit stays in any case.
  const int zeros = std::countr_zero(digits | std::uint64_t{1} << 56) / 8;
  detail::put_eight(to, digits >> zeros * 8);
  return to + 8 - zeros;
}

}  // namespace karma
