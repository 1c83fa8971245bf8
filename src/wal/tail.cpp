#include "wal/tail.h"

#include <limits>

#include "wal/format.h"

namespace karma::wal {

std::optional<std::string> sign_of_damage(const RawLine& line) {
  if (const std::optional<Line> good = checksummed_suffix(line.text)) {
    return "the line of LSN " + std::to_string(good->lsn.value) + " is whole";
  }
  if (!line.terminated) return std::nullopt;
  if (line.text.find(std::string_view("\0\0", 2)) != std::string_view::npos) return std::nullopt;
  const ParsedLine parsed = parse_line(line.text);
  if (parsed.kind == LineKind::blank) return std::nullopt;
  if (parsed.kind == LineKind::good) return "a line of LSN " + std::to_string(parsed.line.lsn.value);
  if (parsed.kind == LineKind::wrong) return parsed.fault;
  if (ends_like_a_line(line.text)) return "a whole line that cannot be read";
  return std::nullopt;
}

Result<std::optional<std::string>> sign_of_damage(const File& file, std::uint64_t begin) {
  LineReader reader(file, begin, std::numeric_limits<std::uint64_t>::max());
  RawLine line;
  for (;;) {
    const Result<bool> more = reader.next(line);
    if (!more) return more.error();
    if (!*more) return std::optional<std::string>();
    if (std::optional<std::string> sign = sign_of_damage(line)) return sign;
  }
}

}  // namespace karma::wal
