// The hash of keys and of names. Clients choose both, so the seed, which they do not know, must change which collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <karma/types.h>

namespace karma::store {

// All 64 bits are usable: the directory takes the highest, a page the lowest.
inline std::uint64_t hash_key(Key key, std::uint64_t seed) {
  // Folding a product of two secret-dependent factors mixes far better than a product that is cut off.
  auto product = static_cast<unsigned __int128>(key.value ^ seed) * ((seed * 0xD1342543DE82EF95u) | 1);
  auto mixed = static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
  product = static_cast<unsigned __int128>(mixed ^ 0x9E3779B97F4A7C15u) * 0xA0761D6478BD642Fu;
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

namespace detail {

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
std::uint64_t word(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace detail

// Words of the text, each mixed with a secret of its own; the last two may overlap.
inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t kOdd = 0xA0761D6478BD642F;
  const std::uint64_t secret = (seed * 0xD1342543DE82EF95) | 1;
  const char* const from = text.data();
  const std::size_t size = text.size();
  std::uint64_t state = seed ^ size;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (size >= 8) {
    for (std::size_t at = 0; at + 16 < size; at += 8)
      state = detail::mix(state ^ detail::word<std::uint64_t>(from + at), secret);
    first = detail::word<std::uint64_t>(from + (size > 16 ? size - 16 : 0));
    last = detail::word<std::uint64_t>(from + size - 8);
  } else if (size >= 4) {
    first = detail::word<std::uint32_t>(from);
    last = detail::word<std::uint32_t>(from + size - 4);
  } else {
    for (const char byte : text) first = first << 8 | static_cast<unsigned char>(byte);
  }
  return detail::mix(detail::mix(state ^ first, secret) ^ last ^ kOdd, secret ^ kOdd);
}

// Of texts in a hash table.
class TextHash {
 public:
  using is_transparent = void;
  explicit TextHash(std::uint64_t seed) : seed_(seed) {}
  std::size_t operator()(std::string_view text) const { return hash_text(text, seed_); }

 private:
  std::uint64_t seed_;
};

}  // namespace karma::store
