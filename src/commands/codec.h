// Between fields and members: the visitors that an op's describe() is shown.
//
//   Decoder       request or log entry -> members, checking types, ranges and limits
//   Encoder       members -> log entry
//   FieldLister   the field names, for documentation
//
// Each kind of field has one function here, the same in every visitor, and so the same meaning in every op.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/types.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/json_text.h"
#include "protocol/fields.h"
#include "protocol/limits.h"
#include "store/ingest.h"
#include "store/series.h"

namespace karma::commands {

using protocol::Field;
using protocol::Fields;
using protocol::FieldSet;

struct SeriesName {
  std::string_view text;
};

struct SeriesKey {
  std::string_view series;
  Key key;
};

// The ranges of a request in place of one; a missing one has all days. None at all: the request has no such list.
using Ranges = std::span<const std::optional<BucketRange>>;

struct DecodeContext {
  enum class Source {
    request,  // held to the rules for new data
    log,      // taken as it is: it was accepted once, perhaps by Karma 1.0
  };
  Arena& arena;
  Source source = Source::request;
  // Whether a series of that name exists. Names that break the rules are accepted where it does (old data).
  bool (*series_exists)(void* state, std::string_view name) = nullptr;
  void* state = nullptr;
  std::int64_t now = 0;    // Unix seconds; says which day today is
  bool no_writes = false;  // the node takes none from clients
  // The line stays as long as the command: names are not copied, for which a counter.sum takes 2 % more instructions.
  bool line_stays = false;
};

class Decoder {
 public:
  Decoder(const Fields& fields, DecodeContext& context) : fields_(fields), context_(context) {}

  bool failed() const { return failed_; }
  const Error& error() const { return error_; }

  // For an op that deletes, before its fields: a request with any field of the protocol beside `taken` is refused, on
  // top and inside `range`. The caller meant something narrower, and data would be gone.
  void take_only(FieldSet taken, std::string_view op);
  // For every op, before its fields: a request with a name that was probably meant to be one of `taken`, or with the
  // ends of a range outside of it, is refused. The caller would get another answer than the one that was asked for.
  void refuse_mistakes(FieldSet taken);
  bool may_be_mistaken() const {
    return (!fields_.unknown().empty() || (fields_.present() & set_of(Field::from, Field::to)) != 0) && strict();
  }

  void series(SeriesName& name);
  void key(Key& key);
  void no_key() {}   // for the fingerprint: the whole series is meant
  void no_series();  // refused: the caller must have meant something else
  void keys(std::span<const Key>& keys);
  // [[key, bucket, value], …] with values of at least `least`. `text` is that of the request, for as long as that is
  // there, if a log entry may hold it as it stands; else empty.
  void items(std::span<const Item>& items, std::string_view& text, std::uint64_t least);
  // [{"series":…,"key":…}, …]
  void series_keys(std::span<const SeriesKey>& items);
  void bucket(Bucket& bucket);        // `date` or `bucket`, default today
  void amount(std::uint64_t& value);  // default 1, at least 1
  void range(BucketRange& range);
  void range(std::optional<BucketRange>& range);
  void range_or_ranges(std::optional<BucketRange>& range, Ranges& ranges);
  // A second range beside `range`, and which of both is looked at.
  void comparison(const std::optional<BucketRange>& range, std::optional<BucketRange>& compare_to,
                  store::ChangeOrder& order);
  void before(Bucket& bucket);  // `before` or `date`
  void granularity_day() {}     // in the log only
  void limit(std::uint64_t& limit, std::uint64_t fallback, std::uint64_t most);
  void cursor(std::optional<Key>& key);
  void cursor(std::optional<std::string_view>& text);
  void file(std::string_view& file);
  void number(Field field, std::uint64_t& number);
  void number_or_0(Field field, std::uint64_t& number);
  void number(Field field, std::optional<std::uint64_t>& number);
  void id(Field field, std::string_view& id);  // empty if it is not there
  void flag(Field field, bool& truth);         // true or false, default as it is

  // codec_exactly_once.cpp
  void stream_id(std::string_view& id);
  void stream_id(std::optional<std::string_view>& id);
  void ingest_mode(store::IngestMode& mode);
  void granularity(std::optional<std::string_view>& granularity);
  void logged_time(Field field, std::int64_t& time);  // now; in the log what it says, or 0
  void prune_before(std::int64_t& time);              // Unix seconds or RFC 3339
  void source(std::string_view& source);
  void source(std::optional<std::string_view>& source);
  void source_position(std::optional<std::string_view>& offset, std::optional<std::string_view>& event_id);

 private:
  // A string, or an integer as its decimal text. Empty if the field is not there.
  std::optional<std::string_view> text_or_integer(Field field);
  std::string_view copy_of(const json::Value& string);
  // Where a value stands, for messages.
  struct Place {
    std::string_view field;
    std::optional<std::size_t> element{};
    std::string text(std::string_view member = {}) const;  // Field ranges[1].from
  };
  static const Place kRange;
  void fail(std::string message);
  bool strict() const { return context_.source == DecodeContext::Source::request; }
  // The unsigned integer of a field that is there; fails otherwise.
  bool unsigned_of(const json::Value& value, std::string_view name, std::uint64_t& number);
  // nullptr if it is not there, or something has failed before.
  const json::Value* given(Field field) const { return failed_ ? nullptr : fields_.find(field); }
  // The same, and then it has failed.
  const json::Value* required(Field field);
  const json::Value* required_array(Field field);
  void writable_day_of(std::uint64_t number, Bucket& bucket);  // that something may be counted under
  static std::string no_date(std::uint64_t number);
  // 20260505 or "2026-05-05". Karma 1.0 takes a bucket with dashes anywhere, or none, and the others as numbers only.
  enum class Dashes { in_place, anywhere };
  bool day_number(const json::Value& value, const Place& place, std::string_view member, std::uint64_t& number,
                  Dashes dashes = Dashes::in_place);
  void not_in_the_future(std::int64_t time);
  void refuse_ranges();
  void optional_range(Field field, const Place& place, std::optional<BucketRange>& range);
  bool decode_range(const json::Value& value, const Place& place, BucketRange& range);
  bool accept_name(std::string_view name);
  void not_taken(std::string_view field);

