#include "wal/format.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <limits>

#include "core/crc32c.h"
#include "core/decimal.h"
#include "core/text.h"
#include "wal/envelope.h"
#include "wal/log.h"

namespace karma::wal {
namespace {

constexpr std::string_view kStart = R"({"v":2,"lsn":)";
constexpr std::string_view kEntry = R"(,"entry":)";
constexpr std::string_view kChecksum = R"(,"crc32c":)";
constexpr std::string_view kSegmentSuffix = ".segment";
constexpr std::size_t kChecksumDigits = 10;  // of 2^32 - 1
constexpr std::string_view kWhiteSpace = " \t\r";

// A number written as we write it: digits only, no leading zero.
template <class Number>
std::optional<Number> canonical_number(std::string_view digits) {
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return parse_number<Number>(digits);
}

struct Checksum {
  std::string_view body;  // what it covers
  std::uint32_t value = 0;
};

// The checksum that ends the line, if it has one.
std::optional<Checksum> split_checksum(std::string_view text) {
  if (!text.ends_with('}')) return std::nullopt;
  text.remove_suffix(1);
  std::size_t digits = 0;
  while (digits < text.size() && digits <= kChecksumDigits) {
    const char c = text[text.size() - 1 - digits];
    if (c < '0' || c > '9') break;
    ++digits;
  }
  const std::optional<std::uint32_t> value = canonical_number<std::uint32_t>(text.substr(text.size() - digits));
  if (!value) return std::nullopt;
  text.remove_suffix(digits);
  if (!text.ends_with(kChecksum)) return std::nullopt;
  text.remove_suffix(kChecksum.size());
  return Checksum{text, *value};
}

// The parts of a line up to its entry, if it has the form that append_line writes; otherwise nothing.
std::optional<Line> split_canonical(std::string_view body) {
  if (!body.starts_with(kStart)) return std::nullopt;
  const std::size_t comma = body.find(',', kStart.size());
  if (comma == std::string_view::npos) return std::nullopt;
  const auto lsn = canonical_number<std::uint64_t>(body.substr(kStart.size(), comma - kStart.size()));
  if (!lsn || *lsn == 0 || body.compare(comma, kEntry.size(), kEntry) != 0) return std::nullopt;
  const std::string_view entry = body.substr(comma + kEntry.size());
  if (!entry.starts_with('{') || !entry.ends_with('}')) return std::nullopt;
  return Line{Lsn{*lsn}, entry, true};
}

bool is_compact(std::string_view json) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') in_string = !in_string;
    if (json[i] == '\\') ++i;
    if (!in_string && kWhiteSpace.find(json[i]) != std::string_view::npos) return false;
  }
  return true;
}

// A line without checksum at its end: of Karma 1.0, or not of this log.
ParsedLine understand(std::string_view text) {
  const Envelope envelope = read_envelope(text);
  ParsedLine parsed;
  if (!envelope.is_object) {
    parsed.fault = "not a JSON object";
    return parsed;
  }
  parsed.kind = LineKind::wrong;
  if (envelope.lsn_count == 0 && envelope.entry_count == 0) {
    parsed.fault = "neither lsn nor entry: not a line of this log, or of one older than Karma 1.0";
    return parsed;
  }
  const std::optional<std::uint64_t> lsn = canonical_number<std::uint64_t>(envelope.lsn);
  if (lsn) parsed.line.lsn = Lsn{*lsn};
  if (envelope.lsn_count != 1 || !lsn || *lsn == 0) {
    parsed.fault = "lsn is not a positive number";
  } else if (envelope.entry_count != 1 || !envelope.entry.starts_with('{')) {
    parsed.fault = "entry is not an object";
  } else if (envelope.has_checksum) {
    parsed.fault = "the checksum is not at the end of the line";
  } else if (envelope.has_other) {
    // It may once have been the name of the checksum.
    parsed.fault = "a key that no line of this log has";
  } else if (envelope.version_count > 1 || (envelope.version_count == 1 && envelope.version != "2")) {
    parsed.fault = "v is not 2";
  } else {
    parsed.kind = LineKind::good;
    parsed.line.entry = envelope.entry;
    const std::optional<Line> line = split_canonical(text.substr(0, text.size() - 1));
    parsed.line.exact = line && line->entry == envelope.entry && is_compact(line->entry);
  }
  return parsed;
}

}  // namespace

std::string segment_name(Lsn first) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(first.value));
  return std::string(kActiveName) + "." + digits + std::string(kSegmentSuffix);
}

std::optional<Lsn> segment_lsn(std::string_view name) {
  if (!name.starts_with(kActiveName) || !name.ends_with(kSegmentSuffix)) return std::nullopt;
  if (name.size() <= kActiveName.size() + 1 + kSegmentSuffix.size() || name[kActiveName.size()] != '.') {
    return std::nullopt;
  }
  name.remove_prefix(kActiveName.size() + 1);
  name.remove_suffix(kSegmentSuffix.size());
  const std::optional<std::uint64_t> number = parse_number<std::uint64_t>(name);
  return number ? std::optional(Lsn{*number}) : std::nullopt;
}

