// Points as text, in two forms:
//
//   CSV      42,20260505,10 or 42,2026-05-05,10: key, bucket, value, with comma, semicolon or tab between them, as the
//            first line has it. A header names the columns, in any order, `date` for bucket, and maybe further ones;
//            each row has as many fields as it. See csv_record.h for quotes
//   NDJSON   {"key":42,"bucket":20260505,"value":10} or [42,20260505,10] a line; the bucket may be a string,
//            "2026-05-05" too. An object may name its series
//
// In both the bucket may be a time, as in RFC 3339: its day counts.
//
// Lines and rows without content mean nothing.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/sha256.h"
#include "tools/csv_record.h"
#include "tools/time_zone.h"

namespace karma::tools {

enum class PointsFormat { csv, ndjson };
std::optional<PointsFormat> points_format_of(std::string_view text);
// The point of a line that is key,bucket,value in digits without blanks, quotes, dashes or needless zeros: such a line
// in square brackets is the item of a request. Nothing for any other line.
std::optional<Item> plain_item_of(std::string_view line);
// The same of the line that begins at `at`, which is then moved after its end. Nothing, and `at` stays, if the line is
// not plain or does not end before `end`.
std::optional<Item> take_plain_line(const char*& at, const char* end);

struct PointsOptions {
  std::optional<PointsFormat> format = {};  // without it the first line decides
  // Names of the columns, or of the fields of objects; numbers from 1 are positions. Empty: the usual ones.
  std::string key_column = {};
  std::string bucket_column = {};
  std::string value_column = {};
  // Where it is asked which day a time is in, and what a time without an offset is of. Without it: UTC, and none.
  std::optional<TimeZone> time_zone = {};
  bool zero_allowed = true;

  // What the points depend on beside the file, as text; empty if nothing was asked for.
  std::string reading() const;
  bool names_columns() const { return !key_column.empty() || !bucket_column.empty() || !value_column.empty(); }
};

// Reads the lines of a file, the first one first. Not thread-safe.
class PointsReader {
 public:
  // Lines of other series: an error, or passed over. In the latter case each line must name its series.
  enum class Others { refused, passed_over };
  PointsReader(PointsOptions options, std::string series, Others others = Others::refused);

  // The point of the line or record at `at`, which is moved after it; nothing if it holds none. If `at` stays, the
  // record does not end before `end`; if that is the end of the file (`last`), it is wrong instead.
  Result<std::optional<Item>> read(const char*& at, const char* end, bool last);
  std::string reading() const { return options_.reading(); }
  // Of the last read().
  std::uint64_t lines() const { return lines_; }
  // After an error: of which kind it is, as in "3 lines with ...".
  std::string_view fault() const { return fault_; }
  // The line of the header with its end; empty if there was none.
  const std::string& header() const { return header_; }
  // How the lines are read: "CSV, semicolons, with a header".
  std::string form() const;
  // After an error: whether nothing that follows can be read for certain.
  bool lost() const { return lost_; }

  // The first line comes again, of the same file.
  void rewind() { first_ = true; }

  // A line that is plain_item_of() may pass it by: that is its point.
  bool takes_plain() const { return !first_ && plain_columns_ && format_ == PointsFormat::csv; }
  // Were all points so far in lines as plain_item_of() takes them?
  bool all_plain() const { return all_plain_; }

 private:
  using Columns = std::array<std::size_t, 3>;  // of key, bucket and value

  Result<std::optional<Item>> read_csv(const char*& at, const char* end, bool last);
  Result<std::optional<Item>> read_json(std::string_view line);
  Result<std::optional<Item>> read_object(std::string_view line);
  Result<std::optional<Item>> item_of(std::string_view key, std::string_view bucket, std::string_view value);
  std::optional<Bucket> day_of(const TimeOfDay& time) const;
  Error wrong(std::string_view kind, Error error);
  char separator_of(std::string_view line) const;
  bool find_columns(std::span<const std::string_view> names, Columns& columns) const;
  // False: the record is a point already.
  Result<bool> read_header();
  bool is_header() const;

  const PointsOptions options_;
  const std::array<std::string, 3> names_;  // that options_ has
  const std::string series_;
  const Others others_;
  std::optional<PointsFormat> format_;
  bool first_ = true;
  CsvRecord record_;
  Columns columns_ = {0, 1, 2};
  std::size_t fields_ = 3;  // of each record
  std::string header_;
  bool plain_columns_ = true;  // key, bucket, value and nothing else
  bool all_plain_ = true;
  std::uint64_t lines_ = 0;
  bool lost_ = false;
  std::string_view fault_;
  Arena arena_;
};

// All points of a file, and the errors of wrong lines, with the number of their first line. Ends at the first Error of
// `on_item`, or after a line behind which nothing can be read for certain.
using OnItem = std::function<Status(std::uint64_t line, const Result<Item>& item)>;
Result<Sha256Digest> for_each_item(const File& file, PointsReader& reader, const OnItem& on_item);

// Which series the lines of a file name. Error: one of them names none.
Result<std::set<std::string>> series_named(const File& file, const PointsOptions& options = {});

void append_csv(Buffer& out, const Item& point);
void append_ndjson(Buffer& out, const Item& point);
// [key,bucket,value], as in requests.
void append_item(Buffer& out, const Item& point);
std::size_t item_bytes(const Item& point);  // of append_item()

}  // namespace karma::tools
