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

}  // namespace karma
