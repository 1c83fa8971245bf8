#include "tools/points_text.h"

#include <algorithm>

#include "core/decimal.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "core/text.h"
#include "tools/line_source.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}
bool begins_as_number(std::string_view text) {
  return !text.empty() && ((text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '+');
}

// In quotes, short, and without anything that a terminal obeys.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMaxShown = 40;
  const std::string_view shown = cut(text, kMaxShown);
  return "\"" + printable(shown) + (shown.size() < text.size() ? "…\"" : "\"");
}

Error bad(std::string_view what, std::string_view text) {
  return validation_error(std::string(what) + ", not " + quoted(text));
}

std::string_view name_of(char separator) {
  return separator == '\t' ? "tab" : separator == ';' ? "semicolon" : "comma";
}

constexpr std::string_view kNumberWanted =
    "must be a whole number from 0 to 18446744073709551615, without separators and decimals, as in 1234";
constexpr std::string_view kSeriesWanted = "without --series each line must be an object that names its series";
constexpr std::string_view kBucketWanted =
    "the bucket must be a calendar day like 20260505 or 2026-05-05, or a time like 2026-05-05T23:30:00+02:00";
constexpr std::string_view kOffsetWanted =
    "a time needs its offset, as in 2026-05-05T23:30:00Z, or --time-zone to say where its clock is";

// Days before the year 1000 get their zeros, so that they can be read again and nobody takes 260505 for a day.
void append_day(Buffer& out, Bucket bucket) {
  for (std::uint64_t digits = 10000000; digits > bucket.number() && digits > 1; digits /= 10) out.append('0');
  json::append_number(out, bucket.number());
}

std::size_t digits_of(std::uint64_t number) {
  char digits[kDecimalRoom];
  return static_cast<std::size_t>(write_decimal(digits, number) - digits);
}

// The plain item at `at`; returns where it ends, or nullptr if it is none.
inline const char* read_plain(const char* at, const char* end, Item& item) {
  constexpr std::ptrdiff_t kDayDigits = 8;
  const char* const key = at;
  at = read_decimal(at, end, item.key.value);
  if (!is_plain_decimal(key, at) || at == end || *at++ != ',') return nullptr;
  const char* const day = at;
  std::uint64_t number;
  at = read_decimal(at, end, number);
  if (at - day != kDayDigits || *day == '0' || at == end || *at++ != ',') return nullptr;
  item.bucket = Bucket::of_number(number);
  const char* const value = at;
  at = read_decimal(at, end, item.value);
  return is_plain_decimal(value, at) && item.bucket.is_writable() ? at : nullptr;
}

}  // namespace

std::optional<Item> plain_item_of(std::string_view line) {
  const char* const end = line.data() + line.size();
  Item item;
  if (read_plain(line.data(), end, item) != end) return std::nullopt;
  return item;
}

std::optional<Item> take_plain_line(const char*& at, const char* end) {
  Item item;
  const char* const stop = read_plain(at, end, item);
  if (stop == nullptr || stop == end || *stop != '\n') return std::nullopt;
  at = stop + 1;
  return item;
}

std::optional<PointsFormat> points_format_of(std::string_view text) {
  if (text == "csv") return PointsFormat::csv;
  if (text == "ndjson") return PointsFormat::ndjson;
  return std::nullopt;
}

std::string PointsOptions::reading() const {
  std::string text;
  if (names_columns()) text = "columns " + quoted(key_column) + quoted(bucket_column) + quoted(value_column);
  if (time_zone) text += " zone " + time_zone->name();
  return text;
}

PointsReader::PointsReader(PointsOptions options, std::string series, Others others)
    : options_(std::move(options)),
      names_{options_.key_column, options_.bucket_column, options_.value_column},
      series_(std::move(series)),
      others_(others),
      format_(options_.format) {}

Result<std::optional<Item>> PointsReader::read(const char*& at, const char* end, bool last) {
  lines_ = 1;
  lost_ = false;
  const std::string_view rest(at, end);
  const std::size_t found = rest.find('\n');
  const std::string_view whole = rest.substr(0, found);
  const std::string_view line = trim(whole, " \t\r");
  const char* const after = at + std::min(whole.size() + 1, rest.size());
  if (line.empty()) {
    all_plain_ &= whole.empty();
    at = after;
    return std::optional<Item>();
  }
  if (!format_) format_ = line[0] == '{' || line[0] == '[' ? PointsFormat::ndjson : PointsFormat::csv;
  if (*format_ == PointsFormat::csv) return read_csv(at, end, last);
  all_plain_ = false;
  first_ = false;
  at = after;
  return read_json(line);
}

