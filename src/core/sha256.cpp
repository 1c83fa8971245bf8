#include "core/sha256.h"

#include <cpuid.h>
#include <immintrin.h>

#include <bit>
#include <cstring>

#include "core/hex.h"

namespace karma {
namespace {

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
alignas(64) constexpr std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

std::uint32_t load_big_endian(const std::uint8_t* bytes) {
  std::uint32_t word;
  std::memcpy(&word, bytes, 4);
  return __builtin_bswap32(word);
}

void block_portable(State& state, const std::uint8_t* block) {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i) w[i] = load_big_endian(block + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const State add{a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state[i] += add[i];
}

// Four rounds an iteration; unrolled, or the schedule would go through memory. The instructions keep the state as
// (a,b,e,f) and (c,d,g,h), highest element first.
__attribute__((target("sha,sse4.1,ssse3"))) void blocks_sha_ni(State& state, const std::uint8_t* blocks,
                                                               std::size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i*>(&state[0]));
  const __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i*>(&state[4]));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);

  for (; count != 0; --count, blocks += 64) {
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the message schedule
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + 16 * i)), swap);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      __m128i& now = w[i & 3];
      if (i >= 4) {
        const __m128i& before = w[(i + 3) & 3];
        now = _mm_sha256msg1_epu32(now, w[(i + 1) & 3]);
        now = _mm_add_epi32(now, _mm_alignr_epi8(before, w[(i + 2) & 3], 4));
        now = _mm_sha256msg2_epu32(now, before);
      }
      __m128i rounds = _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(kRound + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, rounds);
      rounds = _mm_shuffle_epi32(rounds, 0x0E);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, rounds);
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }

  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[4]), _mm_alignr_epi8(dchg, feba, 8));
}

// GCC 12 knows no "sha" in __builtin_cpu_supports.
bool has_sha_ni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 29 & 1) != 0;
}

using Blocks = void (*)(State&, const std::uint8_t*, std::size_t);

Blocks pick_blocks() { return has_sha_ni() ? blocks_sha_ni : detail::sha256_blocks_portable; }

}  // namespace

namespace detail {

void sha256_blocks_portable(State& state, const std::uint8_t* blocks, std::size_t count) {
  for (; count != 0; --count, blocks += 64) block_portable(state, blocks);
}

void sha256_blocks(State& state, const std::uint8_t* blocks, std::size_t count) {
  static const Blocks best = pick_blocks();
  best(state, blocks, count);
}

}  // namespace detail

// The first 32 bits of the fractions of the square roots of the first 8 primes.
Sha256::Sha256()
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19} {}

void Sha256::update(std::string_view bytes) {
  const std::size_t waiting = length_ % kBlockBytes;
  length_ += bytes.size();
  const auto* from = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  if (waiting != 0) {
    const std::size_t taken = left < kBlockBytes - waiting ? left : kBlockBytes - waiting;
    if (taken != 0) std::memcpy(pending_.data() + waiting, from, taken);
    from += taken;
    left -= taken;
    if (waiting + taken < kBlockBytes) return;
    detail::sha256_blocks(state_, pending_.data(), 1);
  }
  if (left >= kBlockBytes) {
    detail::sha256_blocks(state_, from, left / kBlockBytes);
    from += left / kBlockBytes * kBlockBytes;
    left %= kBlockBytes;
  }
  if (left != 0) std::memcpy(pending_.data(), from, left);
}

Sha256Digest Sha256::finish() {
  const std::uint64_t bits = length_ * 8;
  std::size_t waiting = length_ % kBlockBytes;
  pending_[waiting++] = 0x80;
  if (waiting > kBlockBytes - 8) {
    std::memset(pending_.data() + waiting, 0, kBlockBytes - waiting);
    detail::sha256_blocks(state_, pending_.data(), 1);
    waiting = 0;
  }
  std::memset(pending_.data() + waiting, 0, kBlockBytes - 8 - waiting);
  const std::uint64_t big_endian_bits = __builtin_bswap64(bits);
  std::memcpy(pending_.data() + kBlockBytes - 8, &big_endian_bits, 8);
  detail::sha256_blocks(state_, pending_.data(), 1);
  Sha256Digest digest;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint32_t word = __builtin_bswap32(state_[i]);
    std::memcpy(digest.data() + 4 * i, &word, 4);
  }
  return digest;
}

Sha256Digest sha256(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.finish();
}

void write_hex(const Sha256Digest& digest, char* into) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : digest) {
    *into++ = kDigits[byte >> 4];
    *into++ = kDigits[byte & 15];
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
    const int high = hex_digit(text[2 * i], 'a');
    const int low = hex_digit(text[2 * i + 1], 'a');
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace karma
