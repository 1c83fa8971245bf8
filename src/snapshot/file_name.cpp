#include "snapshot/file_name.h"

#include <limits>

#include "core/text.h"
#include "snapshot/manager.h"

namespace karma::snapshot {
namespace {

constexpr std::string_view kEscaped = "%karma%";
constexpr std::string_view kAbridged = "%karma-long%";
// File names have at most 255 bytes; 55 are for time stamp, suffixes and what a temporary name adds.
constexpr std::size_t kMaxNameBytes = 200;
constexpr std::size_t kAbridgedStartBytes = 60;
// There must be room for later ones.
constexpr std::int64_t kLatestTimestamp = std::numeric_limits<std::int64_t>::max() / 2;

std::string escape(std::string_view name) {
  std::string escaped;
  for (const char byte : name) {
    if (byte == '/' || byte == '%' || byte == '\0') {
      constexpr char kUpperHex[] = "0123456789ABCDEF";
      const auto number = static_cast<unsigned char>(byte);
      escaped += {'%', kUpperHex[number >> 4], kUpperHex[number & 15]};
    } else {
      escaped += byte;
    }
  }
  return escaped;
}

std::optional<std::string> unescape(std::string_view escaped) {
  std::string name;
  for (std::size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '%') {
      name += escaped[at];
      continue;
    }
    if (escaped.size() - at < 3) return {};
    const int byte = hex_byte(&escaped[at + 1], 'A');
    if (byte < 0) return {};
    name += static_cast<char>(byte);
    at += 2;
  }
  return name;
}

// FNV-1a; part of the names on disk.
std::string hash_digits(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  std::string digits(16, '0');
  for (std::size_t at = digits.size(); at-- > 0; hash >>= 4) digits[at] = kHexDigits[hash & 15];
  return digits;
}

bool fits_verbatim(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.find('/') == name.npos && name.find('\0') == name.npos &&
         !name.starts_with(kEscaped) && !name.starts_with(kAbridged);
}

std::string name_part(std::string_view series) {
  if (fits_verbatim(series)) return std::string(series);
  const std::string escaped = escape(series);
  if (kEscaped.size() + escaped.size() <= kMaxNameBytes) return std::string(kEscaped) + escaped;
  return std::string(kAbridged) + hash_digits(series) + '%' + escaped.substr(0, kAbridgedStartBytes);
}

// As lenient as Karma 1.0: a sign, leading zeros and white space around are fine.
std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return {};
  }
  const std::optional<std::int64_t> timestamp = parse_number<std::int64_t>(text);
  if (timestamp > kLatestTimestamp) return {};
  return timestamp;
}

}  // namespace

std::optional<FileName> parse_file_name(std::string_view file) {
  if (file.starts_with('.') || !file.ends_with(kTreeSuffix)) return {};
  file.remove_suffix(kTreeSuffix.size());
  const std::size_t separator = file.find('_');
  if (separator == file.npos || separator + 1 == file.size()) return {};
  const std::optional<std::int64_t> timestamp = parse_timestamp(file.substr(0, separator));
  if (!timestamp) return {};
  const std::string_view name = file.substr(separator + 1);
  if (name.starts_with(kEscaped)) {
    std::optional<std::string> series = unescape(name.substr(kEscaped.size()));
    if (!series) return {};
    return FileName{*timestamp, std::move(*series), false};
  }
  return FileName{*timestamp, std::string(name), name.starts_with(kAbridged)};
}

std::string make_file_name(std::int64_t timestamp, std::string_view series) {
  return std::to_string(timestamp) + '_' + name_part(series) + std::string(kTreeSuffix);
}

std::string_view file_name_fault(std::string_view file) {
  if (file.empty()) return "must not be empty";
  if (file.find('\0') != file.npos) return "must not contain NUL";
  if (file.find('/') != file.npos) return "must be a file name without directories";
  if (!file.ends_with(kTreeSuffix)) return "must end in .tree";
  return {};
}

}  // namespace karma::snapshot
