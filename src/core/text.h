// Helpers for text of several formats: white space, whole numbers, host names, hex digits, several bytes at once.
#pragma once

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace karma {

inline constexpr std::string_view kBlanks = " \t\n\v\f\r";

inline std::string_view trim(std::string_view text, std::string_view blanks = kBlanks) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// The number that the whole text is: digits, and of a signed type perhaps a minus before them.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Names that mean this machine everywhere (RFC 6761, section 6.3).
inline bool is_localhost(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

inline constexpr char kHexDigits[] = "0123456789abcdef";

// The value of a hex digit, with letters from `first_letter` on, 'a' or 'A'; -1 if it is no such digit.
inline int hex_digit(char byte, char first_letter) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  return byte >= first_letter && byte < first_letter + 6 ? byte - first_letter + 10 : -1;
}

// As epochs and replicas are named: 128 bits.
inline constexpr std::size_t kIdDigits = 32;
inline bool is_id(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of(kHexDigits) == std::string_view::npos;
}

// The value of two hex digits, likewise.
inline int hex_byte(const char* digits, char first_letter) {
  const int high = hex_digit(digits[0], first_letter);
  const int low = hex_digit(digits[1], first_letter);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// Reads as many bytes as the word has.
template <class Word>
Word load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace karma
