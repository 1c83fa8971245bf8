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
constexpr std::uint64_t kLinesPerProgress = 4096;
constexpr std::size_t kContentDigits = 16;
constexpr std::size_t kStreamIdDigits = 40;

// The first pass, line by line.
class Planner {
 public:
  Planner(PointsReader& reader, bool zero_allowed, const Cut& cut)
      : reader_(reader), zero_allowed_(zero_allowed), cut_(cut) {}

  // What is wrong with the line, if anything.
  Status take(const Line& line) {
    Result<std::optional<Item>> item = reader_.read(line.text);
    if (!item) return item.error();
    if (*item) {
      if ((*item)->value == 0 && !zero_allowed_)
        return validation_error("the value must be greater than 0 (mode set deletes points by 0)");
      add(**item, line.offset);
    }
    if (!plan.chunks.empty()) checksum(line);
    return {};
  }

  ImportPlan plan;

 private:
  void add(const Item& item, std::uint64_t offset) {
    const std::size_t bytes = item_bytes(item) + 1;
    const bool full = plan.chunks.empty() || plan.chunks.back().items == cut_.max_items ||
                      bytes_ + bytes > cut_.max_bytes || item.value > std::numeric_limits<std::uint64_t>::max() - sum_;
    if (full) {
      plan.chunks.push_back({.offset = offset});
      bytes_ = sum_ = 0;
    }
    ++plan.chunks.back().items;
    ++plan.points;
    bytes_ += bytes;
    sum_ += item.value;
  }

  void checksum(const Line& line) {
    std::uint32_t& sum = plan.chunks.back().checksum;
    sum = crc32c("\n", crc32c(line.text, sum));
  }

  PointsReader& reader_;
  const bool zero_allowed_;
  const Cut& cut_;
  std::uint64_t bytes_ = 0;  // of the last chunk
  std::uint64_t sum_ = 0;
};

// Lines whose text is that of their item: the first pass has read them, and the checksum says that they are the same.
Status append_plain(std::string_view lines, Buffer& out) {
  char* to = out.reserve(lines.size() * 3 + 2);
  char* const begin = to;
  *to++ = '[';
  while (!lines.empty()) {
    const std::size_t size = lines.find('\n');
    if (size > 0) {
      *to++ = '[';
      std::memcpy(to, lines.data(), size);
      to += size;
      *to++ = ']';
      *to++ = ',';
    }
    lines.remove_prefix(size + 1);
  }
  to[-1] = ']';
  out.commit(static_cast<std::size_t>(to - begin));
  return {};
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
  Planner planner(reader, zero_allowed, cut);
  std::size_t bad_lines = 0;
  std::uint64_t end = 0;
  Result<Sha256Digest> content = for_each_line(file, [&](const Line& line) -> Status {
    if (line.number % kLinesPerProgress == 0) on_progress(line.offset);
    end = line.offset + line.text.size() + 1;
    Status status = planner.take(line);
    if (status.ok()) return {};
    on_bad_line(line.number, status.error());
    if (++bad_lines == kMaxBadLines) return validation_error("there may be more wrong lines");
    return {};
  });
  if (!content) return content.error();
  if (bad_lines > 0) return validation_error(std::to_string(bad_lines) + " wrong lines");
  planner.plan.content = *content;
  planner.plan.plain = reader.all_plain();
  planner.plan.end = end;
  return std::move(planner.plan);
}

Status append_chunk(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader, Buffer& out) {
  const ChunkPlace& place = plan.chunks[index];
  const std::uint64_t end = index + 1 < plan.chunks.size() ? plan.chunks[index + 1].offset : plan.end;
  std::string bytes(end - place.offset, '\0');
  Result<std::size_t> size = file.read_at(place.offset, bytes.data(), bytes.size());
  if (!size) return size.error();
  const Error changed = validation_error("the file has changed since it was checked");
  // The last line of a file may lack its end.
  if (*size + 1 == bytes.size() && end == plan.end) bytes[(*size)++] = '\n';
  if (*size != bytes.size() || crc32c(bytes) != place.checksum) return changed;

  return plan.plain ? append_plain(bytes, out) : append_parsed(bytes, reader, changed, out);
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
