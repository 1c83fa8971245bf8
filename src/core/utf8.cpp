#include "core/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace karma {
namespace {

bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the sequence at `text`, of which `left` bytes exist, or 0 if it is malformed.
std::size_t sequence_length(const unsigned char* text, std::size_t left) {
  unsigned char lead = text[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a continuation byte, or an overlong form of ASCII
  if (lead < 0xE0) return left >= 2 && continues(text[1]) ? 2 : 0;
  // The second byte's range excludes overlong forms, surrogates (ED A0..BF) and what lies above U+10FFFF.
  unsigned char lowest = 0x80;
  unsigned char highest = 0xBF;
  if (lead < 0xF0) {
    if (lead == 0xE0) lowest = 0xA0;
    if (lead == 0xED) highest = 0x9F;
    return left >= 3 && lowest <= text[1] && text[1] <= highest && continues(text[2]) ? 3 : 0;
  }
  if (lead > 0xF4) return 0;
  if (lead == 0xF0) lowest = 0x90;
  if (lead == 0xF4) highest = 0x8F;
  bool valid = left >= 4 && lowest <= text[1] && text[1] <= highest && continues(text[2]) && continues(text[3]);
  return valid ? 4 : 0;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t position = 0;
  while (position < text.size()) {
    // Eight ASCII bytes at a time: nearly all text here is ASCII.
    while (text.size() - position >= 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + position, 8);
      if (word & 0x8080808080808080u) break;
      position += 8;
    }
    if (position == text.size()) break;
    std::size_t length = sequence_length(bytes + position, text.size() - position);
    if (length == 0) return false;
    position += length;
  }
  return true;
}

}  // namespace karma