Result<std::optional<Item>> PointsReader::read_csv(const char*& at, const char* end, bool last) {
  const char* const begin = at;
  if (first_) record_.set_separator(separator_of({begin, std::find(begin, end, '\n')}));
  const CsvRecord::Found found = record_.read(at, end);
  if (found == CsvRecord::Found::open_quote && !last) return std::optional<Item>();
  if (found != CsvRecord::Found::record) {
    at = end;
    lost_ = true;
    fault_ = "quotes that do not fit";
    if (found == CsvRecord::Found::open_quote) return validation_error("a quote opens in this line and is not closed");
    if (found == CsvRecord::Found::tab_in_quotes)
      return validation_error(
          "a field begins with a quote and does not end in its line and column; where tabs separate, that may be a "
          "field in quotes or not: write the file with commas");
    return validation_error(
        "after the quote that closes a field comes neither a separator nor the end of the line; a quote inside a field "
        "in quotes is doubled, as in \"say \"\"hi\"\"\"");
  }
  lines_ = record_.lines();
  const std::span<const std::string_view> fields = record_.fields();
  const bool was_first = std::exchange(first_, false);
  if (was_first) {
    const Result<bool> header = read_header();
    if (!header) {
      at = end;
      lost_ = true;
      fault_ = "a header that does not name the columns";
      return header.error();
    }
    if (*header) {
      header_.assign(begin, at);
      return std::optional<Item>();
    }
  }
  std::string_view line(begin, at);
  if (line.ends_with('\n')) line.remove_suffix(1);
  all_plain_ &= plain_columns_ && plain_item_of(line).has_value();
  // Spreadsheets write rows below their data.
  if (std::ranges::all_of(fields, &std::string_view::empty)) return std::optional<Item>();
  if (fields.size() != fields_) {
    const std::string separator(name_of(record_.separator()));
    fault_ = "more or fewer fields than there should be";
    if (!header_.empty())
      return validation_error("the row has " + std::to_string(fields.size()) + " fields, its header " +
                              std::to_string(fields_) + "; a " + separator +
                              " inside a field needs quotes around the field, as in \"a" + record_.separator() + "b\"");
    return validation_error(
        "without a header a line is key,bucket,value, as in 42,2026-05-05,10: 3 fields, and here are " +
        std::to_string(fields.size()) + " (separated by " + separator + ")");
  }
  return item_of(fields[columns_[0]], fields[columns_[1]], fields[columns_[2]]);
}

// By the first line, which names its columns or is a point. A comma may also stand in numbers.
char PointsReader::separator_of(std::string_view line) const {
  char found = ',';
  std::size_t most = 2;
  for (const char separator : {',', ';', '\t'}) {
    CsvRecord record(separator);
    const char* at = line.data();
    if (record.read(at, line.data() + line.size()) != CsvRecord::Found::record) continue;
    Columns columns;
    if (find_columns(record.fields(), columns)) return separator;
    if (record.fields().size() < most) continue;
    most = record.fields().size();
    found = separator;
  }
  return found;
}

// False: a column is missing, or there are two of its name.
bool PointsReader::find_columns(std::span<const std::string_view> names, Columns& columns) const {
  const auto look_for = [&](std::size_t& column, std::initializer_list<std::string_view> wanted, bool exactly) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool here = std::ranges::any_of(
          wanted, [&](std::string_view name) { return exactly ? names[i] == name : same_word(names[i], name); });
      if (!here) continue;
      column = i;
      ++found;
    }
    return found;
  };
  const auto find = [&](std::size_t& column, const std::string& given, std::initializer_list<std::string_view> usual) {
    if (given.empty()) return look_for(column, usual, false) == 1;
    std::size_t found = look_for(column, {given}, true);
    if (found == 0) found = look_for(column, {given}, false);
    if (found > 0) return found == 1;
    const std::optional<std::size_t> position = parse_number<std::size_t>(given);
    if (!position || *position == 0 || *position > names.size()) return false;
    column = *position - 1;
    return true;
  };
  const bool key = find(columns[0], names_[0], {"key"});
  const bool bucket = find(columns[1], names_[1], {"bucket", "date"});
  const bool value = find(columns[2], names_[2], {"value"});
  return key && bucket && value;
}

// In the time zone that was asked for; without one in UTC, as the server's days are.
std::optional<Bucket> PointsReader::day_of(const TimeOfDay& time) const {
  constexpr std::int64_t kDaySeconds = 86400;
  const std::int64_t local = std::int64_t{time.day.day_or_none()} * kDaySeconds + time.seconds;
  static const TimeZone utc = *TimeZone::of("UTC");
  return (options_.time_zone ? *options_.time_zone : utc).day_at(local - *time.offset);
}

Error PointsReader::wrong(std::string_view kind, Error error) {
  fault_ = kind;
  return error;
}

