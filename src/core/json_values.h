// JSON that was read, taken apart: objects by the names of their fields, arrays of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/arena.h"
#include "core/json_reader.h"

namespace karma::json {

// An object of a file. Wants are noted down, and the first that is not met is its fault; fields that nobody wants are
// skipped, and null counts as absent. Bytes of strings that are not valid UTF-8 are kept: names in old data may hold
// any.
class Object {
 public:
  explicit Object(const Value& object);
  // The text has to be one object and nothing else.
  explicit Object(std::string_view text);

  bool ok() const { return fault_.empty(); }
  // As the rest of a sentence about the object: "has no valid key".
  const std::string& fault() const { return fault_; }
  void fail(std::string what) {
    if (fault_.empty()) fault_ = std::move(what);
  }

  std::size_t size() const { return fields_.size(); }
  const Value* find(std::string_view name) const;
  // The field, which must be there and be of the type; otherwise a meaningless value, with the failure noted.
  Value want(std::string_view name, Type type);
  // The same as values of the program; text is valid as long as the object.
  std::string_view text(std::string_view name) { return decode_string(want(name, Type::string), arena_); }
  std::uint64_t number(std::string_view name) { return want(name, Type::unsigned_integer).number; }
  std::int64_t signed_number(std::string_view name);

  // Fields that may be missing.
  std::optional<std::string> optional_text(std::string_view name);
  // Nothing also if it is no such number, or larger than `most`.
  std::optional<std::uint64_t> optional_number(std::string_view name, std::uint64_t most = UINT64_MAX) const;
  bool truth(std::string_view name) const;

 private:
  bool read(std::string_view text);
  void no_valid(std::string_view name) { fail("has no valid " + std::string(name)); }

  std::vector<std::pair<std::string_view, Value>> fields_;
  Arena arena_;
  std::string fault_;
};

// Calls take(element) for each until it returns false. True if it never did, and `array` is one.
template <class Take>
bool each_element(const Value& array, Take&& take) {
  if (array.type != Type::array) return false;
  bool good = true;
  Reader(array.text).read_array([&](const Value& element) { return good = take(element); });
  return good;
}

// Calls take(number) for each number of an array until it returns false. False if something else is in it before that.
template <class Take>
bool each_number(const Value& array, const Numbers& kept, Take&& take) {
  if (array.kept && kept.row() == 1) {
    for (const std::uint64_t number : kept.all())
      if (!take(number)) break;
    return true;
  }
  bool good = true;
  Reader(array.text).read_array([&](const Value& value) {
    good = value.type == Type::unsigned_integer;
    return good && take(value.number);
  });
  return good;
}

// Reads the numbers of an array into `numbers` and returns their count; nothing if it is something else or holds more.
std::optional<std::size_t> read_numbers(const Value& array, std::span<std::uint64_t> numbers);

// As each_number, for an array of [a, b, c].
template <class Take>
bool each_triple(const Value& array, const Numbers& kept, Take&& take) {
  if (array.kept && kept.row() == 3) {
    const std::span<const std::uint64_t> numbers = kept.all();
    for (std::size_t i = 0; i < numbers.size(); i += 3)
      if (!take(numbers[i], numbers[i + 1], numbers[i + 2])) break;
    return true;
  }
  bool good = true;
  Reader(array.text).read_array([&](const Value& value) {
    std::uint64_t numbers[3];
    good = read_numbers(value, numbers) == 3;
    return good && take(numbers[0], numbers[1], numbers[2]);
  });
  return good;
}

}  // namespace karma::json
