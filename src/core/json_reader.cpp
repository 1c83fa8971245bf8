#include "core/json_reader.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "core/text.h"

namespace karma::json {
namespace {

using detail::kSafeDigits;

constexpr std::uint64_t kTenTo19 = 10000000000000000000U;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Reads XXXX of \uXXXX; -1 if it is none.
int read_hex4(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int code = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = std::max(hex_digit(at[i], 'a'), hex_digit(at[i], 'A'));
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

bool is_high_surrogate(int code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_low_surrogate(int code) { return code >= 0xDC00 && code <= 0xDFFF; }

char* encode_utf8(char* to, std::uint32_t code) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xC0 | (code >> 6));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xE0 | (code >> 12));
    *to++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | (code >> 18));
    *to++ = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *to++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return to;
}

// Skips bytes that may stand in a string unescaped, up to a quote, a backslash or a control character; sixteen at once
// while that many are left.
const char* end_of_plain_run(const char* at, const char* end) {
  for (; end - at >= 16; at += 16) {
    if (const unsigned marks = detail::string_marks(at); marks != 0) return at + std::countr_zero(marks);
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

}  // namespace

char Reader::peek() {
  skip_space();
  return at_ == end_ ? '\0' : *at_;
}

bool Reader::at_end() {
  skip_space();
  return at_ == end_;
}

bool Reader::read_value(Value& value) {
  skip_space();
  return read_any(value);
}

bool Reader::read_any(Value& value) {
  if (at_ == end_) return fail("unexpected end");
  const char* start = at_;
  bool good = false;
  switch (*at_) {
    case '"':
      ++at_;
      return read_string(value);
    case '{':
      value.type = Type::object;
      good = read_object([](const Value&, const Value&) {});
      break;
    case '[':
      value.type = Type::array;
      value.kept = keep_array();
      good = value.kept || read_array([](const Value&) { return true; });
      break;
    case 't':
      value.type = Type::boolean;
      value.truth = true;
      good = read_literal("true");
      break;
    case 'f':
      value.type = Type::boolean;
      value.truth = false;
      good = read_literal("false");
      break;
    case 'n':
      value.type = Type::null;
      good = read_literal("null");
      break;
    default:
      good = read_number(value);
  }
  value.text = {start, static_cast<std::size_t>(at_ - start)};
  return good;
}

bool Reader::keep_array() {
  if (numbers_ == nullptr || depth_ != 1 || numbers_->row() != 0) return false;
  const char* const behind = numbers_->read(at_, end_);
  if (behind != nullptr) at_ = behind;
  return behind != nullptr;
}

bool Reader::read_literal(std::string_view literal) {
  if (static_cast<std::size_t>(end_ - at_) < literal.size() || std::memcmp(at_, literal.data(), literal.size()) != 0)
    return fail("expected a value");
  at_ += literal.size();
  return true;
}

bool Reader::read_string(Value& value) {
  const char* start = at_;
  value.type = Type::string;
  value.escaped = false;
  while (true) {
    at_ = end_of_plain_run(at_, end_);
    if (at_ == end_) return fail("unfinished string");
    const unsigned char byte = static_cast<unsigned char>(*at_);
    if (byte == '"') break;
    if (byte != '\\') return fail("control character in a string");
    ++at_;
    value.escaped = true;
    if (!read_escape()) return fail("bad escape in a string");
  }
  value.text = {start, static_cast<std::size_t>(at_ - start)};
  ++at_;
  return true;
}

// After the backslash. A lone surrogate is not a character.
bool Reader::read_escape() {
  if (at_ == end_) return false;
  const char kind = *at_++;
  if (kind != 'u') return std::strchr("\"\\/bfnrt", kind) != nullptr && kind != '\0';
  const int code = read_hex4(at_, end_);
  if (code < 0 || is_low_surrogate(code)) return false;
  at_ += 4;
  if (!is_high_surrogate(code)) return true;
  if (end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u' || !is_low_surrogate(read_hex4(at_ + 2, end_))) return false;
  at_ += 6;
  return true;
}

bool Reader::read_number(Value& value) {
  const char* start = at_;
  const bool negative = *at_ == '-';
  if (negative) ++at_;
  if (at_ == end_ || !is_digit(*at_)) return fail("expected a value");
  const char* digits = at_;
  std::uint64_t number;
  at_ = read_decimal(at_, end_, number);
  // Of twenty digits those from 10^19 up to 2^64 - 1 fit; above, the number has wrapped around to below 10^19.
  const std::ptrdiff_t count = at_ - digits;
  const bool too_large = count > kSafeDigits && (count > kSafeDigits + 1 || *digits != '1' || number < kTenTo19);
  if (*digits == '0' && at_ - digits > 1) return fail("a number starts with 0");
  const bool integer = at_ == end_ || (*at_ != '.' && *at_ != 'e' && *at_ != 'E');
  if (integer) {
    if (too_large || (negative && number > (1ULL << 63))) return fail("integer beyond 64 bits");
    value.type = negative && number != 0 ? Type::negative_integer : Type::unsigned_integer;
    value.number = number;
    return true;
  }
  value.type = Type::real;
  if (*at_ == '.') {
    ++at_;
    const char* fraction = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    if (at_ == fraction) return fail("digits must follow a decimal point");
  }
  bool small = *digits == '0';  // below 1, unless the exponent says otherwise
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    small = at_ != end_ && *at_ == '-';
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    const char* exponent = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    if (at_ == exponent) return fail("digits must follow an exponent");
  }
  double real = 0;
  const auto parsed = std::from_chars(start, at_, real);
  if (parsed.ec == std::errc::result_out_of_range && !small) return fail("number beyond the range of a double");
  return true;
}

std::string_view decode_string(const Value& string, Arena& arena) {
  if (!string.escaped) return string.text;
  // Decoding never makes a string longer: six bytes of an escape become at most three.
  char* const start = static_cast<char*>(arena.allocate(string.text.size(), 1));
  char* to = start;
  const char* at = string.text.data();
  const char* const end = at + string.text.size();
  while (at != end) {
    if (*at != '\\') {
      *to++ = *at++;
      continue;
    }
    const char kind = at[1];
    at += 2;
    switch (kind) {
      case 'b':
        *to++ = '\b';
        break;
      case 'f':
        *to++ = '\f';
        break;
      case 'n':
        *to++ = '\n';
        break;
      case 'r':
        *to++ = '\r';
        break;
      case 't':
        *to++ = '\t';
        break;
      case 'u': {
        std::uint32_t code = static_cast<std::uint32_t>(read_hex4(at, end));
        at += 4;
        if (is_high_surrogate(static_cast<int>(code))) {
          const std::uint32_t low = static_cast<std::uint32_t>(read_hex4(at + 2, end));
          at += 6;
          code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        to = encode_utf8(to, code);
        break;
      }
      default:
        *to++ = kind;
    }
  }
  return {start, static_cast<std::size_t>(to - start)};
}

}  // namespace karma::json
