#include "commands/codec.h"

#include <algorithm>

#include <karma/clock.h>

#include "core/decimal.h"
#include "core/json_text.h"
#include "core/month_days.h"
#include "core/utf8.h"

namespace karma::commands {
namespace {

using json::Type;
using json::Value;

std::string field_text(std::string_view name) { return "Field " + std::string(name); }

// Reads the triples of an array that has been checked to be JSON. Written out because a batch of thousands of points is
// the most that a producer sends, and this loop most of what it costs to take it.
class ItemReader {
 public:
  explicit ItemReader(std::string_view array) : at_(array.data() + 1), end_(array.data() + array.size() - 1) {}

  // The next [a, b, c]; false at the end or at something else (then bad()).
  bool next(std::uint64_t (&numbers)[3]) {
    skip_space();
    if (at_ == end_) return false;
    if (!first_) {
      ++at_;  // the comma
      skip_space();
    }
    first_ = false;
    if (*at_ != '[') return fail();
    ++at_;
    for (int i = 0; i < 3; ++i) {
      if (!number(numbers[i])) return fail();
      skip_space();
      if (*at_ != (i < 2 ? ',' : ']')) return fail();
      ++at_;
    }
    return true;
  }
  bool bad() const { return bad_; }

 private:
  bool fail() {
    bad_ = true;
    return false;
  }
  void skip_space() {
    while (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ') ++at_;
  }
  bool number(std::uint64_t& number) {
    skip_space();
    const char* const digits = at_;
    at_ = read_decimal(at_, end_, number);
    return at_ != digits && *at_ != '.' && *at_ != 'e' && *at_ != 'E';
  }

  const char* at_;
  const char* end_;
  bool first_ = true;
  bool bad_ = false;
};

bool has_blanks(std::string_view json) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::uint64_t found = 0;
  const char* at = json.data();
  const char* const end = at + json.size();
  for (; end - at >= 8; at += 8) {
    const std::uint64_t bytes = detail::load<std::uint64_t>(at);
    found |= (bytes - kEach * 0x21) & ~bytes;  // the high bit of a byte below 0x21, and maybe of some behind it
  }
  for (; at != end; ++at) found |= *at <= ' ' ? kEach << 7 : 0;
  return (found & kEach << 7) != 0;
}

}  // namespace

void Decoder::fail(std::string message) {
  if (failed_) return;
  failed_ = true;
  error_ = validation_error(std::move(message));
}

bool Decoder::required(Field field, const Value*& value) {
  if (failed_) return false;
  value = fields_.find(field);
  if (value == nullptr) fail(field_text(name_of(field)) + " is required");
  return value != nullptr;
}

bool Decoder::unsigned_of(const Value& value, std::string_view name, std::uint64_t& number) {
  if (value.type == Type::unsigned_integer) {
    number = value.number;
    return true;
  }
  if (value.type == Type::negative_integer) {
    fail(field_text(name) + " must be greater than or equal to 0");
  } else {
    fail(field_text(name) + " must be an unsigned 64-bit integer");
  }
  return false;
}

bool Decoder::accept_name(std::string_view name) {
  if (!strict()) return true;
  if (name.empty()) {
    fail("Field tree_name is required");
    return false;
  }
  const std::string_view fault = series_name_fault(name);
  if (fault.empty() || (context_.series_exists != nullptr && context_.series_exists(context_.state, name))) return true;
  fail("Series name " + std::string(fault));
  return false;
}

void Decoder::series(SeriesName& name) {
  if (failed_) return;
  const Value* value = fields_.find(Field::tree);
  if (value == nullptr || value->type != Type::string) value = fields_.find(Field::series);
  if (value == nullptr || value->type != Type::string) return fail("Field tree or series is required");
  name.text = json::decode_string(*value, context_.arena);
  if (!value->escaped) name.text = context_.arena.copy(name.text);
  accept_name(name.text);
}

void Decoder::key(Key& key) {
  const Value* value;
  if (required(Field::key, value)) unsigned_of(*value, "key", key.value);
}

void Decoder::no_key() {
  if (strict() && fields_.find(Field::key) != nullptr)
    fail("Field key is not taken by this op, which concerns the whole series");
}

void Decoder::no_series() {
  if (strict() && (fields_.find(Field::series) != nullptr || fields_.find(Field::tree) != nullptr))
    fail("Field series is not taken by this op, which concerns every series; series.compact takes one");
}

void Decoder::keys(std::span<const Key>& keys) {
  const Value* value;
  if (!required(Field::keys, value)) return;
  if (value->type != Type::array) return fail("Field keys must be an array");
  // "1," is the least that a key takes.
  const std::size_t most = strict() ? kMaxBatchItems : SIZE_MAX;
  std::span<Key> found = context_.arena.array<Key>(std::min(most, value->text.size() / 2 + 1));
  std::size_t count = 0;
  const bool numbers = json::read_numbers(*value, [&](std::uint64_t number) {
    if (count < found.size()) found[count].value = number;
    return ++count <= most;
  });
  if (!numbers) return fail("Field keys[] must be an unsigned 64-bit integer");
  if (count > most) return fail("Field keys exceeds max size " + std::to_string(most));
  keys = found.first(count);
}

void Decoder::items(std::span<const Item>& items, std::uint64_t least) {
  const Value* value;
  if (!required(Field::items, value)) return;
  if (value->type != Type::array) return fail("Field items must be an array");
  // "[1,2,3]," is the least that an item takes.
  const std::size_t most = strict() ? kMaxBatchItems : SIZE_MAX;
  std::span<Item> found = context_.arena.array<Item>(std::min(most, value->text.size() / 8 + 1));
  ItemReader reader(value->text);
  std::uint64_t numbers[3];
  std::size_t count = 0;
  MonthDays months;
  std::uint64_t total = 0;
  while (reader.next(numbers)) {
    if (count == most) return fail("Field items exceeds max size " + std::to_string(most));
    Item& item = found[count++];
    item.key = {numbers[0]};
    item.bucket = Bucket::of_number(numbers[1]);
    if (strict() && !months.day(item.bucket)) return no_date(numbers[1]);
    item.value = numbers[2];
    if (item.value < least && strict()) return fail("Batch item value must be greater than 0");
    if (total > UINT64_MAX - item.value) return fail("Batch total overflow");
    total += item.value;
  }
  if (reader.bad()) return fail("Each item must be [key, bucket, value], unsigned 64-bit integers");
  items = found.first(count);
}

void Decoder::items_as_written(std::span<const Item>& items, std::string_view& text) {
  this->items(items, 0);
  // Numbers have one form only, so blanks are all that can stand between the text and what the encoder would make of
  // the items. A log entry is not written again.
  if (!failed_ && strict() && !has_blanks(fields_.find(Field::items)->text)) text = fields_.find(Field::items)->text;
}

void Decoder::series_keys(std::span<const SeriesKey>& items) {
  const Value* value;
  if (!required(Field::items, value)) return;
  if (value->type != Type::array) return fail("Field items must be an array");
  // {"series":"a","key":1}, is the least that an item takes.
  std::span<SeriesKey> found = context_.arena.array<SeriesKey>(std::min(kMaxBatchItems, value->text.size() / 20 + 1));
  std::size_t count = 0;
  json::Reader reader(value->text);
  const auto take = [&](const Value& element) {
    if (count == kMaxBatchItems) return fail("Field items exceeds max size " + std::to_string(kMaxBatchItems)), false;
    Fields item;
    if (element.type != Type::object || !item.parse(element.text)) return fail("Each item must be an object"), false;
    const Value* name = item.find(Field::series);
    if (name == nullptr || name->type != Type::string) return fail("Field items[].series is required"), false;
    const Value* key = item.find(Field::key);
    if (key == nullptr) return fail("Field items[].key is required"), false;
    SeriesKey& entry = found[count++];
    entry.series = json::decode_string(*name, context_.arena);
    if (!name->escaped) entry.series = context_.arena.copy(entry.series);
    if (entry.series.empty()) return fail("Field items[].series must not be empty"), false;
    return accept_name(entry.series) && unsigned_of(*key, "items[].key", entry.key.value);
  };
  reader.read_array(take);
  items = found.first(failed_ ? 0 : count);
}

bool Decoder::day_of(std::uint64_t number, Bucket& bucket) {
  if (!strict()) {
    bucket = Bucket::of_number(number);
    return true;
  }
  const std::optional<Bucket> date = Bucket::of_date(number);
  if (date) bucket = *date;
  if (!date) no_date(number);
  return date.has_value();
}

void Decoder::no_date(std::uint64_t number) {
  fail("Invalid bucket date " + std::to_string(number) + ": a calendar day as YYYYMMDD is wanted");
}

// "2026-05-05" and "20260505": dashes go, digits remain.
bool Decoder::bucket_text(const Value& value, std::uint64_t& number) {
  const std::string_view text = json::decode_string(value, context_.arena);
  if (text.starts_with('-')) return fail("Field bucket must be greater than or equal to 0"), false;
  number = 0;
  int digits = 0;
  for (const char byte : text) {
    if (byte == '-') continue;
    if (byte < '0' || byte > '9' || ++digits > 19) return fail("Field bucket must be a bucket date"), false;
    number = number * 10 + static_cast<std::uint64_t>(byte - '0');
  }
  if (digits == 0) fail("Field bucket must be a bucket date");
  return digits != 0;
}

void Decoder::bucket(Bucket& bucket) {
  if (failed_) return;
  std::uint64_t number = 0;
  if (const Value* date = fields_.find(Field::date)) {
    if (unsigned_of(*date, "date", number)) day_of(number, bucket);
  } else if (const Value* value = fields_.find(Field::bucket)) {
    const bool read = value->type == Type::string ? bucket_text(*value, number) : unsigned_of(*value, "bucket", number);
    if (read) day_of(number, bucket);
  } else {
    bucket = strict() ? bucket_at(context_.now) : Bucket();
  }
}

void Decoder::amount(std::uint64_t& value) {
  if (failed_) return;
  value = 1;
  const Value* given = fields_.find(Field::value);
  if (given == nullptr || !unsigned_of(*given, "value", value)) return;
  if (value == 0 && strict()) fail("Field value must be greater than 0");
}

bool Decoder::decode_range(const Value& value, BucketRange& range) {
  if (value.type != Type::object) return fail(R"(Field range must be an object {"from":…,"to":…})"), false;
  Value from;
  Value to;
  json::Reader reader(value.text);
  reader.read_object([&](const Value& name, const Value& field) {
    const std::string_view text = json::decode_string(name, context_.arena);
    if (text == "from") from = field;
    if (text == "to") to = field;
  });
  if (from.type == Type::null) return fail("Field range.from is required"), false;
  if (to.type == Type::null) return fail("Field range.to is required"), false;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (!unsigned_of(from, "range.from", first) || !unsigned_of(to, "range.to", last)) return false;
  if (!day_of(first, range.from) || !day_of(last, range.to)) return false;
  if (first > last) return fail("Bucket range start must be less than or equal to range end"), false;
  if (strict() && *range.to.day() - *range.from.day() > kMaxRangeDays)
    return fail("Range exceeds max days " + std::to_string(kMaxRangeDays)), false;
  return true;
}

void Decoder::range(BucketRange& range) {
  const Value* value;
  if (required(Field::range, value)) decode_range(*value, range);
}

// An explicit null is an error, here and elsewhere: the caller may have meant a range, and would get a total over all
// time.
void Decoder::range(std::optional<BucketRange>& range) {
  BucketRange given;
  const Value* value = failed_ ? nullptr : fields_.find(Field::range);
  if (value != nullptr && decode_range(*value, given)) range = given;
}

void Decoder::before(Bucket& bucket) {
  if (failed_) return;
  const Value* value = fields_.find(Field::before);
  if (value == nullptr) value = fields_.find(Field::date);
  if (value == nullptr) return fail("Field before is required");
  std::uint64_t number = 0;
  if (unsigned_of(*value, "before", number)) day_of(number, bucket);
}

void Decoder::limit(std::uint64_t& limit, std::uint64_t fallback, std::uint64_t most) {
  if (failed_) return;
  limit = fallback;
  const Value* value = fields_.find(Field::limit);
  if (value == nullptr || !unsigned_of(*value, "limit", limit)) return;
  if (limit == 0) return fail("Field limit must be greater than 0");
  if (limit > most) fail("Field limit exceeds max size " + std::to_string(most));
}

void Decoder::cursor(std::optional<Key>& key) {
  if (failed_) return;
  const Value* value = fields_.find(Field::cursor);
  Key given;
  if (value == nullptr || value->type == Type::null) return;  // next_cursor of the last page
  if (unsigned_of(*value, "cursor", given.value)) key = given;
}

void Decoder::file(std::string_view& file) {
  const Value* value;
  if (!required(Field::file, value)) return;
  if (value->type != Type::string) return fail("Field file must be a string");
  file = json::decode_string(*value, context_.arena);
  if (!value->escaped) file = context_.arena.copy(file);
  if (file.empty()) return fail("Field file must not be empty");
  if (file.find('/') != std::string_view::npos || file.find('\0') != std::string_view::npos)
    return fail("Field file must be a snapshot basename");
  if (!file.ends_with(".tree")) return fail("Field file must end with .tree");
  if (!valid_utf8(file)) fail("Field file must be valid UTF-8");
}

void Decoder::offset(std::uint64_t& offset) {
  if (failed_) return;
  offset = 0;
  if (const Value* value = fields_.find(Field::offset)) unsigned_of(*value, "offset", offset);
}

void Decoder::after_lsn(Lsn& lsn) {
  const Value* value;
  if (required(Field::after_lsn, value)) unsigned_of(*value, "after_lsn", lsn.value);
}

void Encoder::series(const SeriesName& name) {
  out_.append(R"(,"series":)");
  json::append_bytes(out_, name.text);
}

void Encoder::key(Key key) {
  out_.append(R"(,"key":)");
  json::append_number(out_, key.value);
}

void Encoder::keys(std::span<const Key> keys) {
  out_.append(R"(,"keys":[)");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i != 0) out_.append(',');
    json::append_number(out_, keys[i].value);
  }
  out_.append(']');
}

