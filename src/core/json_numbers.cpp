#include "core/json_numbers.h"

namespace karma::json {
namespace {

// All inline: this is most of what it costs to take a batch of points, and a call for each number were a third of it.

constexpr std::ptrdiff_t kSafeDigits = 19;  // so many always fit into 64 bits

[[gnu::always_inline]] inline void skip_space(const char*& at, const char* end) {
  while (at != end && static_cast<unsigned char>(*at) <= ' ' &&
         (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
    ++at;
}

// Passes over white space, which machines rarely write, and the byte. False if there is another one.
[[gnu::always_inline]] inline bool take(const char*& at, const char* end, char wanted) {
  if (at == end || *at != wanted) {
    skip_space(at, end);
    if (at == end || *at != wanted) return false;
  }
  ++at;
  return true;
}

// Behind the number comes white space, or what ends it.
[[gnu::always_inline]] inline bool read_number(const char*& at, const char* end, std::uint64_t& number) {
  const char* digits = at;
  at = read_decimal(at, end, number);
  if (at == digits) {
    skip_space(at, end);
    digits = at;
    at = read_decimal(at, end, number);
  }
  const std::ptrdiff_t count = at - digits;
  return count != 0 && count <= kSafeDigits && (*digits != '0' || count == 1);
}

}  // namespace

const char* Numbers::read(const char* at, const char* end) {
  clear();
  if (most_ < 3) return nullptr;
  if (!numbers_) numbers_.reset(new std::uint64_t[most_]);
  if (!take(at, end, '[')) return nullptr;
  skip_space(at, end);
  const std::size_t row = at != end && *at == '[' ? 3 : 1;
  std::uint64_t* to = numbers_.get();
  std::uint64_t* const last = to + most_ - row;
  while (to <= last) {
    if (row == 1) {
      if (!read_number(at, end, *to)) return nullptr;
    } else if (!take(at, end, '[') || !read_number(at, end, to[0]) || !take(at, end, ',') ||
               !read_number(at, end, to[1]) || !take(at, end, ',') || !read_number(at, end, to[2]) ||
               !take(at, end, ']')) {
      return nullptr;
    }
    to += row;
    if (take(at, end, ',')) continue;
    if (at == end || *at != ']') return nullptr;
    row_ = row;
    size_ = static_cast<std::size_t>(to - numbers_.get());
    return at + 1;
  }
  return nullptr;
}

}  // namespace karma::json
