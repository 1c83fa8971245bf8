#include "core/utf8.h"

#include <emmintrin.h>
#include <algorithm>
#include <cstddef>

namespace karma {
namespace {

__m128i load16(const unsigned char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

// How many bytes from the start are known to be ASCII: all, or those before the first block of up to 64 bytes with
// another byte.
std::size_t ascii_prefix(const unsigned char* bytes, std::size_t size) {
  std::size_t at = 0;
  for (; size - at >= 64; at += 64) {
    const __m128i all = _mm_or_si128(_mm_or_si128(load16(bytes + at), load16(bytes + at + 16)),
                                     _mm_or_si128(load16(bytes + at + 32), load16(bytes + at + 48)));
    if (_mm_movemask_epi8(all) != 0) return at;
  }
  if (size < 16) return at;
  __m128i rest = load16(bytes + size - 16);  // some of the last 16 may have been examined already
  for (std::size_t next = at; size - next >= 16; next += 16) rest = _mm_or_si128(rest, load16(bytes + next));
  return _mm_movemask_epi8(rest) == 0 ? size : at;
}

bool continues(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the sequence at `text`, of which `left` bytes exist, or 0 if it is malformed.
std::size_t sequence_length(const unsigned char* text, std::size_t left) {
  unsigned char lead = text[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a continuation byte, or an overlong form of ASCII
  if (lead < 0xE0) return left >= 2 && continues(text[1]) ? 2 : 0;
  // The second byte's range excludes overlong forms, surrogates (ED A0..BF) and code points above U+10FFFF.
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
  // Nearly all text here is ASCII.
  std::size_t position = ascii_prefix(bytes, text.size());
  while (position < text.size()) {
    if (bytes[position] < 0x80) {
      position += std::max<std::size_t>(ascii_prefix(bytes + position, text.size() - position), 1);
      continue;
    }
    std::size_t length = sequence_length(bytes + position, text.size() - position);
    if (length == 0) return false;
    position += length;
  }
  return true;
}

}  // namespace karma
