#include "tools/import_plan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/crc32c.h"
#include "tools/line_source.h"

namespace karma::tools {
namespace {

constexpr std::size_t kOtherBytesStep = 512;
constexpr std::size_t kLongestItemBytes = 20 + 8 + 20 + 4 + 1;  // with its comma
constexpr std::size_t kMaxBadLines = 10;
constexpr std::size_t kContentDigits = 16;
constexpr std::size_t kStreamIdDigits = 40;

using OnBadLine = std::function<void(std::uint64_t line, const Error& error)>;

// The first pass.
class Planner {
 public:
  Planner(PointsReader& reader, bool zero_allowed, const Cut& cut, const OnBadLine& on_bad_line)
      : reader_(reader), zero_allowed_(zero_allowed), cut_(cut), on_bad_line_(on_bad_line) {}

  // Returns how many lines they are; fails if there are too many wrong ones.
  Result<std::uint64_t> take(std::string_view lines, std::uint64_t offset) {
    const std::uint64_t before = lines_;
    const char* at = lines.data();
    const char* const end = at + lines.size();
    const char* unsummed = at;
    while (at != end) {
      const char* const line = at;
      ++lines_;
      std::optional<Item> item;
      std::size_t bytes = 0;
      // Nearly all lines of nearly all files.
      if (reader_.takes_plain()) item = take_plain_line(at, end);
      if (item) {
        bytes = static_cast<std::size_t>(at - line) - 1 + kBrackets;
      } else {
        Result<std::optional<Item>> read = reader_.read(line_at(at, end));
        if (!read) {
          if (Status status = bad_line(read.error()); !status.ok()) return status.error();
          continue;
        }
        if (!*read) continue;
        item = **read;
        bytes = item_bytes(*item);
      }
      if (item->value == 0 && !zero_allowed_) {
        const Error zero = validation_error("the value must be greater than 0 (mode set deletes points by 0)");
        if (Status status = bad_line(zero); !status.ok()) return status.error();
        continue;
      }
      if (is_full(*item, bytes + 1)) {
        checksum({unsummed, line});
        unsummed = line;
        plan_.chunks.push_back({.offset = offset + static_cast<std::uint64_t>(line - lines.data())});
        bytes_ = sum_ = 0;
      }
      ++plan_.chunks.back().items;
      ++plan_.points;
      bytes_ += bytes + 1;
      sum_ += item->value;
    }
    checksum({unsummed, end});
    plan_.end = offset + lines.size();
    if (!lines.ends_with('\n')) {
      checksum("\n");
      ++plan_.end;
    }
    return lines_ - before;
  }

  Result<ImportPlan> finish(const Sha256Digest& content) {
    if (bad_lines_ > 0) return validation_error(std::to_string(bad_lines_) + " wrong lines");
    plan_.content = content;
    plan_.plain = reader_.all_plain();
    return std::move(plan_);
  }

 private:
  static constexpr std::size_t kBrackets = 2;  // around the text of a plain line

  // Moves after it.
  static std::string_view line_at(const char*& at, const char* end) {
    const char* const line = at;
    const void* const found = std::memchr(line, '\n', static_cast<std::size_t>(end - line));
    const char* const line_end = found == nullptr ? end : static_cast<const char*>(found);
    at = found == nullptr ? end : line_end + 1;
    return {line, line_end};
  }

  Status bad_line(const Error& error) {
    on_bad_line_(lines_, error);
    return ++bad_lines_ == kMaxBadLines ? validation_error("there may be more wrong lines") : Status();
  }

  // Does the item not fit into the last chunk? `bytes` is with its comma.
  bool is_full(const Item& item, std::size_t bytes) const {
    return plan_.chunks.empty() || plan_.chunks.back().items == cut_.max_items || bytes_ + bytes > cut_.max_bytes ||
           item.value > std::numeric_limits<std::uint64_t>::max() - sum_;
  }

  // What stands before the first chunk is in none.
  void checksum(std::string_view lines) {
    if (plan_.chunks.empty()) return;
    std::uint32_t& sum = plan_.chunks.back().checksum;
    sum = crc32c(lines, sum);
  }

