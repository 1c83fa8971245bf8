#include "core/json_values.h"

#include "core/text.h"

namespace karma::json {

Object::Object(const Value& object) {
  if (object.type != Type::object || !read(object.text)) fail("is no object");
}

Object::Object(std::string_view text) {
  if (!read(text)) fail("is no JSON object");
}

bool Object::read(std::string_view text) {
  Reader reader(text);
  return reader.read_object([this](const Value& name, const Value& value) {
    if (!name.escaped) fields_.emplace_back(name.text, value);
  }) && reader.at_end();
}

const Value* Object::find(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (field == name && value.type != Type::null) return &value;
  return nullptr;
}

Value Object::want(std::string_view name, Type type) {
  const Value* value = find(name);
  if (value != nullptr && value->type == type) return *value;
  no_valid(name);
  return {};
}

std::int64_t Object::signed_number(std::string_view name) {
  const Value* value = find(name);
  const bool integer =
      value != nullptr && (value->type == Type::unsigned_integer || value->type == Type::negative_integer);
  const std::optional<std::int64_t> number = integer ? parse_number<std::int64_t>(value->text) : std::nullopt;
  if (!number) no_valid(name);
  return number.value_or(0);
}

std::optional<std::string> Object::optional_text(std::string_view name) {
  if (find(name) == nullptr) return std::nullopt;
  return std::string(text(name));
}

std::optional<std::uint64_t> Object::optional_number(std::string_view name, std::uint64_t most) const {
  const Value* value = find(name);
  if (value == nullptr || value->type != Type::unsigned_integer || value->number > most) return std::nullopt;
  return value->number;
}

bool Object::truth(std::string_view name) const {
  const Value* value = find(name);
  return value != nullptr && value->truth;
}

std::optional<std::size_t> read_numbers(const Value& array, std::span<std::uint64_t> numbers) {
  std::size_t count = 0;
  const bool good = each_element(array, [&](const Value& number) {
    if (number.type != Type::unsigned_integer || count == numbers.size()) return false;
    numbers[count++] = number.number;
    return true;
  });
  return good ? std::optional(count) : std::nullopt;
}

}  // namespace karma::json
