#include "core/base64.h"

#include <openssl/evp.h>

#include <climits>

#include "core/check.h"

namespace karma {

void append_base64(Buffer& out, std::string_view bytes) {
  const std::size_t size = (bytes.size() + 2) / 3 * 4;
  KARMA_CHECK(size <= INT_MAX);
  auto* to = reinterpret_cast<unsigned char*>(out.reserve(size + 1));  // a NUL is written after the text
  EVP_EncodeBlock(to, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.commit(size);
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  if (text.empty()) return bytes;
  if (text.size() % 4 != 0 || text.size() > INT_MAX) return {};
  // It passes over blanks at both ends, which are no part of this, and leaves padding as zeros.
  const int count = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                    reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (count != static_cast<int>(bytes.size())) return {};
  bytes.resize(bytes.size() - (text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0));
  return bytes;
}

}  // namespace karma
