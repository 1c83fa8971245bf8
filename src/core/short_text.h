// Comparing, hashing and copying names of a few bytes in place, without a call and without a loop over bytes: a request
// is decoded by looking up a handful of them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace karma {

namespace detail {

template <class Word>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

template <class Word>
bool same_ends(const char* a, const char* b, std::size_t size) {
  const std::size_t last = size - sizeof(Word);
  return load<Word>(a) == load<Word>(b) && load<Word>(a + last) == load<Word>(b + last);
}

template <class Word>
void copy_ends(char* to, const char* from, std::size_t size) {
  const Word first = load<Word>(from);
  const Word last = load<Word>(from + size - sizeof(Word));
  std::memcpy(to, &first, sizeof first);
  std::memcpy(to + size - sizeof(Word), &last, sizeof last);
}

}  // namespace detail

// a == b. Best up to 16 bytes, right for any size.
inline bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() > 16) return std::memcmp(a.data(), b.data(), a.size()) == 0;
  if (a.size() >= 8) return detail::same_ends<std::uint64_t>(a.data(), b.data(), a.size());
  if (a.size() >= 4) return detail::same_ends<std::uint32_t>(a.data(), b.data(), a.size());
  if (a.size() >= 2) return detail::same_ends<std::uint16_t>(a.data(), b.data(), a.size());
  return a.empty() || a[0] == b[0];
}

// memcpy(). Best up to 32 bytes, right for any size.
inline void copy_short(char* to, const char* from, std::size_t size) {
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    detail::copy_ends<unsigned __int128>(to, from, size);
  } else if (size >= 8) {
    detail::copy_ends<std::uint64_t>(to, from, size);
  } else if (size >= 4) {
    detail::copy_ends<std::uint32_t>(to, from, size);
  } else if (size >= 2) {
    detail::copy_ends<std::uint16_t>(to, from, size);
  } else if (size == 1) {
    *to = *from;
  }
}

// Of the length and the first and last eight bytes: enough to tell the names of Karma apart, not for what clients
// choose freely.
inline std::uint64_t short_hash(std::string_view text) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (text.size() >= 8) {
    first = detail::load<std::uint64_t>(text.data());
    last = detail::load<std::uint64_t>(text.data() + text.size() - 8);
  } else {
    for (const char byte : text) first = first << 8 | static_cast<unsigned char>(byte);
  }
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  const std::uint64_t mixed = (first ^ std::rotl(last, 29) ^ text.size()) * kOdd;
  return mixed ^ mixed >> 32;
}

}  // namespace karma
