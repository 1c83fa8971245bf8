#include "store/dense_sum.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace karma::store {
namespace {

template <class Value>
DenseSum scalar(const std::byte* values, std::size_t count) {
  DenseSum sum;
  for (std::size_t i = 0; i < count; ++i) {
    Value value;
    std::memcpy(&value, values + i * sizeof(Value), sizeof(Value));
    sum.total += value;
    sum.nonzero += value != 0;
  }
  return sum;
}

}  // namespace

DenseSum dense_sum_scalar(const std::byte* values, std::size_t count, unsigned width) {
  return with_values_of(width, [&](auto value) { return scalar<decltype(value)>(values, count); });
}

#if defined(__x86_64__)

#define KARMA_AVX2 __attribute__((target("avx2,popcnt")))
#define KARMA_AVX2_INLINE __attribute__((target("avx2,popcnt"), always_inline)) inline

namespace {

constexpr std::size_t kVectorBytes = 32;

// Loading 32 bytes at kTailMask + n keeps the last n bytes of a vector.
alignas(64) constexpr unsigned char kTailMask[64] = {
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

KARMA_AVX2_INLINE __m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

// The sum of one vector's values, spread over four 64-bit lanes.
template <unsigned kWidth>
KARMA_AVX2_INLINE __m256i widen(__m256i values) {
  const __m256i zero = _mm256_setzero_si256();
  if constexpr (kWidth == 1) {
    return _mm256_sad_epu8(values, zero);
  } else if constexpr (kWidth == 2) {
    __m256i low = _mm256_sad_epu8(_mm256_and_si256(values, _mm256_set1_epi16(0xFF)), zero);
    __m256i high = _mm256_sad_epu8(_mm256_srli_epi16(values, 8), zero);
    return _mm256_add_epi64(low, _mm256_slli_epi64(high, 8));
  } else if constexpr (kWidth == 4) {
    __m256i low = _mm256_and_si256(values, _mm256_set1_epi64x(0xFFFFFFFF));
    return _mm256_add_epi64(low, _mm256_srli_epi64(values, 32));
  } else {
    return values;
  }
}

// One bit for each byte that belongs to a zero value.
template <unsigned kWidth>
KARMA_AVX2_INLINE std::uint32_t zero_bytes(__m256i values) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i equal;
  if constexpr (kWidth == 1) equal = _mm256_cmpeq_epi8(values, zero);
  if constexpr (kWidth == 2) equal = _mm256_cmpeq_epi16(values, zero);
  if constexpr (kWidth == 4) equal = _mm256_cmpeq_epi32(values, zero);
  if constexpr (kWidth == 8) equal = _mm256_cmpeq_epi64(values, zero);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(equal));
}

// Fewer than 8 bytes, followed by zeros. Loads overlap, and what they both have is the same.
inline std::uint64_t load_few(const std::byte* from, std::size_t bytes) {
  const auto at = [&]<class Word>(Word word, std::size_t place) {
    std::memcpy(&word, from + place, sizeof word);
    return std::uint64_t{word} << (8 * place);
  };
  if (bytes >= 4) return at(std::uint32_t(), 0) | at(std::uint32_t(), bytes - 4);
  if (bytes == 0) return 0;
  return at(std::uint8_t(), 0) | at(std::uint8_t(), bytes / 2) | at(std::uint8_t(), bytes - 1);
}

// Fewer than 32 bytes with zeros among them; what lies after them is not touched. Two loads that may overlap, the
// second without what the first has: shorter than copying, which would stall on its own stores.
KARMA_AVX2_INLINE __m256i load_short(const std::byte* from, std::size_t bytes) {
  if (bytes >= 16) {
    __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + bytes - 16));
    __m128i mask = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kTailMask + 16 + (bytes - 16)));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_and_si128(high, mask), 1);
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (bytes > 8) {
    std::memcpy(&low, from, 8);
    std::memcpy(&high, from + bytes - 8, 8);
    high >>= 8 * (16 - bytes);
  } else if (bytes == 8) {
    std::memcpy(&low, from, 8);
  } else {
    low = load_few(from, bytes);
  }
  return _mm256_set_epi64x(0, 0, static_cast<long long>(high), static_cast<long long>(low));
}

template <unsigned kWidth>
KARMA_AVX2 DenseSum avx2(const std::byte* values, std::size_t count) {
  std::size_t bytes = count * kWidth;
  __m256i lanes = _mm256_setzero_si256();
  std::uint64_t nonzero_bytes = 0;
  std::size_t at = 0;
  for (; at + kVectorBytes <= bytes; at += kVectorBytes) {
    __m256i vector = load(values + at);
    lanes = _mm256_add_epi64(lanes, widen<kWidth>(vector));
    nonzero_bytes += kVectorBytes - static_cast<unsigned>(std::popcount(zero_bytes<kWidth>(vector)));
  }
  if (at < bytes) {
    // The last vector overlaps the one before, whose part is masked away.
    __m256i vector = bytes < kVectorBytes
                         ? load_short(values, bytes)
                         : _mm256_and_si256(load(values + bytes - kVectorBytes), load(kTailMask + (bytes - at)));
    lanes = _mm256_add_epi64(lanes, widen<kWidth>(vector));
    nonzero_bytes += kVectorBytes - static_cast<unsigned>(std::popcount(zero_bytes<kWidth>(vector)));
  }
  __m128i half = _mm_add_epi64(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  half = _mm_add_epi64(half, _mm_unpackhi_epi64(half, half));
  return {static_cast<std::uint64_t>(_mm_cvtsi128_si64(half)), nonzero_bytes / kWidth};
}

// One look at the width for all of them.
template <unsigned kWidth>
KARMA_AVX2 void avx2_totals(std::span<const DensePart> parts, std::uint64_t* totals) {
  for (const DensePart& part : parts) *totals++ = avx2<kWidth>(part.values, part.count).total;
}

}  // namespace

DenseSum dense_sum_avx2(const std::byte* values, std::size_t count, unsigned width) {
  return with_values_of(width, [&](auto value) { return avx2<sizeof value>(values, count); });
}

bool has_avx2() {
  __builtin_cpu_init();  // may run before the C runtime's own call
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

#else

DenseSum dense_sum_avx2(const std::byte* values, std::size_t count, unsigned width) {
  return dense_sum_scalar(values, count, width);
}

bool has_avx2() { return false; }

#endif

namespace {
const bool kHasAvx2 = has_avx2();
}  // namespace

void dense_totals(std::span<const DensePart> parts, unsigned width, std::span<std::uint64_t> totals) {
#if defined(__x86_64__)
  if (kHasAvx2) return with_values_of(width, [&](auto value) { avx2_totals<sizeof value>(parts, totals.data()); });
#endif
  for (std::size_t i = 0; i < parts.size(); ++i)
    totals[i] = dense_sum_scalar(parts[i].values, parts[i].count, width).total;
}

DenseSum dense_sum(const std::byte* values, std::size_t count, unsigned width) {
  return kHasAvx2 ? dense_sum_avx2(values, count, width) : dense_sum_scalar(values, count, width);
}

}  // namespace karma::store
