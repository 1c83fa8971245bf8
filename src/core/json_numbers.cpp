#include "core/json_numbers.h"

namespace karma::json {
namespace {

// All inline: this is most of the cost of reading a batch of points, and a call for each number would be a third of it.
struct Cursor {
  const char* at;
  const char* const end;
  bool blanks = false;  // some were skipped

  [[gnu::always_inline]] void skip_space() {
    while (at != end && static_cast<unsigned char>(*at) <= ' ' &&
           (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
      ++at;
      blanks = true;
    }
  }
  // Skips white space, which machines rarely write, and the wanted byte. False if another byte comes.
  [[gnu::always_inline]] bool take(char wanted) {
    if (at == end || *at != wanted) {
      skip_space();
      if (at == end || *at != wanted) return false;
    }
    ++at;
    return true;
  }
  // After the number comes white space, or what ends it.
  [[gnu::always_inline]] bool number(std::uint64_t& number) {
    const char* digits = at;
    at = read_decimal(at, end, number);
    if (at == digits) {
      skip_space();
      digits = at;
      at = read_decimal(at, end, number);
    }
    return is_plain_decimal(digits, at);
  }
};

}  // namespace

const char* Numbers::read(const char* at, const char* end) {
  clear();
  if (most_ < 3) return nullptr;
  if (!numbers_) numbers_.reset(new std::uint64_t[most_]);
  Cursor cursor{at, end};
  if (!cursor.take('[')) return nullptr;
  cursor.skip_space();
  const std::size_t row = cursor.at != end && *cursor.at == '[' ? 3 : 1;
  std::uint64_t* to = numbers_.get();
  std::uint64_t* const last = to + most_ - row;
  while (to <= last) {
    if (row == 1) {
      if (!cursor.number(*to)) return nullptr;
    } else if (!cursor.take('[') || !cursor.number(to[0]) || !cursor.take(',') || !cursor.number(to[1]) ||
               !cursor.take(',') || !cursor.number(to[2]) || !cursor.take(']')) {
      return nullptr;
    }
    to += row;
    if (cursor.take(',')) continue;
    if (!cursor.take(']')) return nullptr;
    row_ = row;
    size_ = static_cast<std::size_t>(to - numbers_.get());
    blanks_ = cursor.blanks;
    return cursor.at;
  }
  return nullptr;
}

}  // namespace karma::json