std::string index_name(std::string_view segment) { return std::string(segment) + ".idx"; }

std::optional<Lsn> parse_lsn_file(std::string_view content) {
  content = trim(content);
  if (content.empty()) return Lsn{};
  const std::optional<std::uint64_t> number = parse_number<std::uint64_t>(content);
  return number ? std::optional(Lsn{*number}) : std::nullopt;
}

void append_line(Buffer& out, Lsn lsn, std::string_view entry) {
  assert(entry.starts_with('{') && entry.ends_with('}') && entry.find('\n') == std::string_view::npos);
  constexpr std::string_view kEnd = "}\n";
  constexpr std::size_t kFrame = kStart.size() + kEntry.size() + kChecksum.size() + kEnd.size() + 2 * kDecimalRoom;
  char* const line = out.reserve(kFrame + entry.size());
  char* to = line;
  const auto append = [&to](std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  append(kStart);
  to = write_decimal(to, lsn.value);
  append(kEntry);
  append(entry);
  const std::uint32_t checksum = crc32c({line, static_cast<std::size_t>(to - line)});
  append(kChecksum);
  to = write_decimal(to, checksum);
  append(kEnd);
  out.commit(static_cast<std::size_t>(to - line));
}

void append_separator(Buffer& out, std::uint64_t at, std::size_t entries_before) {
  char text[std::numeric_limits<std::size_t>::digits + 1];
  std::size_t size = static_cast<std::size_t>(std::bit_width(entries_before));
  for (std::size_t i = 0; i < size; ++i) text[size - 1 - i] = (entries_before >> i) & 1 ? '\t' : ' ';
  text[size++] = '\n';
  const std::uint64_t room = kSectorBytes - at % kSectorBytes;
  for (std::uint64_t i = 0; room <= size && i < room; ++i) out.append('\n');
  out.append({text, size});
}

std::optional<std::uint64_t> separator_number(std::string_view text) {
  if (text.starts_with(' ') || text.size() > std::numeric_limits<std::uint64_t>::digits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c != ' ' && c != '\t') return std::nullopt;
    number = number * 2 + (c == '\t');
  }
  return number;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(kWhiteSpace) == std::string_view::npos; }

ParsedLine parse_line(std::string_view text) {
  text = trim(text, kWhiteSpace);
  if (text.empty()) return {LineKind::blank, {}, ""};
  const std::optional<Checksum> checksum = split_checksum(text);
  if (checksum) {
    if (crc32c(checksum->body) != checksum->value) return {LineKind::wrong, {{}, {}, true}, "the checksum is wrong"};
    if (const std::optional<Line> line = split_canonical(checksum->body)) return {LineKind::good, *line, ""};
    return {LineKind::wrong, {{}, {}, true}, "written by a newer Karma: a line of another form", true};
  }
  return understand(text);
}

std::optional<std::size_t> checksummed_prefix(std::string_view text) {
  std::uint32_t crc = 0;
  std::size_t covered = 0;
  for (std::size_t at = text.find(kChecksum); at != std::string_view::npos; at = text.find(kChecksum, at + 1)) {
    crc = crc32c(text.substr(covered, at - covered), crc);
    covered = at;
    const std::string_view rest = text.substr(at + kChecksum.size(), kChecksumDigits + 1);
    const std::size_t brace = rest.find('}');
    if (brace == std::string_view::npos) continue;
    const std::optional<std::uint32_t> value = canonical_number<std::uint32_t>(rest.substr(0, brace));
    if (value && *value == crc) return at + kChecksum.size() + brace + 1;
  }
  return std::nullopt;
}

std::optional<Line> checksummed_suffix(std::string_view text) {
  text = trim(text, kWhiteSpace);
  const std::optional<Checksum> checksum = split_checksum(text);
  if (!checksum) return std::nullopt;
  const std::string_view body = checksum->body;
  for (std::size_t at = body.find(kStart); at != std::string_view::npos; at = body.find(kStart, at + 1)) {
    if (crc32c(body.substr(at)) != checksum->value) continue;
    if (const std::optional<Line> line = split_canonical(body.substr(at))) return line;
  }
  return std::nullopt;
}

bool ends_like_a_line(std::string_view text) {
  constexpr std::size_t kTolerated = 2;
  const std::size_t reach = kChecksum.size() + kChecksumDigits + 2;
  if (text.size() > reach) text.remove_prefix(text.size() - reach);
  for (std::size_t at = 0; at + kChecksum.size() <= text.size(); ++at) {
    std::size_t different = 0;
    for (std::size_t i = 0; i < kChecksum.size(); ++i) different += text[at + i] != kChecksum[i];
    if (different <= kTolerated) return true;
  }
  return false;
}

}  // namespace karma::wal
