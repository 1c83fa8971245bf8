// The hash of keys. Clients choose the keys, so the seed, which they do not know, must change which keys collide.
#pragma once

#include <cstdint>

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

}  // namespace karma::store