  PointsReader& reader_;
  const bool zero_allowed_;
  const Cut& cut_;
  const OnBadLine& on_bad_line_;
  ImportPlan plan_;
  std::uint64_t lines_ = 0;
  std::size_t bad_lines_ = 0;
  std::uint64_t bytes_ = 0;  // of the last chunk
  std::uint64_t sum_ = 0;
};

// Lines whose text is that of their item: the first pass has read them, and the checksum says that they are the same.
// Each has its end.
void append_plain(std::string_view lines, Buffer& out) {
  char* const begin = out.reserve(lines.size() * 3 + 2);
  char* to = begin;
  *to++ = '[';
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(line.size() + 1);
    if (line.empty()) continue;
    *to++ = '[';
    to = std::copy(line.begin(), line.end(), to);
    *to++ = ']';
    *to++ = ',';
  }
  to[-1] = ']';
  out.commit(static_cast<std::size_t>(to - begin));
}

Status append_parsed(std::string_view lines, PointsReader& reader, const Error& changed, Buffer& out) {
  std::string_view rest = lines;
  char before = '[';
  for (std::size_t line_end; (line_end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(line_end + 1)) {
    Result<std::optional<Item>> item = reader.read(rest.substr(0, line_end));
    if (!item) return changed;
    if (!*item) continue;
    out.append(std::exchange(before, ','));
    append_item(out, **item);
  }
  out.append(']');
  return {};
}

}  // namespace

Cut Cut::of(std::size_t max_items, std::size_t max_request_bytes, std::size_t other_bytes) {
  const std::size_t other = (other_bytes + kOtherBytesStep - 1) / kOtherBytesStep * kOtherBytesStep;
  if (max_request_bytes < other + kLongestItemBytes) return {max_items, 0};
  return {max_items, max_request_bytes - other};
}

Result<ImportPlan> plan_import(const File& file, PointsReader& reader, bool zero_allowed, const Cut& cut,
                               const std::function<void(std::uint64_t line, const Error& error)>& on_bad_line,
                               const std::function<void(std::uint64_t bytes)>& on_progress) {
  Planner planner(reader, zero_allowed, cut, on_bad_line);
  Result<Sha256Digest> content = for_each_block(file, [&](std::string_view lines, std::uint64_t offset) {
    on_progress(offset);
    return planner.take(lines, offset);
  });
  if (!content) return content.error();
  return planner.finish(*content);
}

Status append_chunk(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader, Buffer& scratch,
                    Buffer& out) {
  const ChunkPlace& place = plan.chunks[index];
  const std::uint64_t end = index + 1 < plan.chunks.size() ? plan.chunks[index + 1].offset : plan.end;
  const std::size_t wanted = end - place.offset;
  scratch.clear();
  char* const bytes = scratch.reserve(wanted);
  Result<std::size_t> size = file.read_at(place.offset, bytes, wanted);
  if (!size) return size.error();
  const Error changed = validation_error("the file has changed since it was checked");
  // The last line of a file may lack its end.
  if (*size + 1 == wanted && end == plan.end) bytes[(*size)++] = '\n';
  const std::string_view lines(bytes, *size);
  if (*size != wanted || crc32c(lines) != place.checksum) return changed;

  if (!plan.plain) return append_parsed(lines, reader, changed, out);
  append_plain(lines, out);
  return {};
}

std::string stream_id_of(const ImportPlan& plan, std::string_view series, std::string_view mode) {
  std::string identity = to_hex(plan.content);
  identity.append("\n").append(mode).append("\n").append(series);
  return "import-" + to_hex(sha256(identity)).substr(0, kStreamIdDigits);
}

std::string granularity_of(const ImportPlan& plan, const Cut& cut) {
  return "day, content " + to_hex(plan.content).substr(0, kContentDigits) + ", chunks of " +
         std::to_string(cut.max_items) + " items in " + std::to_string(cut.max_bytes) + " bytes";
}

}  // namespace karma::tools
