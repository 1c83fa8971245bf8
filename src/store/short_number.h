// Numbers of as many bytes as they need, lowest byte first; how many these are is kept elsewhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace karma::store {

// What must be there after the last number when it is written: eight bytes are, in any case, instead of a loop.
inline constexpr std::size_t kShortNumberRoom = sizeof(std::uint64_t);

// 0 to 8.
inline unsigned short_number_bytes(std::uint64_t number) {
  return (static_cast<unsigned>(std::bit_width(number)) + 7) / 8;
}

// Returns the end.
inline char* put_short_number(char* to, std::uint64_t number, unsigned bytes) {
  std::memcpy(to, &number, sizeof(number));
  return to + bytes;
}

inline const char* get_short_number(const char* from, unsigned bytes, std::uint64_t& number) {
  number = 0;
  std::memcpy(&number, from, bytes);  // and no more: after it another thread may be writing
  return from + bytes;
}

}  // namespace karma::store
