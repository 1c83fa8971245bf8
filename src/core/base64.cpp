#include "core/base64.h"

#include <cstdint>

namespace karma {

void append_base64(Buffer& out, std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* to = out.reserve((bytes.size() + 2) / 3 * 4);
  const char* const start = to;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    *to++ = kAlphabet[group >> 18];
    *to++ = kAlphabet[group >> 12 & 63];
    *to++ = count > 1 ? kAlphabet[group >> 6 & 63] : '=';
    *to++ = count > 2 ? kAlphabet[group & 63] : '=';
  }
  out.commit(static_cast<std::size_t>(to - start));
}

}  // namespace karma
