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
constexpr std::uint64_t kHopeless = 1000;                       // wrong lines before the first point
constexpr std::size_t kContentDigits = 16;
constexpr std::size_t kStreamIdDigits = 40;

using OnWrongLine = std::function<void(const WrongLine& line)>;

// The first pass.
class Planner {
 public:
  Planner(PointsReader& reader, const Cut& cut, bool skips, const OnWrongLine& on_wrong_line)
      : reader_(reader), cut_(cut), skips_(skips), on_wrong_line_(on_wrong_line) {}

  Result<Used> take(const Lines& lines) {
    const std::uint64_t before = lines_;
    const char* const begin = lines.text.data();
    const char* const end = begin + lines.text.size();
    const char* at = begin;
    const char* unsummed = at;
    while (at != end) {
      const char* const line = at;
      std::optional<Item> item;
      std::size_t bytes = 0;
      // Nearly all lines of nearly all files.
      if (reader_.takes_plain()) item = take_plain_line(at, end);
      if (item && item->value != 0) {
        ++lines_;
        bytes = static_cast<std::size_t>(at - line) - 1 + kBrackets;
      } else {
        at = line;
        Result<std::optional<Item>> read = reader_.read(at, end, lines.last);
        if (at == line) break;  // it goes on in the next block
        const std::uint64_t number = lines_ + 1;
        lines_ += reader_.lines();
        if (!read) {
          if (Status status = wrong_line({number, {line, at}, reader_.fault(), read.error()}); !status.ok())
            return status.error();
          continue;
        }
        if (!*read) continue;
        item = **read;
        bytes = item_bytes(*item);
      }
      if (is_full(*item, bytes + 1)) {
        plan_.sum += sum_;
        checksum({unsummed, line});
        unsummed = line;
        plan_.chunks.push_back({.offset = lines.offset + static_cast<std::uint64_t>(line - begin)});
        bytes_ = sum_ = 0;
      }
      ++plan_.chunks.back().items;
      ++plan_.points;
      if (item->bucket.number() < plan_.first_day.number()) plan_.first_day = item->bucket;
      if (item->bucket.number() > plan_.last_day.number()) plan_.last_day = item->bucket;
      bytes_ += bytes + 1;
      sum_ += item->value;
    }
    checksum({unsummed, at});
    const auto used = static_cast<std::size_t>(at - begin);
    plan_.end = lines.offset + used;
    if (lines.last && !lines.text.ends_with('\n')) {
      checksum("\n");
      ++plan_.end;
    }
    return Used{used, lines_ - before};
  }

  Result<ImportPlan> finish(const Sha256Digest& content) {
    if (plan_.skipped > 0 && !skips_) return validation_error("lines are wrong");
    plan_.sum += sum_;
    const std::string reading = reader_.reading();
    plan_.content = reading.empty() ? content : sha256(to_hex(content) + "\n" + reading);
    plan_.plain = reader_.all_plain() && plan_.skipped == 0;
    return std::move(plan_);
  }

 private:
  static constexpr std::size_t kBrackets = 2;  // around the text of a plain line

  Status wrong_line(const WrongLine& line) {
    on_wrong_line_(line);
    ++plan_.skipped;
    if (reader_.lost())
      return validation_error("from line " + std::to_string(line.number) + " on the file cannot be read for certain");
    if (plan_.skipped == kHopeless && plan_.points == 0) return validation_error("none of the first lines is a point");
    return {};
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
  const Cut& cut_;
  const bool skips_;
  const OnWrongLine& on_wrong_line_;
  ImportPlan plan_;
  std::uint64_t lines_ = 0;
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

// Lines that were left out are so again.
Status append_parsed(std::string_view lines, PointsReader& reader, bool skips, Buffer& out) {
  char before = '[';
  for (const char *at = lines.data(), *const end = at + lines.size(); at != end;) {
    Result<std::optional<Item>> item = reader.read(at, end, true);
    if (!item && !skips) return validation_error(std::string(kFileChanged));
    if (!item || !*item) continue;
    out.append(std::exchange(before, ','));
    append_item(out, **item);
  }
  out.append(']');
  return {};
}

// The lines of a chunk, with the end that the last one of a file may lack. `scratch` holds them.
Result<std::string_view> lines_of(const File& file, const ImportPlan& plan, std::size_t index, Buffer& scratch) {
  const ChunkPlace& place = plan.chunks[index];
  const std::uint64_t end = index + 1 < plan.chunks.size() ? plan.chunks[index + 1].offset : plan.end;
  const std::size_t wanted = end - place.offset;
  scratch.clear();
  char* const bytes = scratch.reserve(wanted);
  Result<std::size_t> size = file.read_at(place.offset, bytes, wanted);
  if (!size) return size.error();
  if (*size + 1 == wanted && end == plan.end) bytes[(*size)++] = '\n';
  const std::string_view lines(bytes, *size);
  if (*size != wanted || crc32c(lines) != place.checksum) return validation_error(std::string(kFileChanged));
  return lines;
}

}  // namespace

Cut Cut::of(std::size_t max_items, std::size_t max_request_bytes, std::size_t other_bytes) {
  const std::size_t other = (other_bytes + kOtherBytesStep - 1) / kOtherBytesStep * kOtherBytesStep;
  if (max_request_bytes < other + kLongestItemBytes) return {max_items, 0};
  return {max_items, max_request_bytes - other};
}

Result<ImportPlan> plan_import(const File& file, PointsReader& reader, const Cut& cut, bool skips,
                               const std::function<void(const WrongLine& line)>& on_wrong_line,
                               const std::function<void(std::uint64_t bytes)>& on_progress) {
  Planner planner(reader, cut, skips, on_wrong_line);
  Result<Sha256Digest> content = for_each_block(file, [&](const Lines& lines) {
    on_progress(lines.offset);
    return planner.take(lines);
  });
  if (!content) return content.error();
  return planner.finish(*content);
}

Result<std::uint64_t> line_of(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader,
                              const std::optional<Item>& wanted) {
  std::uint64_t line = 1;
  Buffer scratch;
  constexpr std::size_t kAtOnce = 1 << 20;
  for (std::uint64_t at = 0; at < plan.chunks[index].offset;) {
    scratch.clear();
    char* const bytes = scratch.reserve(kAtOnce);
    const std::size_t most = std::min<std::uint64_t>(kAtOnce, plan.chunks[index].offset - at);
    const Result<std::size_t> size = file.read_at(at, bytes, most);
    if (!size) return size.error();
    if (*size == 0) break;
    line += static_cast<std::uint64_t>(std::count(bytes, bytes + *size, '\n'));
    at += *size;
  }
  if (!wanted) return line;
  const Result<std::string_view> lines = lines_of(file, plan, index, scratch);
  if (!lines) return lines.error();
  std::uint64_t now = line;
  for (const char *at = lines->data(), *const end = at + lines->size(); at != end; now += reader.lines()) {
    const Result<std::optional<Item>> item = reader.read(at, end, true);
    if (item && *item && (*item)->key == wanted->key && (*item)->bucket == wanted->bucket) return now;
  }
  return line;
}

Status append_chunk(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader, Buffer& scratch,
                    Buffer& out) {
  const Result<std::string_view> lines = lines_of(file, plan, index, scratch);
  if (!lines) return lines.error();
  if (!plan.plain) return append_parsed(*lines, reader, plan.skipped > 0, out);
  append_plain(*lines, out);
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