std::string PointsReader::form() const {
  if (format_ == PointsFormat::ndjson) return "NDJSON";
  return "CSV, separated by " + std::string(name_of(record_.separator())) +
         (header_.empty() ? ", without a header" : ", with a header");
}

Result<bool> PointsReader::read_header() {
  const std::span<const std::string_view> names = record_.fields();
  Columns found;
  const bool complete = find_columns(names, found);
  if (!is_header()) {
    if (options_.names_columns()) {
      if (!complete) return validation_error("the first line has no such columns as --key-column and its like say");
      columns_ = found;
      fields_ = names.size();
    }
    plain_columns_ = fields_ == 3 && columns_ == Columns{0, 1, 2} && record_.separator() == ',';
    return false;
  }
  if (!complete) {
    std::string has;
    constexpr std::size_t kMaxNamed = 12;
    for (std::size_t i = 0; i < std::min(names.size(), kMaxNamed); ++i) has += (i == 0 ? "" : ", ") + quoted(names[i]);
    if (names.size() > kMaxNamed) has += ", …";
    const auto wanted = [&](std::size_t i, std::string_view usual) {
      return names_[i].empty() ? std::string(usual) : quoted(names_[i]);
    };
    return validation_error("the header must name the columns " + wanted(0, "key") + ", " +
                            wanted(1, "bucket (or date)") + " and " + wanted(2, "value") + ", each once; it has " +
                            has +
                            ". --key-column=NAME, --bucket-column=NAME and --value-column=NAME say which are meant");
  }
  columns_ = found;
  fields_ = names.size();
  plain_columns_ = fields_ == 3 && columns_ == Columns{0, 1, 2} && record_.separator() == ',';
  return true;
}

// A point has digits where key and value are; a header has names.
bool PointsReader::is_header() const {
  const std::span<const std::string_view> fields = record_.fields();
  const auto is_position = [](const std::string& name) { return parse_number<std::size_t>(name).has_value(); };
  if (std::ranges::all_of(names_, is_position)) {
    Columns columns;
    return !find_columns(fields, columns) || !begins_as_number(fields[columns[0]]) ||
           !begins_as_number(fields[columns[2]]);
  }
  if (options_.names_columns()) return true;
  return (!fields[0].empty() && is_letter(fields[0][0])) || std::ranges::none_of(fields, begins_as_number);
}

Result<std::optional<Item>> PointsReader::item_of(std::string_view key, std::string_view bucket,
                                                  std::string_view value) {
  const std::optional<std::uint64_t> key_number = parse_number<std::uint64_t>(key);
  if (!key_number) return wrong("a key that is no whole number", bad("the key " + std::string(kNumberWanted), key));
  std::optional<Bucket> day = bucket_of(bucket);
  if (!day) {
    const std::optional<TimeOfDay> time = time_of(bucket);
    if (!time) return wrong("a bucket that is no day", bad(kBucketWanted, bucket));
    // Many programs write a day as its midnight.
    if (!time->offset && time->seconds != 0 && !options_.time_zone)
      return wrong("a time without an offset", bad(kOffsetWanted, bucket));
    day = time->offset ? day_of(*time) : time->day;
    if (!day) return wrong("a bucket that is no day", bad(kBucketWanted, bucket));
  }
  if (!day->is_writable())
    return wrong("a bucket that is no day", bad("the year of the bucket must be from 1000 to 9999", bucket));
  const std::optional<std::uint64_t> value_number = parse_number<std::uint64_t>(value);
  if (!value_number)
    return wrong("a value that is no whole number", bad("the value " + std::string(kNumberWanted), value));
  if (*value_number == 0 && !options_.zero_allowed)
    return wrong("a value of 0", validation_error("the value must be greater than 0 (mode set deletes points by 0)"));
  return std::optional<Item>({{*key_number}, *day, *value_number});
}

Result<std::optional<Item>> PointsReader::read_json(std::string_view line) {
  arena_.reset();
  fault_ = "JSON that is no point";
  json::Reader reader(line);
  if (reader.peek() != '[') return read_object(line);
  std::string_view fields[3];
  std::size_t count = 0;
  const bool read = reader.read_array([&](const json::Value& value) {
    if (count < 3) fields[count] = value.text;
    ++count;
    return true;
  });
  if (!read || !reader.at_end())
    return bad("a line is one JSON array or object (of one large array, jq -c '.[]' makes a line each)", line);
  if (count != 3)
    return bad("an array is [key,bucket,value] (of one large array, jq -c '.[]' makes a line each)", line);
  return item_of(fields[0], fields[1], fields[2]);
}

