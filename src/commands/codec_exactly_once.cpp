// Fields of idempotency, ingest, recovery and reconciliation.
#include <algorithm>
#include <string>

#include "commands/codec.h"
#include "core/timestamp.h"

namespace karma::commands {

using json::Type;
using json::Value;

void Decoder::stream_id(std::string_view& id) {
  if (failed_) return;
  const Value* const value = given(Field::stream_id);
  if (value == nullptr || value->type != Type::string) return fail("Field stream_id is required");
  id = copy_of(*value);
  if (id.empty()) return fail("Field stream_id is required");
  if (!strict()) return;
  if (id.size() > protocol::kMaxStreamIdBytes)
    fail("Field stream_id exceeds max size " + std::to_string(protocol::kMaxStreamIdBytes));
  if (id.starts_with(store::kLoadStreamPrefix))
    fail("Field stream_id must not begin with " + std::string(store::kLoadStreamPrefix) +
         ", which belongs to snapshot.load");
}

void Decoder::stream_id(std::optional<std::string_view>& id) {
  std::string_view given;
  if (fields_.find(Field::stream_id) == nullptr) return;
  stream_id(given);
  id = given;
}

void Decoder::ingest_mode(store::IngestMode& mode) {
  const Value* const value = given(Field::mode);
  if (value == nullptr || value->type != Type::string || value->text.empty()) return fail("Field mode is required");
  const std::string_view text = json::decode_string(*value, context_.arena);
  const std::optional<store::IngestMode> known = store::ingest_mode_of(text);
  if (!known) return fail("Unsupported ingest mode " + std::string(text));
  mode = *known;
}

// As in 1.0, whatever is no string counts as absent.
void Decoder::granularity(std::optional<std::string_view>& granularity) {
  const Value* const value = given(Field::granularity);
  if (value == nullptr || value->type != Type::string) return;
  granularity = copy_of(*value);
  if (strict() && granularity->size() > protocol::kMaxStreamIdBytes)
    fail("Field granularity exceeds max size " + std::to_string(protocol::kMaxStreamIdBytes));
}

void Decoder::logged_time(Field field, std::int64_t& time) {
  if (failed_) return;
  time = strict() ? context_.now : 0;
  const Value* value = strict() ? nullptr : fields_.find(field);
  if (value != nullptr && value->type == Type::unsigned_integer && value->number <= INT64_MAX)
    time = static_cast<std::int64_t>(value->number);
}

void Decoder::prune_before(std::int64_t& time) {
  const Value* const value = required(Field::before);
  if (value == nullptr) return;
  switch (value->type) {
    case Type::unsigned_integer:
      time = static_cast<std::int64_t>(std::min<std::uint64_t>(value->number, INT64_MAX));
      return not_in_the_future(time);
    case Type::negative_integer:
      return fail("Field before must be greater than or equal to 0");
    case Type::string:
      break;
    default:
      return fail("Field before must be an integer or ISO8601 timestamp");
  }
  const std::optional<std::int64_t> parsed = parse_timestamp(json::decode_string(*value, context_.arena));
  if (!parsed) return fail("Field before must be an ISO8601 timestamp");
  if (*parsed < 0) return fail("Field before must be greater than or equal to 0");
  time = *parsed;
  not_in_the_future(time);
}

// Milliseconds, or another slip, would have all keys forgotten, and each retry counted twice.
void Decoder::not_in_the_future(std::int64_t time) {
  const bool all = time >= protocol::kFirstSecondOfAllTime && time <= protocol::kLastSecond;
  if (!strict() || all || time <= context_.now) return;
  fail("Field before lies in the future: Unix seconds of a moment that has passed are wanted");
}

std::optional<std::string_view> Decoder::text_or_integer(Field field) {
  const Value* const value = given(field);
  if (value == nullptr) return std::nullopt;
  if (value->type == Type::string) return copy_of(*value);
  if (value->type == Type::unsigned_integer || value->type == Type::negative_integer)
    return context_.arena.copy(value->text);
  fail("Field " + std::string(name_of(field)) + " must be a string or integer");
  return std::nullopt;
}

void Decoder::source(std::string_view& source) {
  const Value* const value = required(Field::source);
  if (value == nullptr) return;
  if (value->type != Type::string || value->text.empty()) return fail("Field source is required");
  source = copy_of(*value);
}

// As in 1.0, whatever is no string asks for all.
void Decoder::source(std::optional<std::string_view>& source) {
  const Value* const value = given(Field::source);
  if (value != nullptr && value->type == Type::string) source = copy_of(*value);
}

void Decoder::source_position(std::optional<std::string_view>& offset, std::optional<std::string_view>& event_id) {
  offset = text_or_integer(fields_.find(Field::source_offset) != nullptr ? Field::source_offset : Field::offset);
  event_id = text_or_integer(Field::event_id);
  if (failed_) return;
  if (!offset && !event_id) return fail("Field offset or event_id is required");
  if (offset && offset->empty()) return fail("Field offset must not be empty");
  if (event_id && event_id->empty()) fail("Field event_id must not be empty");
}

}  // namespace karma::commands
