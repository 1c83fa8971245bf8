#include "wal/tail.h"

#include <algorithm>
#include <limits>

#include "wal/format.h"
#include "wal/line_reader.h"

namespace karma::wal {
namespace {

// Goes along with the lines of the rest and knows which of them belong to a batch that lacks sectors.
class LackingSectors {
 public:
  LackingSectors(std::uint64_t begin, Lsn missing) : begin_(begin), missing_(missing) {}

  // A line that is not whole, or blank. True if it lacks sectors itself.
  bool pass(const RawLine& line) {
    const bool zeros = line.text.find('\0') != std::string_view::npos;
    const bool sectors = zeros && zeros_are_sectors(line);
    zeros_ = zeros_ || zeros;
    only_sectors_ = only_sectors_ && zeros == sectors;
    batch_begin_.reset();
    before_ = separator_number(line.text.substr(line.text.rfind('\0') + 1));
    return sectors;
  }

  // A whole line: is it of such a batch?
  bool explain(Lsn lsn) {
    if (before_ && *before_ < lsn.value) batch_begin_ = Lsn{lsn.value - *before_};
    before_.reset();
    return zeros_ && only_sectors_ && batch_begin_ && *batch_begin_ <= missing_ && missing_ <= lsn;
  }

 private:
  bool zeros_are_sectors(const RawLine& line) const {
    const auto is_border = [](std::uint64_t offset) { return offset % kSectorBytes == 0; };
    for (std::size_t begin = line.text.find('\0'); begin != std::string_view::npos;) {
      const std::size_t end = std::min(line.text.find_first_not_of('\0', begin), line.text.size());
      const bool reaches_end_of_file = end == line.text.size() && !line.terminated;
      if (line.offset + begin != begin_ && !is_border(line.offset + begin)) return false;
      if (!reaches_end_of_file && !is_border(line.offset + end)) return false;
      begin = line.text.find('\0', end);
    }
    return true;
  }

  const std::uint64_t begin_;
  const Lsn missing_;
  bool zeros_ = false;                   // there are some
  bool only_sectors_ = true;             // these zeros
  std::optional<std::uint64_t> before_;  // by the separator that was the last line
  std::optional<Lsn> batch_begin_;       // of the last line, if a separator has told
};

// Why a line that is not whole is damage, or nothing if it is torn or blank.
std::optional<std::string> sign_of_damage(const RawLine& line) {
  if (!line.terminated) return std::nullopt;
  if (line.text.find(std::string_view("\0\0", 2)) != std::string_view::npos) return std::nullopt;
  const ParsedLine parsed = parse_line(line.text);
  if (parsed.kind == LineKind::blank) return std::nullopt;
  if (parsed.kind == LineKind::good) return "a line of LSN " + std::to_string(parsed.line.lsn.value);
  if (parsed.kind == LineKind::wrong) return parsed.fault;
  if (ends_like_a_line(line.text)) return "a whole line that cannot be read";
  return std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> sign_of_damage(const File& file, std::uint64_t begin, Lsn missing) {
  LineReader reader(file, begin, std::numeric_limits<std::uint64_t>::max());
  LackingSectors batch(begin, missing);
  RawLine line;
  for (;;) {
    const Result<bool> more = reader.next(line);
    if (!more) return more.error();
    if (!*more) return std::optional<std::string>();
    if (const std::optional<Line> good = checksummed_suffix(line.text)) {
      const bool alone = parse_line(line.text).kind == LineKind::good;
      if (alone && batch.explain(good->lsn)) continue;
      return std::optional("the line of LSN " + std::to_string(good->lsn.value) + " is whole");
    }
    if (batch.pass(line)) continue;
    if (std::optional<std::string> sign = sign_of_damage(line)) return sign;
  }
}

}  // namespace karma::wal
