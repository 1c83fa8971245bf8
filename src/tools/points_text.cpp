#include "tools/points_text.h"

#include <algorithm>

#include "core/decimal.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "core/text.h"
#include "tools/line_source.h"

namespace karma::tools {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Blanks and quotes around it do not belong to a field; a comma inside quotes has no place among numbers.
std::string_view field_of(std::string_view text) {
  text = trim(text, " \t");
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

Error bad(std::string_view what, std::string_view text) {
  constexpr std::size_t kMaxShown = 40;
  std::string shown(text.substr(0, kMaxShown));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return validation_error(std::string(what) + ", not \"" + shown + (text.size() > kMaxShown ? "…\"" : "\""));
}

constexpr std::string_view kNumberWanted = "must be a whole number from 0 to 18446744073709551615";
constexpr std::string_view kSeriesWanted = "without --series each line must be an object that names its series";
constexpr std::string_view kBucketWanted = "the bucket must be a calendar day like 20260505 or 2026-05-05";

Result<Item> item_of(std::string_view key, std::string_view bucket, std::string_view value) {
  const std::optional<std::uint64_t> key_number = parse_number<std::uint64_t>(key);
  if (!key_number) return bad("the key " + std::string(kNumberWanted), key);
  const std::optional<Bucket> day = bucket_of(bucket);
  if (!day) return bad(kBucketWanted, bucket);
  if (!day->is_writable()) return bad("the year of the bucket must be from 1000 to 9999", bucket);
  const std::optional<std::uint64_t> value_number = parse_number<std::uint64_t>(value);
  if (!value_number) return bad("the value " + std::string(kNumberWanted), value);
  return Item{{*key_number}, *day, *value_number};
}

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

bool is_header(std::string_view line) {
  const std::string_view first = field_of(line.substr(0, line.find(',')));
  return !first.empty() && is_letter(first[0]);
}

// Calls on_field(index, field) for each.
template <class OnField>
void split(std::string_view line, OnField&& on_field) {
  for (std::size_t index = 0;; ++index) {
    const std::size_t comma = line.find(',');
    on_field(index, field_of(line.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
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

std::optional<Bucket> bucket_of(std::string_view text) {
  std::optional<std::uint64_t> number;
  if (text.size() == 8) {
    number = parse_number<std::uint64_t>(text);
  } else if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
    const char digits[] = {text[0], text[1], text[2], text[3], text[5], text[6], text[8], text[9]};
    number = parse_number<std::uint64_t>({digits, sizeof digits});
  }
  return number ? Bucket::of_date(*number) : std::nullopt;
}

std::optional<PointsFormat> points_format_of(std::string_view text) {
  if (text == "csv") return PointsFormat::csv;
  if (text == "ndjson") return PointsFormat::ndjson;
  return std::nullopt;
}

PointsReader::PointsReader(std::optional<PointsFormat> format, std::string series, Others others)
    : series_(std::move(series)), others_(others), format_(format) {}

Result<std::optional<Item>> PointsReader::read(std::string_view line) {
  // Nearly all lines of nearly all files.
  if (takes_plain()) {
    if (std::optional<Item> item = plain_item_of(line)) return item;
  }
  const std::string_view whole = line;
  if (first_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.ends_with('\r')) line.remove_suffix(1);
  line = trim(line, " \t");
  if (line.empty()) {
    all_plain_ &= whole.empty();
    return std::optional<Item>();
  }
  if (!format_) format_ = line[0] == '{' || line[0] == '[' ? PointsFormat::ndjson : PointsFormat::csv;
  if (std::exchange(first_, false) && *format_ == PointsFormat::csv && is_header(line)) {
    if (Status status = read_header(line); !status.ok()) return status.error();
    return std::optional<Item>();
  }
  all_plain_ &= *format_ == PointsFormat::csv && plain_columns_ && plain_item_of(whole).has_value();
  return *format_ == PointsFormat::csv ? read_csv(line) : read_json(line);
}

Status PointsReader::read_header(std::string_view line) {
  constexpr std::size_t kMissing = SIZE_MAX;
  columns_.fill(kMissing);
  strict_columns_ = false;
  bool twice = false;
  split(line, [&](std::size_t index, std::string_view name) {
    const std::size_t meant = name == "key" ? 0 : name == "bucket" || name == "date" ? 1 : name == "value" ? 2 : 3;
    if (meant == 3) return;
    twice |= columns_[meant] != kMissing;
    columns_[meant] = index;
  });
  plain_columns_ = columns_ == std::array<std::size_t, 3>{0, 1, 2} && std::count(line.begin(), line.end(), ',') == 2;
  const bool missing = std::find(columns_.begin(), columns_.end(), kMissing) != columns_.end();
  if (missing || twice) return bad("the header must name the columns key, bucket (or date) and value", line);
  return {};
}

Result<std::optional<Item>> PointsReader::read_csv(std::string_view line) {
  std::string_view fields[3];
  std::size_t count = 0;
  split(line, [&](std::size_t index, std::string_view field) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (columns_[i] == index) fields[i] = field;
    }
    count = index + 1;
  });
  const std::size_t needed = *std::max_element(columns_.begin(), columns_.end()) + 1;
  if (strict_columns_ ? count != needed : count < needed) return bad("a line is key,bucket,value", line);
  Result<Item> item = item_of(fields[0], fields[1], fields[2]);
  if (!item) return item.error();
  return std::optional<Item>(*item);
}

Result<std::optional<Item>> PointsReader::read_json(std::string_view line) {
  arena_.reset();
  json::Reader reader(line);
  if (reader.peek() != '[') return read_object(line);
  std::string_view fields[3];
  std::size_t count = 0;
  const bool read = reader.read_array([&](const json::Value& value) {
    if (count < 3) fields[count] = value.text;
    ++count;
    return true;
  });
  if (!read || !reader.at_end()) return bad("a line is one JSON array or object", line);
  if (count != 3) return bad("an array is [key,bucket,value]", line);
  Result<Item> item = item_of(fields[0], fields[1], fields[2]);
  if (!item) return item.error();
  return std::optional<Item>(*item);
}

Result<std::optional<Item>> PointsReader::read_object(std::string_view line) {
  json::Reader reader(line);
  std::optional<std::string_view> fields[3];
  std::optional<std::string_view> series;
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "key") fields[0] = value.text;
    if (name.text == "bucket" || name.text == "date") fields[1] = value.text;
    if (name.text == "value") fields[2] = value.text;
    if (name.text == "series") series = json::decode_string(value, arena_);
  });
  if (!read || !reader.at_end()) return bad("a line is one JSON array or object", line);
  if (others_ == Others::passed_over && !series) return bad(kSeriesWanted, line);
  const bool empty_series = !fields[0] && !fields[1] && !fields[2];  // as karma dump tells of one
  if (others_ == Others::passed_over && (*series != series_ || empty_series)) return std::optional<Item>();
  if (series && *series != series_) return bad("the line must be of series " + series_, *series);
  if (!fields[0] || !fields[1] || !fields[2]) return bad("an object needs the fields key, bucket and value", line);
  Result<Item> item = item_of(*fields[0], *fields[1], *fields[2]);
  if (!item) return item.error();
  return std::optional<Item>(*item);
}

Result<std::set<std::string>> series_named(const File& file) {
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
      point |= name.text == "key";
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
