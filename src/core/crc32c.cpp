#include "core/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace karma {

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // the library counts in int
  std::uint32_t crc = ~seed;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPiece);
    // It only reads, although it takes a pointer to what may be changed.
    auto* const data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
    crc = crc32_iscsi(data, static_cast<int>(size), crc);
    bytes.remove_prefix(size);
  }
  return ~crc;
}

namespace {
constexpr std::string_view kChecksumField = R"(,"crc32c":)";
}  // namespace

std::string checksum_end(std::string_view before) {
  return std::string(kChecksumField) + std::to_string(crc32c(before)) + "}\n";
}

bool has_right_checksum(std::string_view text) {
  const std::size_t at = text.rfind(kChecksumField);
  return at != text.npos && text.substr(at) == checksum_end(text.substr(0, at));
}

}  // namespace karma
