// SHA-256 (FIPS 180-4), for fingerprints: identifies content, keeps no secrets.
//
// Uses the processor's SHA instructions where it has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace karma {

using Sha256Digest = std::array<std::uint8_t, 32>;

// Bytes in pieces, then finish() once. Not thread-safe.
class Sha256 {
 public:
  Sha256();

  void update(std::string_view bytes);
  Sha256Digest finish();

 private:
  static constexpr std::size_t kBlockBytes = 64;

  std::array<std::uint32_t, 8> state_;
  std::uint64_t length_ = 0;
  std::array<std::uint8_t, kBlockBytes> pending_;  // the first length_ % 64 bytes are waiting
};

Sha256Digest sha256(std::string_view bytes);

// Lowercase hex.
inline constexpr std::size_t kSha256HexBytes = 64;
void write_hex(const Sha256Digest& digest, char* into);
std::string to_hex(const Sha256Digest& digest);
// Exactly 64 lowercase hex digits; false, and `digest` unspecified, for anything else.
bool parse_hex(std::string_view text, Sha256Digest& digest);

namespace detail {

// The portable code, so that tests can compare it with what the processor offers.
void sha256_blocks_portable(std::array<std::uint32_t, 8>& state, const std::uint8_t* blocks, std::size_t count);
// What Sha256 uses on this machine.
void sha256_blocks(std::array<std::uint32_t, 8>& state, const std::uint8_t* blocks, std::size_t count);

}  // namespace detail

}  // namespace karma
