// Reads one JSON text (RFC 8259) in a single pass, strictly and without a tree: every value is checked, the caller gets
// the fields of the outermost object as they pass by. Strings are left as they stand (see decode_string), arrays and
// objects too (see the array readers below).
//
// Why not a library: the requests are small and the hot path pays for every pass over them; see docs/architecture.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/arena.h"

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
  std::uint64_t number = 0;  // of an unsigned_integer
  std::string_view text;     // of a string: between the quotes; otherwise the whole value
};

// A cursor over a text. Each function returns false, with fault() set, at the first byte that is not JSON.
class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  // One value of any kind, checked to its end. White space around it is passed over.
  bool read_value(Value& value);
  // Calls on_field(name, value) for each field of the object that comes next; `name` is a string Value.
  template <class OnField>
  bool read_object(OnField&& on_field);
  // Calls on_element(value) for each element of the array that comes next, until it returns false (then the result is
  // true, and the cursor somewhere inside).
  template <class OnElement>
  bool read_array(OnElement&& on_element);
  // True if nothing but white space follows.
  bool at_end();
  // The next byte that is not white space, without taking it; 0 at the end.
  char peek();

  // What is wrong, for people. Never contains bytes of the text.
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
  bool read_any(Value& value);
  bool read_string(Value& value);  // behind the opening quote
  bool read_escape();
  bool read_number(Value& value);
  bool read_literal(std::string_view literal);
  bool skip_array();

  const char* at_;
  const char* end_;
  int depth_ = 0;
  std::string_view fault_;
};

template <class OnField>
bool Reader::read_object(OnField&& on_field) {
  if (!take('{')) return fail("expected an object");
  if (++depth_ > kMaxDepth) return fail("nested too deeply");
  if (take('}')) return --depth_, true;
  while (true) {
    Value name;
    if (!take('"') || !read_string(name)) return fail("expected a field name");
    if (!take(':')) return fail("expected ':' behind a field name");
    Value value;
    if (!read_value(value)) return false;
    on_field(name, value);
    if (take(',')) continue;
    if (!take('}')) return fail("expected ',' or '}' behind a field");
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
    if (!take(']')) return fail("expected ',' or ']' behind an element");
    --depth_;
    return true;
  }
}

// The characters of a string Value. Without escapes that is its text; else they are decoded into the arena.
std::string_view decode_string(const Value& string, Arena& arena);

// Numbers of an array Value that has been checked: [u64, …]. False if any element is something else.
// At most `limit` are read; one more makes `count` limit + 1.
bool read_numbers(const Value& array, std::size_t limit, Arena& arena, std::span<std::uint64_t>& numbers,
                  std::size_t& count);

}  // namespace karma::json