Result<std::optional<Item>> PointsReader::read_object(std::string_view line) {
  json::Reader reader(line);
  std::optional<std::string_view> fields[3];
  std::optional<std::string_view> series;
  bool twice = false;
  const auto is_column = [&](std::size_t column, std::string_view name, std::string_view usual) {
    return name == (names_[column].empty() ? usual : std::string_view(names_[column]));
  };
  const auto put = [&](std::optional<std::string_view>& field, std::string_view text) {
    twice |= field.has_value();
    field = text;
  };
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    const std::string_view field = name.escaped ? json::decode_string(name, arena_) : name.text;
    if (is_column(0, field, "key")) put(fields[0], value.text);
    if (is_column(1, field, "bucket") || (names_[1].empty() && field == "date")) put(fields[1], value.text);
    if (is_column(2, field, "value")) put(fields[2], value.text);
    if (field == "series") series = json::decode_string(value, arena_);
  });
  if (!read || !reader.at_end()) return bad("a line is one JSON array or object", line);
  if (others_ == Others::passed_over && !series) return bad(kSeriesWanted, line);
  const bool empty_series = !fields[0] && !fields[1] && !fields[2];  // as karma dump tells of one
  if (others_ == Others::passed_over && (*series != series_ || empty_series)) return std::optional<Item>();
  if (series && *series != series_) return bad("the line must be of series " + series_, *series);
  if (twice) return bad("an object has each of its fields once", line);
  if (!fields[0] || !fields[1] || !fields[2])
    return bad("an object needs the fields " + (names_[0].empty() ? "key" : quoted(names_[0])) + ", " +
                   (names_[1].empty() ? "bucket" : quoted(names_[1])) + " and " +
                   (names_[2].empty() ? "value" : quoted(names_[2])),
               line);
  return item_of(*fields[0], *fields[1], *fields[2]);
}

Result<Sha256Digest> for_each_item(const File& file, PointsReader& reader, const OnItem& on_item) {
  std::uint64_t lines_before = 0;
  bool lost = false;
  return for_each_block(file, [&](const Lines& lines) -> Result<Used> {
    const char* at = lines.text.data();
    const char* const end = at + lines.text.size();
    std::uint64_t count = 0;
    while (at != end && !lost) {
      const char* const line = at;
      const Result<std::optional<Item>> item = reader.read(at, end, lines.last);
      if (at == line) break;  // it goes on in the next block
      Status status;
      if (!item) {
        status = on_item(lines_before + count + 1, item.error());
      } else if (*item) {
        status = on_item(lines_before + count + 1, **item);
      }
      if (!status.ok()) return status.error();
      lost = !item && reader.lost();
      count += reader.lines();
    }
    lines_before += count;
    return Used{lost ? lines.text.size() : static_cast<std::size_t>(at - lines.text.data()), count};
  });
}

Result<std::set<std::string>> series_named(const File& file, const PointsOptions& options) {
  const std::string_view key_field = options.key_column.empty() ? "key" : std::string_view(options.key_column);
  std::set<std::string> names;
  Arena arena;
  const Result<Sha256Digest> read = for_each_line(file, [&](const Line& line) -> Status {
    const std::string_view text = trim(line.text);
    if (text.empty()) return {};
    arena.reset();
    std::optional<std::string_view> series;
    bool point = false;
    json::Reader reader(text);
    const bool object = text[0] == '{' && reader.read_object([&](const json::Value& name, const json::Value& value) {
      if (name.text == "series") series = json::decode_string(value, arena);
      point |= name.text == key_field;
    });
    const Error none = bad("line " + std::to_string(line.number) + ": " + std::string(kSeriesWanted), text);
    if (!object || !series) return none;
    if (const std::string_view fault = series_name_fault(*series); !fault.empty())
      return validation_error("line " + std::to_string(line.number) + ": the series " + std::string(fault));
    if (point) names.emplace(*series);
    return {};
  });
  if (!read) return read.error();
  return names;
}

void append_csv(Buffer& out, const Item& point) {
  json::append_number(out, point.key.value);
  out.append(',');
  append_day(out, point.bucket);
  out.append(',');
  json::append_number(out, point.value);
  out.append('\n');
}

void append_ndjson(Buffer& out, const Item& point) {
  out.append(R"({"key":)");
  json::append_number(out, point.key.value);
  out.append(R"(,"bucket":)");
  const bool text = point.bucket.number() < 10000000;  // a JSON number has no leading zeros
  if (text) out.append('"');
  append_day(out, point.bucket);
  if (text) out.append('"');
  out.append(R"(,"value":)");
  json::append_number(out, point.value);
  out.append("}\n");
}

void append_item(Buffer& out, const Item& point) {
  out.append('[');
  json::append_number(out, point.key.value);
  out.append(',');
  json::append_number(out, point.bucket.number());
  out.append(',');
  json::append_number(out, point.value);
  out.append(']');
}

std::size_t item_bytes(const Item& point) {
  return digits_of(point.key.value) + digits_of(point.bucket.number()) + digits_of(point.value) + 4;
}

}  // namespace karma::tools
