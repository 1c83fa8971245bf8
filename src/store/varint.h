// Numbers of as many bytes as they need: seven bits a byte, lowest first, the highest bit set on all but the last.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace karma::store {

inline constexpr std::size_t kMaxVarintBytes = 10;

inline std::size_t varint_bytes(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Returns the end.
inline char* put_varint(char* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

// Of what put_varint() wrote.
inline const char* get_varint(const char* from, std::uint64_t& value) {
  value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*from++);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return from;
  }
}

}  // namespace karma::store
