#include "protocol/fields.h"

#include <span>
#include <string>

#include "core/utf8.h"

namespace karma::protocol {
namespace {

constexpr std::array<std::string_view, kFieldCount> kNames = {
    "v",
    "op",
    "token",
    "series",
    "tree",
    "id",
    "key",
    "keys",
    "items",
    "bucket",
    "date",
    "value",
    "range",
    "limit",
    "cursor",
    "before",
    "file",
    "offset",
    "source_offset",
    "event_id",
    "source",
    "stream_id",
    "mode",
    "granularity",
    "chunk_seq",
    "idempotency_key",
    "fingerprint",
    "idempotency_created_at_unix",
    "began_at_unix",
    "committed_at_unix",
    "checked_points",
    "mismatch_count",
    "absolute_drift",
    "max_abs_delta",
    "after_lsn",
    "wait_ms",
    "replica",
    "replica_epoch",
    "durable_lsn",
    "min_lsn",
    "want_lsn",
    "from",
    "to",
    "ranges",
    "compare_to",
    "order_by",
};

// The names by a hash without collisions among them (checked at compile time), so that a look-up compares once. A
// search one by one costs an increment 2.9 % more instructions, and one with a key 4.5 %.
constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(std::string_view name) {
  const auto at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(name[i])); };
  return (name.size() + at(0) * 2 + (at(name.size() - 1) + at(name.size() / 2)) * 8) % kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_slots() {
  std::array<std::uint8_t, kSlots> slots{};
  for (std::size_t i = 0; i < kSlots; ++i) slots[i] = kFieldCount;
  for (std::size_t i = 0; i < kFieldCount; ++i) slots[slot_of(kNames[i])] = static_cast<std::uint8_t>(i);
  return slots;
}
constexpr std::array<std::uint8_t, kSlots> kFieldOfSlot = make_slots();

constexpr bool every_name_has_its_slot() {
  for (std::size_t i = 0; i < kFieldCount; ++i)
    if (kFieldOfSlot[slot_of(kNames[i])] != i) return false;
  return true;
}
static_assert(every_name_has_its_slot());

std::size_t index_of(std::string_view name) {
  if (name.empty()) return kFieldCount;
  const std::size_t index = kFieldOfSlot[slot_of(name)];
  return index != kFieldCount && kNames[index] == name ? index : kFieldCount;
}

}  // namespace

std::string_view name_of(Field field) { return kNames[static_cast<std::size_t>(field)]; }

std::optional<Field> field_of(std::string_view name) {
  const std::size_t index = index_of(name);
  return index == kFieldCount ? std::nullopt : std::optional(static_cast<Field>(index));
}

Status Fields::parse_request(std::string_view line) {
  if (!valid_utf8(line)) return Error{ErrorCode::invalid_json, "Invalid JSON: bytes that are not UTF-8"};
  return parse(line);
}

Status Fields::parse(std::string_view line) {
  present_ = 0;
  unknown_count_ = 0;
  numbers_.clear();
  json::Reader reader(line, &numbers_);
  const auto take = [&](const json::Value& name, const json::Value& value) {
    std::size_t index;
    if (name.escaped) {
      Arena arena;
      index = index_of(json::decode_string(name, arena));
    } else {
      index = index_of(name.text);
    }
    if (at_start_) keep_start(line, static_cast<Field>(index), value);
    if (index != kFieldCount) {
      put(index, value);
    } else if (!name.escaped && unknown_count_ < kKeptUnknown) {
      unknown_[unknown_count_++] = name.text;
    }
  };
  bool good = false;
  if (!start_.empty() && line.starts_with(start_)) {
    for (Started& started : std::span(started_.data(), started_count_)) {
      started.value.text = line.substr(started.offset, started.value.text.size());
      put(static_cast<std::size_t>(started.field), started.value);
    }
    good = reader.resume_object(start_.size(), take);
  } else if (reader.peek() == '{') {
    start_.clear();
    started_count_ = 0;
    at_start_ = true;
    good = reader.read_object(take);
    at_start_ = false;
  } else {
    json::Value value;
    if (reader.read_value(value) && reader.at_end()) return validation_error("Request must be a JSON object");
  }
  if (good && reader.at_end()) return {};
  const std::string_view fault = reader.fault().empty() ? "text after the value" : reader.fault();
  return Error{ErrorCode::invalid_json, "Invalid JSON: " + std::string(fault)};
}

// While the line begins with such fields, as machines write them. No token: tokens must not be compared in time that
// depends on where they differ.
void Fields::keep_start(std::string_view line, Field field, const json::Value& value) {
  const bool string = value.type == json::Type::string;
  const std::size_t offset = static_cast<std::size_t>(value.text.data() - line.data());
  const std::size_t end = offset + value.text.size() + (string ? 1 : 0);
  at_start_ = field <= Field::tree && field != Field::token && (string || value.type == json::Type::unsigned_integer) &&
              end < kMaxStart && end < line.size() && line[end] == ',' && started_count_ < started_.size();
  if (!at_start_) return;
  started_[started_count_++] = {field, value, offset};
  start_.assign(line.substr(0, end + 1));
}

}  // namespace karma::protocol
