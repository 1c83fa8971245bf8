#include "wal/segment_index.h"

#include <charconv>
#include <limits>
#include <optional>

#include "core/decimal.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "wal/format.h"

namespace karma::wal {
namespace {

constexpr std::size_t kMaxLine = 48;  // two numbers of 20 digits, a space, a line feed
constexpr std::uint64_t kLinearBytes = 512;

std::string header(std::uint64_t size) { return "KARMA_WAL_INDEX_V1 size=" + std::to_string(size) + "\n"; }

struct Place {
  Lsn lsn;
  std::uint64_t offset = 0;
};

std::optional<Place> parse_place(std::string_view line) {
  Place place;
  const char* end = line.data() + line.size();
  const auto lsn = std::from_chars(line.data(), end, place.lsn.value);
  if (lsn.ec != std::errc() || lsn.ptr == end || *lsn.ptr != ' ') return std::nullopt;
  const auto offset = std::from_chars(lsn.ptr + 1, end, place.offset);
  if (offset.ec != std::errc() || offset.ptr != end) return std::nullopt;
  return place;
}

// The first line that begins at or after `from`, and where the next one begins.
std::optional<std::pair<Place, std::uint64_t>> place_behind(const File& file, std::uint64_t from) {
  char block[2 * kMaxLine];
  const Result<std::size_t> got = file.read_at(from - 1, block, sizeof block);
  if (!got) return std::nullopt;
  const std::string_view text(block, *got);
  const std::size_t begin = text.find('\n');
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find('\n', begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::optional<Place> place = parse_place(text.substr(begin + 1, end - begin - 1));
  if (!place) return std::nullopt;
  return std::pair(*place, from + end);
}

// The last place at or before `lsn` in the lines that begin in [low, high), beginning with the line at `low`.
std::optional<Place> search(const File& file, std::uint64_t low, std::uint64_t high, Lsn lsn) {
  while (high - low > kLinearBytes) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto found = place_behind(file, middle);
    if (!found) return std::nullopt;
    if (found->first.lsn <= lsn) {
      low = middle;
    } else {
      high = middle;
    }
  }
  std::optional<Place> best;
  for (std::uint64_t at = low;;) {
    const auto found = place_behind(file, at);
    if (!found || found->first.lsn > lsn || at > high) return best;
    best = found->first;
    at = found->second;
  }
}

}  // namespace

Status write_segment_index(FileSystem& files, const std::string& directory, const std::string& segment,
                           std::uint64_t size, Lsn first, std::span<const std::uint64_t> offsets) {
  Result<std::unique_ptr<ReplaceFile>> index = ReplaceFile::create(files, directory, index_name(segment));
  if (!index) return index.error();
  if (Status appended = (*index)->append(header(size)); !appended) return appended;
  for (const std::uint64_t offset : offsets) {
    char line[kMaxLine];
    char* to = write_decimal(line, first.value);
    *to++ = ' ';
    to = write_decimal(to, offset);
    *to++ = '\n';
    if (Status appended = (*index)->append({line, static_cast<std::size_t>(to - line)}); !appended) return appended;
    first = first.next();
  }
  return (*index)->commit();
}

std::uint64_t find_in_index(FileSystem& files, const std::string& directory, const std::string& segment,
                            std::uint64_t size, Lsn lsn) {
  const std::string path = join_path(directory, index_name(segment));
  if (!files.exists(path)) return 0;
  const Result<std::unique_ptr<File>> file = files.open(path, FileSystem::Open::read);
  if (!file) return 0;
  const Result<std::uint64_t> index_size = (*file)->size();
  if (!index_size) return 0;
  const std::string expected = header(size);
  std::string found(expected.size(), '\0');
  const Result<std::size_t> got = (*file)->read_at(0, found.data(), found.size());
  if (!got || *got != expected.size() || found != expected || *index_size <= expected.size()) return 0;
  const std::optional<Place> place = search(**file, expected.size(), *index_size, lsn);
  return place && place->offset < size ? place->offset : 0;
}

}  // namespace karma::wal
