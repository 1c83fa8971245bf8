#include <optional>
#include <tuple>
#include <vector>

#include "fuzz/targets.h"
#include "tools/points_text.h"

namespace karma::test::fuzz {
namespace {

using tools::PointsFormat;
using tools::PointsReader;

std::vector<std::string_view> lines_of(std::string_view input) {
  std::vector<std::string_view> lines;
  while (!input.empty()) {
    lines.push_back(input.substr(0, input.find('\n')));
    input.remove_prefix(std::min(lines.back().size() + 1, input.size()));
  }
  return lines;
}

bool same(const Item& a, const Item& b) {
  return a.key.value == b.key.value && a.bucket.number() == b.bucket.number() && a.value == b.value;
}

// Both ways to read a line say the same, and a point that is written reads as itself.
std::string fault_of_line(std::string_view line, bool plain_allowed, const Result<std::optional<Item>>& read) {
  const std::optional<Item> plain = tools::plain_item_of(line);
  const std::string ended = std::string(line) + "\n";
  const char* at = ended.data();
  const std::optional<Item> taken = tools::take_plain_line(at, ended.data() + ended.size());
  if (taken.has_value() != plain.has_value() || (taken && !same(*taken, *plain)))
    return "plain_item_of and take_plain_line differ: " + std::string(line);
  if (taken && at != ended.data() + ended.size()) return "take_plain_line stops inside a line: " + std::string(line);
  if (plain && plain_allowed && (!read || !*read || !same(**read, *plain)))
    return "a plain line reads otherwise: " + std::string(line);
  if (!read) return read.error().message.empty() ? "a line is refused without a word" : std::string();
  if (!*read) return {};
  Buffer written;
  tools::append_csv(written, **read);
  std::string_view again = written.view();
  if (!again.empty() && again.back() == '\n') again.remove_suffix(1);
  PointsReader reader({.format = PointsFormat::csv}, "");
  const char* from = again.data();
  const Result<std::optional<Item>> back = reader.read(from, from + again.size(), true);
  if (!back || !*back || !same(**back, **read)) return "a point does not read as it was written: " + std::string(line);
  return {};
}

}  // namespace

std::string fault_of_csv(std::string_view input) {
  const std::vector<std::string_view> lines = lines_of(input);
  for (const std::optional<PointsFormat> format :
       {std::optional<PointsFormat>(), std::optional(PointsFormat::csv), std::optional(PointsFormat::ndjson)}) {
    PointsReader reader({.format = format}, "s");
    for (const std::string_view line : lines) {
      const bool plain_allowed = reader.takes_plain();
      const char* start = line.data();
      const Result<std::optional<Item>> read = reader.read(start, start + line.size(), true);
      if (std::string fault = fault_of_line(line, plain_allowed, read); !fault.empty()) return fault;
      if (!read) break;  // an import ends here
    }
  }
  return {};
}

}  // namespace karma::test::fuzz