  const Fields& fields_;
  DecodeContext& context_;
  std::string_view deleting_op_;  // empty: other fields are ignored
  bool failed_ = false;
  Error error_;
};

class Encoder {
 public:
  explicit Encoder(Buffer& out) : out_(out) {}

  void series(const SeriesName& name);
  void key(Key key);
  void no_key() {}
  void no_series() {}
  void keys(std::span<const Key> keys);
  void items(std::span<const Item> items, std::string_view text, std::uint64_t least);
  void bucket(Bucket bucket);
  void amount(std::uint64_t value);
  void range(BucketRange range);
  void before(Bucket bucket) { json::append_field(out_, "before", bucket.number()); }
  void granularity_day() { json::append_field(out_, "granularity", "day"); }
  void limit(std::uint64_t limit, std::uint64_t fallback, std::uint64_t) {
    if (limit != fallback) json::append_field(out_, "limit", limit);
  }
  void number(Field field, std::uint64_t number) { json::append_field(out_, name_of(field), number); }
  void stream_id(std::string_view id) { json::append_bytes_field(out_, "stream_id", id); }
  void ingest_mode(store::IngestMode mode) { json::append_field(out_, "mode", to_string(mode)); }
  void granularity(const std::optional<std::string_view>& granularity) {
    if (granularity) json::append_bytes_field(out_, "granularity", *granularity);
  }
  // Beyond 1.0, which passes over it. Nothing where a log of 1.0 says nothing.
  void logged_time(Field field, std::int64_t time) {
    if (time > 0) json::append_signed_field(out_, name_of(field), time);
  }
  void prune_before(std::int64_t time) { json::append_signed_field(out_, "before", time); }

 private:
  Buffer& out_;
};

// The names for documentation, and which fields the op takes.
class FieldLister {
 public:
  const std::string& text() const { return text_; }
  FieldSet taken() const { return taken_; }  // aliases too

  void series(SeriesName&) { add(Field::series), take(Field::tree); }
  void key(Key&) { add(Field::key); }
  void no_key() {}
  void no_series() {}
  void keys(std::span<const Key>&) { add(Field::keys); }
  void items(std::span<const Item>&, std::string_view&, std::uint64_t) { add(Field::items); }
  void series_keys(std::span<const SeriesKey>&) { add(Field::items); }
  void bucket(Bucket&) { add_optional(Field::bucket), take(Field::date); }
  void amount(std::uint64_t&) { add_optional(Field::value); }
  void range(BucketRange&) { add(Field::range); }
  void range(std::optional<BucketRange>&) { add_optional(Field::range); }
  void range_or_ranges(std::optional<BucketRange>& one, Ranges&) { range(one), add_optional(Field::ranges); }
  void comparison(const std::optional<BucketRange>&, std::optional<BucketRange>&, store::ChangeOrder&) {
    add_optional(Field::compare_to), add_optional(Field::order_by);
  }
  void before(Bucket&) { add(Field::before), take(Field::date); }
  void granularity_day() { take(Field::granularity); }
  void limit(std::uint64_t&, std::uint64_t, std::uint64_t) { add_optional(Field::limit); }
  void cursor(std::optional<Key>&) { add_optional(Field::cursor); }
  void cursor(std::optional<std::string_view>&) { add_optional(Field::cursor); }
  void file(std::string_view&) { add(Field::file); }
  void number(Field field, std::uint64_t&) { add(field); }
  void number_or_0(Field field, std::uint64_t&) { add_optional(field); }
  void number(Field field, std::optional<std::uint64_t>&) { add_optional(field); }
  void id(Field field, std::string_view&) { add_optional(field); }
  void stream_id(std::string_view&) { add(Field::stream_id); }
  void stream_id(std::optional<std::string_view>&) { add_optional(Field::stream_id); }
  void ingest_mode(store::IngestMode&) { add(Field::mode); }
  void granularity(std::optional<std::string_view>&) { add_optional(Field::granularity); }
  void logged_time(Field, std::int64_t&) {}
  void prune_before(std::int64_t&) { add(Field::before); }
  void source(std::string_view&) { add(Field::source); }
  void source(std::optional<std::string_view>&) { add_optional(Field::source); }
  void source_position(std::optional<std::string_view>&, std::optional<std::string_view>&) {
    add_optional(Field::source_offset), take(Field::offset);
    add_optional(Field::event_id);
  }

 private:
  void take(Field field) { taken_ |= set_of(field); }
  void add(Field field) { list(field, std::string(name_of(field))); }
  void add_optional(Field field) { list(field, "[" + std::string(name_of(field)) + "]"); }
  void list(Field field, const std::string& name) {
    take(field);
    if (!text_.empty()) text_ += ", ";
    text_ += name;
  }

  std::string text_;
  FieldSet taken_ = 0;
};

}  // namespace karma::commands
