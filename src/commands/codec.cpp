#include "commands/codec.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <karma/clock.h>

#include "core/decimal.h"
#include "core/json_values.h"
#include "core/text.h"
#include "core/utf8.h"
#include "protocol/near_miss.h"
#include "store/day_range.h"

namespace karma::commands {
namespace {

using json::each_number;
using json::each_triple;
using json::Type;
using json::Value;

std::string field_text(std::string_view name) { return "Field " + std::string(name); }

}  // namespace

void Decoder::fail(std::string message) {
  if (failed_) return;
  failed_ = true;
  error_ = validation_error(std::move(message));
}

void Decoder::take_only(FieldSet taken, std::string_view op) {
  if (!strict()) return;
  deleting_op_ = op;
  const FieldSet others = fields_.present() & ~taken;
  if (others != 0) not_taken(name_of(static_cast<Field>(std::countr_zero(others))));
  // Two names of one field, of which only the first would count.
  constexpr std::pair<Field, Field> kSynonyms[] = {{Field::tree, Field::series}, {Field::before, Field::date}};
  for (const auto& [one, other] : kSynonyms) {
    const Value* const a = fields_.find(one);
    const Value* const b = fields_.find(other);
    if (a == nullptr || b == nullptr || a->type != b->type) continue;  // one is passed over
    if (a->number == b->number && a->text == b->text) continue;
    fail("Fields " + std::string(name_of(one)) + " and " + std::string(name_of(other)) + " differ: " + std::string(op) +
         " deletes and takes one of them");
  }
}

void Decoder::refuse_mistakes(FieldSet taken) {
  if ((fields_.present() & set_of(Field::from, Field::to)) != 0)
    fail(R"(Fields from and to belong inside range: "range":{"from":20260501,"to":20260531})");
  // What deletes must not pass over anything that would narrow it in another op.
  if (!deleting_op_.empty()) taken = ~FieldSet{0};
  for (const std::string_view name : fields_.unknown())
    if (const auto meant = protocol::near_miss(name, taken))
      fail("Unknown field " + std::string(name) + ": did you mean " + std::string(protocol::name_of(*meant)) + "?");
}

void Decoder::not_taken(std::string_view field) {
  fail(field_text(field) + " is not taken by " + std::string(deleting_op_) +
       ", which deletes and would not be narrowed by it");
}

const Value* Decoder::required(Field field) {
  const Value* const value = given(field);
  if (value == nullptr) fail(field_text(name_of(field)) + " is required");
  return value;
}

const Value* Decoder::required_array(Field field) {
  const Value* const value = required(field);
  if (value == nullptr || value->type == Type::array) return value;
  return fail(field_text(name_of(field)) + " must be an array"), nullptr;
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

std::string_view Decoder::copy_of(const Value& string) {
  if (string.escaped) return json::decode_string(string, context_.arena);
  return context_.line_stays ? string.text : context_.arena.copy(string.text);
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
  name.text = copy_of(*value);
  accept_name(name.text);
}

void Decoder::key(Key& key) {
  if (const Value* value = required(Field::key)) unsigned_of(*value, "key", key.value);
}

void Decoder::no_series() {
  if (strict() && (fields_.find(Field::series) != nullptr || fields_.find(Field::tree) != nullptr))
    fail("Field series is not taken by this op, which concerns every series; series.compact takes one");
}

void Decoder::keys(std::span<const Key>& keys) {
  const Value* const value = required_array(Field::keys);
  if (value == nullptr) return;
  // "1," is the least that a key takes.
  const std::size_t most = strict() ? protocol::kMaxBatchItems : SIZE_MAX;
  std::span<Key> found = context_.arena.array<Key>(std::min(most, value->text.size() / 2 + 1));
  std::size_t count = 0;
  const bool numbers = each_number(*value, fields_.numbers(), [&](std::uint64_t number) {
    if (count < found.size()) found[count].value = number;
    return ++count <= most;
  });
  if (!numbers) return fail("Field keys[] must be an unsigned 64-bit integer");
  if (count > most) return fail("Field keys exceeds max size " + std::to_string(most));
  keys = found.first(count);
}

void Decoder::items(std::span<const Item>& items, std::string_view& text, std::uint64_t least) {
  const Value* const value = required_array(Field::items);
  if (value == nullptr) return;
  // "[1,2,3]," is the least that an item takes.
  const std::size_t most = strict() ? protocol::kMaxBatchItems : SIZE_MAX;
  std::span<Item> found = context_.arena.array<Item>(std::min(most, value->text.size() / 8 + 1));
  std::size_t count = 0;
  std::uint64_t total = 0;
  const auto take = [&](std::uint64_t key, std::uint64_t bucket, std::uint64_t amount) {
    if (count == most) return fail("Field items exceeds max size " + std::to_string(most)), false;
    Item& item = found[count++];
    item = {{key}, Bucket::of_number(bucket), amount};
    const bool as_before = count > 1 && found[count - 2].bucket == item.bucket;  // and so known to be a day
    if (strict() && !as_before && !item.bucket.is_writable()) return fail(no_date(bucket)), false;
    if (amount < least && strict()) return fail("Batch item value must be greater than 0"), false;
    if (total > UINT64_MAX - amount) return fail("Batch total overflow"), false;
    total += amount;
    return true;
  };
  if (!each_triple(*value, fields_.numbers(), take))
    return fail("Each item must be [key, bucket, value], unsigned 64-bit integers");
  items = found.first(count);
  // Numbers that are kept have one form only, so without blanks it is what the encoder would write.
  if (strict() && value->kept && !fields_.numbers().blanks()) text = value->text;
}

void Decoder::series_keys(std::span<const SeriesKey>& items) {
  const Value* const value = required_array(Field::items);
  if (value == nullptr) return;
  // {"series":"a","key":1}, is the least that an item takes.
  std::span<SeriesKey> found =
      context_.arena.array<SeriesKey>(std::min(protocol::kMaxBatchItems, value->text.size() / 20 + 1));
  std::size_t count = 0;
  json::Reader reader(value->text);
  Fields item(0);
  const auto take = [&](const Value& element) {
    if (count == protocol::kMaxBatchItems)
      return fail("Field items exceeds max size " + std::to_string(protocol::kMaxBatchItems)), false;
    if (element.type != Type::object || !item.parse(element.text)) return fail("Each item must be an object"), false;
    const Value* name = item.find(Field::series);
    if (name == nullptr || name->type != Type::string) return fail("Field items[].series is required"), false;
    const Value* key = item.find(Field::key);
    if (key == nullptr) return fail("Field items[].key is required"), false;
    SeriesKey& entry = found[count++];
    entry.series = copy_of(*name);
    if (entry.series.empty()) return fail("Field items[].series must not be empty"), false;
    return accept_name(entry.series) && unsigned_of(*key, "items[].key", entry.key.value);
  };
  reader.read_array(take);
  items = found.first(failed_ ? 0 : count);
}

void Decoder::writable_day_of(std::uint64_t number, Bucket& bucket) {
  bucket = Bucket::of_number(number);
  if (strict() && !bucket.is_writable()) fail(no_date(number));
}

std::string Decoder::no_date(std::uint64_t number) {
  const std::string_view wanted =
      Bucket::of_date(number) ? ": the year needs four digits" : ": a calendar day as YYYYMMDD is wanted";
  return "Invalid bucket date " + std::to_string(number) + std::string(wanted);
}

constinit const Decoder::Place Decoder::kRange{"range"};

std::string Decoder::Place::text(std::string_view member) const {
  std::string text = field_text(field);
  if (element) text += "[" + std::to_string(*element) + "]";
  if (!member.empty()) text += "." + std::string(member);
  return text;
}

bool Decoder::day_number(const Value& value, const Place& place, std::string_view member, std::uint64_t& number,
                         Dashes dashes) {
  if (value.type == Type::unsigned_integer) {
    number = value.number;
    return true;
  }
  const std::string_view text =
      value.type == Type::string ? json::decode_string(value, context_.arena) : std::string_view();
  if (value.type == Type::negative_integer || text.starts_with('-'))
    return fail(place.text(member) + " must be greater than or equal to 0"), false;
  std::string digits(text);
  std::erase(digits, '-');
  const bool placed = text.size() == 10 && text[4] == '-' && text[7] == '-' && digits.size() == 8;
  const std::optional<std::uint64_t> found = parse_number<std::uint64_t>(digits);
  if (!found || digits.size() > 19 || (dashes == Dashes::in_place && !placed))
    return fail(place.text(member) + R"( must be a bucket date, as 20260505 or "2026-05-05")"), false;
  number = *found;
  return true;
}

void Decoder::bucket(Bucket& bucket) {
  if (failed_) return;
  static constexpr Place kDate{"date"};
  static constexpr Place kBucket{"bucket"};
  std::uint64_t number = 0;
  if (const Value* date = fields_.find(Field::date)) {
    if (day_number(*date, kDate, {}, number)) writable_day_of(number, bucket);
  } else if (const Value* value = fields_.find(Field::bucket)) {
    if (day_number(*value, kBucket, {}, number, Dashes::anywhere)) writable_day_of(number, bucket);
  } else {
    bucket = strict() ? bucket_at(context_.now) : Bucket();
  }
}

void Decoder::amount(std::uint64_t& value) {
  value = 1;
  const Value* const found = given(Field::value);
  if (found == nullptr || !unsigned_of(*found, "value", value)) return;
  if (value == 0 && strict()) fail("Field value must be greater than 0");
}

bool Decoder::decode_range(const Value& value, const Place& place, BucketRange& range) {
  if (value.type != Type::object)
    return fail(place.text() + R"( must be an object {"from":…,"to":…})" + (place.element ? " or null" : "")), false;
  Value from;
  Value to;
  json::Reader reader(value.text);
  reader.read_object([&](const Value& name, const Value& field) {
    const std::string_view text = json::decode_string(name, context_.arena);
    if (text == "from") {
      from = field;
    } else if (text == "to") {
      to = field;
    } else if (!deleting_op_.empty() && protocol::field_of(text)) {
      not_taken("range." + std::string(text));
    }
  });
  if (failed_) return false;
  if (from.type == Type::null) return fail(place.text("from") + " is required"), false;
  if (to.type == Type::null) return fail(place.text("to") + " is required"), false;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (!day_number(from, place, "from", first) || !day_number(to, place, "to", last)) return false;
  range = {Bucket::of_number(first), Bucket::of_number(last)};
  // Where there may be several ranges, with the one that is meant.
  const auto wrong = [&](const std::string& message) {
    return fail(place.field == kRange.field ? message : place.text() + ": " + message), false;
  };
  // Of any year: old data is found too.
  for (const Bucket bucket : {range.from, range.to})
    if (strict() && !bucket.day()) return wrong(no_date(bucket.number()));
  if (first > last) return wrong("Bucket range start must be less than or equal to range end");
  if (strict() && *range.to.day() - *range.from.day() > protocol::kMaxRangeDays)
    return wrong("Range exceeds max days " + std::to_string(protocol::kMaxRangeDays));
  return true;
}

// Of an op that takes one range: the caller would get another answer than the one that was asked for.
void Decoder::refuse_ranges() {
  if (strict() && given(Field::ranges) != nullptr)
    fail("Field ranges is not taken by this op, but range is; counter.batch_sum and counter.multi_sum take both");
}

void Decoder::range(BucketRange& range) {
  refuse_ranges();
  if (const Value* value = required(Field::range)) decode_range(*value, kRange, range);
}

// An explicit null is an error, here and elsewhere: the caller may have meant a range, and would get a total over all
// time.
void Decoder::range(std::optional<BucketRange>& range) {
  refuse_ranges();
  optional_range(Field::range, kRange, range);
}

void Decoder::optional_range(Field field, const Place& place, std::optional<BucketRange>& range) {
  BucketRange found;
  const Value* const value = given(field);
  if (value != nullptr && decode_range(*value, place, found)) range = found;
}

void Decoder::range_or_ranges(std::optional<BucketRange>& range, Ranges& ranges) {
  const Value* const list = given(Field::ranges);
  if (list == nullptr) return optional_range(Field::range, kRange, range);
  static_assert(protocol::kMaxRanges <= store::DayRanges::kMost);
  if (fields_.find(Field::range) != nullptr) return fail("Fields range and ranges exclude each other");
  const auto found = context_.arena.array<std::optional<BucketRange>>(protocol::kMaxRanges);
  std::size_t count = 0;
  const bool array = json::each_element(*list, [&](const Value& element) {
    if (count == found.size())
      return fail("Field ranges exceeds max size " + std::to_string(protocol::kMaxRanges)), false;
    std::optional<BucketRange> bounds;
    if (element.type != Type::null && !decode_range(element, {"ranges", count}, bounds.emplace())) return false;
    found[count++] = bounds;
    return true;
  });
  if (failed_) return;
  if (!array) return fail("Field ranges must be an array");
  if (count == 0) return fail("Field ranges must not be empty");
  ranges = found.first(count);
}

void Decoder::comparison(const std::optional<BucketRange>& range, std::optional<BucketRange>& compare_to,
                         store::ChangeOrder& order) {
  optional_range(Field::compare_to, {"compare_to"}, compare_to);
  if (compare_to && !range) return fail("Field compare_to needs a range that is compared");
  const Value* const by = given(Field::order_by);
  if (by == nullptr) return;
  const std::string_view text = by->type == Type::string ? json::decode_string(*by, context_.arena) : "";
  if (text != "value" && text != "delta") return fail(R"(Field order_by must be "value" or "delta")");
  if (!compare_to) return fail("Field order_by needs compare_to");
  order = text == "delta" ? store::ChangeOrder::delta : store::ChangeOrder::value;
}

void Decoder::before(Bucket& bucket) {
  const Value* value = given(Field::before);
  if (value == nullptr) value = given(Field::date);
  if (value == nullptr) return fail("Field before is required");
  std::uint64_t number = 0;
  if (day_number(*value, {"before"}, {}, number)) writable_day_of(number, bucket);
}

void Decoder::limit(std::uint64_t& limit, std::uint64_t fallback, std::uint64_t most) {
  limit = fallback;
  const Value* const value = given(Field::limit);
  if (value == nullptr || !unsigned_of(*value, "limit", limit)) return;
  if (limit == 0) return fail("Field limit must be greater than 0");
  if (limit > most) fail("Field limit exceeds max size " + std::to_string(most));
}

void Decoder::number(Field field, std::uint64_t& number) {
  if (const Value* value = required(field)) unsigned_of(*value, name_of(field), number);
}

void Decoder::number_or_0(Field field, std::uint64_t& number) {
  number = 0;
  if (const Value* value = given(field)) unsigned_of(*value, name_of(field), number);
}

void Decoder::number(Field field, std::optional<std::uint64_t>& number) {
  std::uint64_t found = 0;
  const Value* const value = given(field);
  if (value != nullptr && unsigned_of(*value, name_of(field), found)) number = found;
}

void Decoder::id(Field field, std::string_view& id) {
  const Value* const value = given(field);
  if (value == nullptr) return;
  if (value->type != Type::string || !is_id(value->text))
    return fail(field_text(name_of(field)) + " must be " + std::to_string(kIdDigits) + " hexadecimal digits");
  id = context_.arena.copy(value->text);
}

void Decoder::flag(Field field, bool& truth) {
  const Value* const value = given(field);
  if (value == nullptr) return;
  if (value->type != Type::boolean) return fail(field_text(name_of(field)) + " must be true or false");
  truth = value->truth;
}

void Decoder::cursor(std::optional<Key>& key) {
  const Value* const value = given(Field::cursor);
  Key found;
  if (value == nullptr || value->type == Type::null) return;  // next_cursor of the last page
  if (unsigned_of(*value, "cursor", found.value)) key = found;
}

void Decoder::cursor(std::optional<std::string_view>& text) {
  const Value* const value = given(Field::cursor);
  if (value == nullptr || value->type == Type::null) return;
  if (value->type != Type::string) return fail("Field cursor must be the next_cursor of the last page");
  text = copy_of(*value);
}

void Decoder::file(std::string_view& file) {
  const Value* const value = required(Field::file);
  if (value == nullptr) return;
  if (value->type != Type::string) return fail("Field file must be a string");
  file = copy_of(*value);
  if (file.empty()) return fail("Field file must not be empty");
  if (file.find('/') != std::string_view::npos || file.find('\0') != std::string_view::npos)
    return fail("Field file must be a snapshot basename");
  if (!file.ends_with(".tree")) return fail("Field file must end with .tree");
  if (!valid_utf8(file)) fail("Field file must be valid UTF-8");
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
  char* const begin = out_.reserve(keys.size() * (kDecimalRoom + 1) + 1);
  char* to = begin;
  for (const Key key : keys) {
    to = write_decimal(to, key.value);
    *to++ = ',';
  }
  if (!keys.empty()) --to;
  *to++ = ']';
  out_.commit(static_cast<std::size_t>(to - begin));
}

void Encoder::items(std::span<const Item> items, std::string_view text, std::uint64_t) {
  if (!text.empty()) {
    out_.append(R"(,"items":)");
    out_.append(text);
    return;
  }
  out_.append(R"(,"items":[)");
  char* const begin = out_.reserve(items.size() * (3 * kDecimalRoom + std::size_t{5}) + 1);
  char* to = begin;
  for (const Item& item : items) {
    *to++ = '[';
    to = write_decimal(to, item.key.value);
    *to++ = ',';
    to = write_decimal(to, item.bucket.number());
    *to++ = ',';
    to = write_decimal(to, item.value);
    *to++ = ']';
    *to++ = ',';
  }
  if (!items.empty()) --to;
  *to++ = ']';
  out_.commit(static_cast<std::size_t>(to - begin));
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

}  // namespace karma::commands
