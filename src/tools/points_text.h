// Points as text, one a line, in two forms:
//
//   CSV      42,20260505,10 or 42,2026-05-05,10: key, bucket, value. If the first line begins with a letter, it names
//            the columns, in any order, `date` for bucket, and maybe further ones
//   NDJSON   {"key":42,"bucket":20260505,"value":10} or [42,20260505,10]; the bucket may be a string, "2026-05-05" too.
//            An object may name its series
//
// Empty lines mean nothing.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "core/arena.h"
#include "core/buffer.h"

namespace karma::tools {

enum class PointsFormat { csv, ndjson };
std::optional<PointsFormat> points_format_of(std::string_view text);
// The point of a line that is key,bucket,value in digits without blanks, quotes, dashes or needless zeros: such a line
// in square brackets is the item of a request. Nothing for any other line.
std::optional<Item> plain_item_of(std::string_view line);
// The same of the line that begins at `at`, which is then moved after its end. Nothing, and `at` stays, if the line is
// not plain or does not end before `end`.
std::optional<Item> take_plain_line(const char*& at, const char* end);
// A calendar day as 20260505 or 2026-05-05.
std::optional<Bucket> bucket_of(std::string_view text);

// Reads lines, the first of the file first. Not thread-safe.
class PointsReader {
 public:
  // Lines of other series: an error, or passed over. In the latter case each line must name its series.
  enum class Others { refused, passed_over };
  // Without a format the first line decides.
  PointsReader(std::optional<PointsFormat> format, std::string series, Others others = Others::refused);

  // The point of a line (without its end), or nothing if it holds none.
  Result<std::optional<Item>> read(std::string_view line);
  // A line that is plain_item_of() may pass it by: that is its point.
  bool takes_plain() const { return !first_ && plain_columns_ && format_ == PointsFormat::csv; }
  // Were all points so far in lines as plain_item_of() takes them?
  bool all_plain() const { return all_plain_; }

 private:
  Result<std::optional<Item>> read_csv(std::string_view line);
  Result<std::optional<Item>> read_json(std::string_view line);
  Result<std::optional<Item>> read_object(std::string_view line);
  Status read_header(std::string_view line);

  const std::string series_;
  const Others others_;
  std::optional<PointsFormat> format_;
  bool first_ = true;
  std::array<std::size_t, 3> columns_ = {0, 1, 2};  // of key, bucket and value
  bool strict_columns_ = true;                      // no header: exactly three
  bool plain_columns_ = true;                       // key, bucket, value and nothing else
  bool all_plain_ = true;
  Arena arena_;
};

// Which series the lines of a file name. Error: one of them names none.
Result<std::set<std::string>> series_named(const File& file);

void append_csv(Buffer& out, const Item& point);
void append_ndjson(Buffer& out, const Item& point);
// [key,bucket,value], as in requests.
void append_item(Buffer& out, const Item& point);
std::size_t item_bytes(const Item& point);  // of append_item()

}  // namespace karma::tools
