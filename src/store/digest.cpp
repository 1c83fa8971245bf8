#include "store/digest.h"

#include <charconv>

#include "core/text.h"

namespace karma::store {
namespace {

constexpr std::size_t kDigits = 16;

}  // namespace

std::string Digest::text() const {
  std::string text;
  for (std::size_t i = kDigits; i > 0; --i) text += kHexDigits[value_ >> 4 * (i - 1) & 15];
  return text;
}

std::optional<Digest> Digest::of_text(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.size() != kDigits || std::from_chars(text.data(), end, value, 16).ptr != end) return {};
  return Digest(value);
}

}  // namespace karma::store