void Encoder::items(std::span<const Item> items, std::uint64_t) {
  out_.append(R"(,"items":[)");
  for (std::size_t i = 0; i < items.size(); ++i) {
    out_.append(i == 0 ? '[' : ',');
    if (i != 0) out_.append('[');
    json::append_number(out_, items[i].key.value);
    out_.append(',');
    json::append_number(out_, items[i].bucket.number());
    out_.append(',');
    json::append_number(out_, items[i].value);
    out_.append(']');
  }
  out_.append(']');
}

void Encoder::items_as_written(std::span<const Item> items, std::string_view text) {
  if (text.empty()) return this->items(items, 0);
  out_.append(R"(,"items":)");
  out_.append(text);
}

void Encoder::bucket(Bucket bucket) {
  out_.append(R"(,"bucket":)");
  json::append_number(out_, bucket.number());
}

void Encoder::amount(std::uint64_t value) {
  out_.append(R"(,"value":)");
  json::append_number(out_, value);
}

void Encoder::range(BucketRange range) {
  out_.append(R"(,"range":{"from":)");
  json::append_number(out_, range.from.number());
  out_.append(R"(,"to":)");
  json::append_number(out_, range.to.number());
  out_.append('}');
}

void Encoder::before(Bucket bucket) {
  out_.append(R"(,"before":)");
  json::append_number(out_, bucket.number());
}

void Encoder::granularity_day() { out_.append(R"(,"granularity":"day")"); }

}  // namespace karma::commands
