#include "commands/fields.h"

#include <string>

#include "core/short_text.h"

namespace karma::commands {
namespace {

constexpr std::array<std::string_view, kFieldCount> kNames = {
    "v",
    "op",
    "token",
    "series",
    "tree",
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
    "committed_at_unix",
    "checked_points",
    "mismatch_count",
    "absolute_drift",
    "max_abs_delta",
    "after_lsn",
};

// Names by a hash that has no collisions among them (checked at compile time), so that a look-up compares once.
constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(std::string_view name) {
  const auto at = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(name[i])); };
  return (name.size() * 49 + at(0) * 5 + at(name.size() - 1) * 17 + at(name.size() / 2) * 8) % kSlots;
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
  return index != kFieldCount && same_text(kNames[index], name) ? index : kFieldCount;
}

}  // namespace

std::string_view name_of(Field field) { return kNames[static_cast<std::size_t>(field)]; }

Status Fields::parse(std::string_view line) {
  present_ = 0;
  numbers_.clear();
  json::Reader reader(line, &numbers_);
  if (reader.peek() != '{') {
    json::Value value;
    if (reader.read_value(value) && reader.at_end()) return validation_error("Request must be a JSON object");
  } else {
    const bool good = reader.read_object([&](const json::Value& name, const json::Value& value) {
      std::size_t index;
      if (name.escaped) {
        Arena arena;
        index = index_of(json::decode_string(name, arena));
      } else {
        index = index_of(name.text);
      }
      if (index == kFieldCount) return;
      values_[index] = value;
      present_ |= std::uint64_t{1} << index;
    });
    if (good && reader.at_end()) return {};
  }
  const std::string_view fault = reader.fault().empty() ? "text behind the value" : reader.fault();
  return Error{ErrorCode::invalid_json, "Invalid JSON: " + std::string(fault)};
}

}  // namespace karma::commands
