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

// Writes {"name":value,...}; the caller begins with open() and ends with close().
class FieldWriter {
 public:
  explicit FieldWriter(Buffer& out) : out_(out) {}

  void open() {
    out_.append('{');
    first_ = true;
  }
  void close() { out_.append('}'); }
  void name(std::string_view name) {
    if (!first_) out_.append(',');
    first_ = false;
    out_.append('"');
    out_.append(name);
    out_.append("\":");
  }
  void text(std::string_view name_text, std::string_view value) {
    name(name_text);
    json::append_bytes(out_, value);
  }
  void number(std::string_view name_text, std::uint64_t value) {
    name(name_text);
    json::append_number(out_, value);
  }
  void signed_number(std::string_view name_text, std::int64_t value) {
    name(name_text);
    if (value < 0) out_.append('-');
    json::append_number(out_, value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
  }
  void truth(std::string_view name_text, bool value) {
    name(name_text);
    out_.append(value ? "true" : "false");
  }

 private:
  Buffer& out_;
  bool first_ = true;
};

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
