#include "core/json_text.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/utf8.h"

namespace karma::json {
namespace {

bool is_plain(unsigned char byte) { return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\'; }

void append_escaped(Buffer& out, unsigned char byte) {
  switch (byte) {
    case '"':
      return out.append("\\\"");
    case '\\':
      return out.append("\\\\");
    case '\b':
      return out.append("\\b");
    case '\f':
      return out.append("\\f");
    case '\n':
      return out.append("\\n");
    case '\r':
      return out.append("\\r");
    case '\t':
      return out.append("\\t");
    default:
      const char escape[6] = {'\\', 'u', '0', '0', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
      out.append(std::string_view(escape, sizeof escape));
  }
}

// Appends the first character of the text, which is not ASCII, or U+FFFD for a byte that begins no character. Returns
// how many bytes of the text that was. Takes nothing after the character: the next one may have to be escaped.
std::size_t append_character(Buffer& out, std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
  const std::string_view character = text.substr(0, length);
  if (character.size() == length && valid_utf8(character)) {
    out.append(character);
    return length;
  }
  out.append("\xEF\xBF\xBD");
  return 1;
}

// `keep_all`: bytes from 0x80 on are copied unchanged.
void append_characters(Buffer& out, std::string_view text, bool keep_all) {
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char byte = static_cast<unsigned char>(text[at]);
    if (is_plain(byte)) {
      out.append(text[at++]);
    } else if (byte < 0x80) {
      append_escaped(out, byte);
      ++at;
    } else if (keep_all) {
      out.append(text[at++]);
    } else {
      at += append_character(out, text.substr(at));
    }
  }
}

bool is_plain(std::string_view text) {
  bool plain = true;
  for (const char byte : text) plain &= is_plain(static_cast<unsigned char>(byte));
  return plain;
}

}  // namespace

void append_string(Buffer& out, std::string_view text) {
  out.append('"');
  if (is_plain(text)) {
    out.append(text);
  } else {
    append_characters(out, text, valid_utf8(text));
  }
  out.append('"');
}

std::size_t escaped_bytes(std::string_view text) {
  if (is_plain(text)) return text.size();
  Buffer out;
  append_string(out, text);
  return out.size() - 2;
}

void append_valid(Buffer& out, std::string_view text) {
  if (valid_utf8(text)) return out.append(text);
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      out.append(text[at++]);
    } else {
      at += append_character(out, text.substr(at));
    }
  }
}

void append_bytes(Buffer& out, std::string_view text) {
  out.append('"');
  if (is_plain(text)) {
    out.append(text);
  } else {
    append_characters(out, text, true);
  }
  out.append('"');
}

void append_value(Buffer& out, const nlohmann::ordered_json& value) {
  out.append(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace karma::json
