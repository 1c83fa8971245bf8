// Reads one JSON text (RFC 8259) in a single pass, strictly and without building a tree: every value is checked, and
// the caller gets the fields of the outermost object one by one. Strings are not decoded (see decode_string), nor are
// arrays and objects, except for numbers that are kept (see Numbers).
//
// Why not a library: the requests are small and the hot path pays for every pass over them; see docs/architecture.md.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/arena.h"
#include "core/decimal.h"
#include "core/json_numbers.h"

namespace karma::json {

inline constexpr int kMaxDepth = 512;  // the outermost object is level 1

enum class Type : std::uint8_t {
  null,
  boolean,
  unsigned_integer,  // 0 to 2^64-1, "-0" included
  negative_integer,  // -2^63 to -1
  real,              // with a fraction or an exponent
  string,
  array,
  object,
};

struct Value {
  Type type = Type::null;
  bool truth = false;        // of a boolean
  bool escaped = false;      // a string with backslashes
  bool kept = false;         // an array whose numbers the Reader has kept
  std::uint64_t number = 0;  // of an unsigned_integer
  std::string_view text;     // of a string: between the quotes; otherwise the whole value
};

// A cursor over a text. Each function returns false, with fault() set, at the first byte that is not JSON.
class Reader {
 public:
  // Numbers of the first array in the outermost object that `numbers` can keep go there.
  explicit Reader(std::string_view text, Numbers* numbers = nullptr)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), numbers_(numbers) {}

  // One value of any kind, checked to its end. White space around it is skipped.
  bool read_value(Value& value);
  // Calls on_field(name, value) for each field of the object that comes next; `name` is a string Value.
  template <class OnField>
  bool read_object(OnField&& on_field);
  // The same for a new reader whose text begins with an object. That many bytes of it, up to a comma between two
  // fields, are known to be JSON.
  template <class OnField>
  bool resume_object(std::size_t known, OnField&& on_field);
  // Calls on_element(value) for each element of the array that comes next, until it returns false (then the result is
  // true, and the cursor somewhere inside).
  template <class OnElement>
  bool read_array(OnElement&& on_element);
  // True if nothing but white space follows.
  bool at_end();
  // The next byte that is not white space, without taking it; 0 at the end.
  char peek();

  // What is wrong, for a human reader. Never contains bytes of the text.
  std::string_view fault() const { return fault_; }

 private:
  bool fail(std::string_view fault) {
    if (fault_.empty()) fault_ = fault;
    return false;
  }
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
  }
  // Machines write without spaces, so the byte wanted is mostly the next one.
  bool take(char wanted) {
    if (at_ == end_ || *at_ != wanted) {
      skip_space();
      if (at_ == end_ || *at_ != wanted) return false;
    }
    ++at_;
    return true;
  }
  template <class OnField>
  bool read_fields(OnField&& on_field);
  bool read_plain_field(Value& name, Value& value);
  bool read_any(Value& value);
  bool read_string(Value& value);  // after the opening quote
  bool read_escape();
  bool read_number(Value& value);
  bool read_literal(std::string_view literal);
  bool keep_array();

  const char* const begin_;
  const char* at_;
  const char* const end_;
  Numbers* const numbers_;
  int depth_ = 0;
  std::string_view fault_;
};

namespace detail {

inline constexpr std::ptrdiff_t kSafeDigits = 19;  // so many always fit into 64 bits

// One bit for each of the sixteen bytes at `at` that is a quote or may not stand in a string unescaped.
inline unsigned string_marks(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));  // SSE2 is part of x86-64
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
}

// The end of a string that begins at `at`, if nothing special is in it and the whole text is not shorter than what is
// looked at together; else nullptr.
inline const char* end_of_plain_string(const char* text, const char* at, const char* end) {
  constexpr std::ptrdiff_t kTogether = 16;
  unsigned marks = 0;
  for (; end - at >= kTogether; at += kTogether) {
    if (marks = string_marks(at); marks != 0) break;
  }
  if (marks == 0) {
    // What is left of the text, and what comes before it.
    if (end - text < kTogether) return nullptr;
    marks = string_marks(end - kTogether) >> (kTogether - (end - at));
    if (marks == 0) return nullptr;
  }
  at += std::countr_zero(marks);
  return *at == '"' ? at : nullptr;
}

}  // namespace detail

// The form of nearly all fields: a name, and a string without escapes or a number of digits only, without spaces. False
// if the field has another form; then the cursor has not moved.
inline bool Reader::read_plain_field(Value& name, Value& value) {
  const char* at = at_;
  if (at == end_ || *at != '"') return false;
  const char* end = detail::end_of_plain_string(begin_, ++at, end_);
  if (end == nullptr || end + 1 == end_ || end[1] != ':') return false;
  name.type = Type::string;
  name.text = {at, static_cast<std::size_t>(end - at)};
  at = end + 2;
  if (at >= end_) return false;
  if (*at == '"') {
    end = detail::end_of_plain_string(begin_, ++at, end_);
    if (end == nullptr) return false;
    value.type = Type::string;
    value.text = {at, static_cast<std::size_t>(end - at)};
    at_ = end + 1;
    return true;
  }
  const char* const digits = at;
  std::uint64_t number;
  at = read_decimal(at, end_, number);
  const std::ptrdiff_t count = at - digits;
  if (!is_plain_decimal(digits, at)) return false;
  if (at == end_ || (*at != ',' && *at != '}')) return false;
  value.type = Type::unsigned_integer;
  value.number = number;
  value.text = {digits, static_cast<std::size_t>(count)};
  at_ = at;
  return true;
}

template <class OnField>
bool Reader::read_object(OnField&& on_field) {
  if (!take('{')) return fail("expected an object");
  if (++depth_ > kMaxDepth) return fail("nested too deeply");
  if (take('}')) return --depth_, true;
  return read_fields(on_field);
}

template <class OnField>
bool Reader::resume_object(std::size_t known, OnField&& on_field) {
  at_ += known;
  ++depth_;
  return read_fields(on_field);
}

// After the bracket, or after a comma.
template <class OnField>
bool Reader::read_fields(OnField&& on_field) {
  while (true) {
    Value name;
    Value value;
    if (!read_plain_field(name, value)) {
      if (!take('"') || !read_string(name)) return fail("expected a field name");
      if (!take(':')) return fail("expected ':' after a field name");
      if (!read_value(value)) return false;
    }
    on_field(name, value);
    if (take(',')) continue;
    if (!take('}')) return fail("expected ',' or '}' after a field");
    --depth_;
    return true;
  }
}

template <class OnElement>
bool Reader::read_array(OnElement&& on_element) {
  if (!take('[')) return fail("expected an array");
  if (++depth_ > kMaxDepth) return fail("nested too deeply");
  if (take(']')) return --depth_, true;
  while (true) {
    Value value;
    if (!read_value(value)) return false;
    if (!on_element(value)) return true;
    if (take(',')) continue;
    if (!take(']')) return fail("expected ',' or ']' after an element");
    --depth_;
    return true;
  }
}

// The characters of a string Value. Without escapes they are its text; otherwise they are decoded into the arena.
std::string_view decode_string(const Value& string, Arena& arena);

}  // namespace karma::json
