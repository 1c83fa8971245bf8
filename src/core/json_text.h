// Writes JSON straight into a Buffer: compact, without a tree.
#pragma once

#include <cstdint>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/buffer.h"
#include "core/decimal.h"

namespace karma::json {

inline void append_number(Buffer& out, std::uint64_t number) {
  char* const start = out.reserve(kDecimalRoom);
  out.commit(static_cast<std::size_t>(write_decimal(start, number) - start));
}

// Quotes and escapes. Bytes that are not valid UTF-8 (names in old data) become U+FFFD, so that a reply is always
// valid.
void append_string(Buffer& out, std::string_view text);

// How many bytes append_string() writes between the quotes.
std::size_t escaped_bytes(std::string_view text);

// JSON text as it stands, except for bytes that are not valid UTF-8: they become U+FFFD.
void append_valid(Buffer& out, std::string_view text);

// The same as append_string, but bytes that are not valid UTF-8 stay what they are: for the log, which must give names
// back unchanged.
void append_bytes(Buffer& out, std::string_view text);

// The name of an object's field, led by a comma unless the object has just been opened.
inline void append_name(Buffer& out, std::string_view name) {
  out.append(out.view().ends_with('{') ? "\"" : ",\"");
  out.append(name);
  out.append("\":");
}

// Name and value.
inline void append_field(Buffer& out, std::string_view name, std::uint64_t number) {
  append_name(out, name);
  append_number(out, number);
}
inline void append_field(Buffer& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_string(out, text);
}
inline void append_truth_field(Buffer& out, std::string_view name, bool truth) {
  append_name(out, name);
  out.append(truth ? "true" : "false");
}
inline void append_signed_field(Buffer& out, std::string_view name, std::int64_t number) {
  append_name(out, name);
  if (number < 0) out.append('-');
  append_number(out, number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number));
}
inline void append_bytes_field(Buffer& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_bytes(out, text);
}

// A value of the JSON library, for code that is not hot. Strings in it are treated as append_string() treats them.
void append_value(Buffer& out, const nlohmann::ordered_json& value);

}  // namespace karma::json
