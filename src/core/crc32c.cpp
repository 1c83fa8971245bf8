#include "core/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace karma {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41 with its bits reversed

using Table = std::array<std::uint32_t, 256>;

// tables[k][b]: the effect of byte b followed by k zero bytes.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    for (std::size_t k = 1; k < 8; ++k) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr std::array<Table, 8> kTables = make_tables();

std::uint64_t load_8(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#if defined(__x86_64__)

// The instruction takes 3 cycles but one can start every cycle, so long input is read as three lanes side by side,
// whose checksums are then joined: a lane's checksum is moved over the zero bytes of the lanes behind it.
constexpr std::size_t kLaneBytes = 1024;

// The checksum register after kLaneBytes more zero bytes, one table per byte of the register.
class LaneShift {
 public:
  LaneShift() {
    std::array<std::uint32_t, 32> of_bit;
    for (std::size_t bit = 0; bit < 32; ++bit) {
      std::uint32_t crc = std::uint32_t{1} << bit;
      for (std::size_t i = 0; i < kLaneBytes; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
      of_bit[bit] = crc;
    }
    for (std::size_t byte = 0; byte < 4; ++byte) {
      for (std::size_t value = 0; value < 256; ++value) {
        std::uint32_t crc = 0;
        for (std::size_t bit = 0; bit < 8; ++bit) {
          if (value >> bit & 1) crc ^= of_bit[byte * 8 + bit];
        }
        tables_[byte][value] = crc;
      }
    }
  }
  std::uint32_t operator()(std::uint32_t crc) const {
    return tables_[0][crc & 0xff] ^ tables_[1][crc >> 8 & 0xff] ^ tables_[2][crc >> 16 & 0xff] ^ tables_[3][crc >> 24];
  }

 private:
  std::array<Table, 4> tables_;
};

__attribute__((target("sse4.2"))) std::uint32_t three_lanes(const char*& at, std::size_t& left, std::uint32_t crc) {
  static const LaneShift shift;
  std::uint64_t first = crc;
  while (left >= 3 * kLaneBytes) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kLaneBytes; i += 8) {
      first = _mm_crc32_u64(first, load_8(at + i));
      second = _mm_crc32_u64(second, load_8(at + kLaneBytes + i));
      third = _mm_crc32_u64(third, load_8(at + 2 * kLaneBytes + i));
    }
    first = shift(shift(static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second)) ^ third;
    at += 3 * kLaneBytes;
    left -= 3 * kLaneBytes;
  }
  return static_cast<std::uint32_t>(first);
}

#endif

using Function = std::uint32_t (*)(std::string_view, std::uint32_t);

Function choose() { return crc32c_detail::has_instruction() ? crc32c_detail::by_instruction : crc32c_detail::by_table; }

}  // namespace

namespace crc32c_detail {

#if defined(__x86_64__)

bool has_instruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t seed) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t crc = ~seed;
  if (left >= 3 * kLaneBytes) crc = three_lanes(at, left, crc);
  std::uint64_t wide = crc;
  for (; left >= 8; at += 8, left -= 8) wide = _mm_crc32_u64(wide, load_8(at));
  crc = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++at, --left) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*at));
  return ~crc;
}

#else

bool has_instruction() { return false; }
std::uint32_t by_instruction(std::string_view bytes, std::uint32_t seed) { return by_table(bytes, seed); }

#endif

std::uint32_t by_table(std::string_view bytes, std::uint32_t seed) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t crc = ~seed;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = load_8(at) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][word >> (8 * k) & 0xff];
  }
#endif
  for (; left > 0; ++at, --left) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  return ~crc;
}

}  // namespace crc32c_detail

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
  static const Function function = choose();
  return function(bytes, seed);
}

}  // namespace karma
