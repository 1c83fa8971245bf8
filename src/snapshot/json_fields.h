// Objects of flat fields, as sidecars and the manifest are made of. Bytes of strings that are not valid UTF-8 stay what
// they are: names in old data may hold any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "core/text.h"

namespace karma::snapshot {

inline std::optional<std::uint64_t> unsigned_of(const json::Value& value) {
  if (value.type != json::Type::unsigned_integer) return {};
  return value.number;
}

inline std::optional<std::int64_t> signed_of(const json::Value& value) {
  if (value.type != json::Type::unsigned_integer && value.type != json::Type::negative_integer) return {};
  return parse_number<std::int64_t>(value.text);
}

inline std::optional<std::string> text_of(const json::Value& value) {
  if (value.type != json::Type::string) return {};
  Arena arena;
  return std::string(json::decode_string(value, arena));
}

// Calls on_field(name, value) for each field; false if the text is anything but one object.
template <class OnField>
bool read_fields(std::string_view text, OnField&& on_field) {
  json::Reader reader(text);
  return reader.read_object([&](const json::Value& name, const json::Value& value) { on_field(name.text, value); }) &&
         reader.at_end();
}

}  // namespace karma::snapshot
