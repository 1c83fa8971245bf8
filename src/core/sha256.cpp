// The functions have been deprecated in favour of EVP since OpenSSL 3.0, which keeps them.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "core/sha256.h"

#include "core/text.h"

namespace karma {

Sha256::Sha256() { SHA256_Init(&context_); }

void Sha256::update(std::string_view bytes) { SHA256_Update(&context_, bytes.data(), bytes.size()); }

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  SHA256_Final(digest.data(), &context_);
  return digest;
}

Sha256Digest sha256(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.finish();
}

void write_hex(const Sha256Digest& digest, char* into) {
  for (const std::uint8_t byte : digest) {
    *into++ = kHexDigits[byte >> 4];
    *into++ = kHexDigits[byte & 15];
  }
}

std::string to_hex(const Sha256Digest& digest) {
  std::string text(kSha256HexBytes, '\0');
  write_hex(digest, text.data());
  return text;
}

bool parse_hex(std::string_view text, Sha256Digest& digest) {
  if (text.size() != kSha256HexBytes) return false;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int byte = hex_byte(&text[2 * i], 'a');
    if (byte < 0) return false;
    digest[i] = static_cast<std::uint8_t>(byte);
  }
  return true;
}

}  // namespace karma
