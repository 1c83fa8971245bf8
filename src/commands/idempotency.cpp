#include "commands/idempotency.h"

#include <algorithm>
#include <string>

namespace karma::commands {
namespace {

using json::Type;

Error conflict(std::string text) { return {ErrorCode::idempotency_conflict, std::move(text)}; }

// A string, or an integer as its text. The view lives as long as the arena.
Status read_text(const json::Value& value, Field field, std::size_t most, Arena& arena, std::string_view& text) {
  const auto fault = [field](const std::string& what) {
    return validation_error("Field " + std::string(name_of(field)) + what);
  };
  const bool integer = value.type == Type::unsigned_integer || value.type == Type::negative_integer;
  if (!integer && value.type != Type::string) return fault(" must be a string or integer");
  text = value.escaped ? json::decode_string(value, arena) : arena.copy(value.text);
  if (text.empty()) return fault(" must not be empty");
  if (text.size() > most) return fault(" exceeds max size " + std::to_string(most));
  return {};
}

// Only looked at in old logs: the clients' word does not count.
std::int64_t logged_time(const Fields& fields, std::int64_t fallback) {
  const json::Value* value = fields.find(Field::idempotency_created_at_unix);
  if (value == nullptr || value->type != Type::unsigned_integer || value->number > INT64_MAX) return fallback;
  return static_cast<std::int64_t>(value->number);
}

Status check_fingerprint(const json::Value& value, const KeyedWrite& keyed, Arena& arena) {
  std::string_view text;
  if (Status status = read_text(value, Field::fingerprint, protocol::kMaxFingerprintBytes, arena, text); !status)
    return status;
  if (text == to_hex(keyed.record.content.fingerprint(keyed.command))) return {};
  return conflict("Field fingerprint does not match request fingerprint");
}

}  // namespace

Status decode_key(const Fields& fields, const Op& op, const void* command, const store::ExactlyOnceState& exactly_once,
                  DecodeContext& context, KeyedWrite*& keyed) {
  const json::Value* value = fields.find(Field::idempotency_key);
  if (value == nullptr) return {};
  std::string_view text;
  Status status = read_text(*value, Field::idempotency_key, store::kMaxIdempotencyKeyBytes, context.arena, text);
  if (!status) return status;
  KeyedWrite* const decoded = context.arena.make<KeyedWrite>();
  store::IdempotencyRecord& record = decoded->record;
  record.key = exactly_once.records().key(text);
  record.operation = op.operation;
  decoded->command = op.command;
  record.content = op.content(command, context.arena);
  record.created_at = context.now;
  if (context.source == DecodeContext::Source::log) {
    record.created_at = logged_time(fields, context.now);
  } else if (const json::Value* asserted = fields.find(Field::fingerprint)) {
    status = check_fingerprint(*asserted, *decoded, context.arena);
    if (!status) return status;
  }
  keyed = decoded;
  return status;
}

void encode_key(const KeyedWrite& keyed, Buffer& entry) {
  entry.append(R"(,"idempotency_key":)");
  json::append_bytes(entry, keyed.record.key.text);
  entry.append(R"(,"idempotency_created_at_unix":)");
  json::append_number(entry, static_cast<std::uint64_t>(std::max<std::int64_t>(keyed.record.created_at, 0)));
}

Verdict admit_key(KeyedWrite& keyed, const store::ExactlyOnceState& exactly_once, const Pending& pending,
                  Outcome& outcome) {
  store::IdempotencyRecord& own = keyed.record;
  if (pending.forgets_keys || pending.keys.may_contain(own.key.hash)) return Verdict::flush_first;
  const store::IdempotencyRecords& records = exactly_once.records();
  const std::optional<store::IdempotencyRecord> record = records.find(own.key);
  keyed.is_new = !record;
  if (!record || records.is_too_old(*record, own.created_at)) return Verdict::log;
  if (record->operation != own.operation || !record->content.same(own.content, keyed.command)) {
    exactly_once.counters().conflicts.fetch_add(1, std::memory_order_relaxed);
    outcome.fail(conflict("Idempotency key was already used with a different request"));
    return Verdict::answered;
  }
  exactly_once.counters().hits.fetch_add(1, std::memory_order_relaxed);
  keyed.repeated = true;
  outcome.first = record->first;
  outcome.second = record->second;
  return Verdict::answered;
}

void remember_key(KeyedWrite& keyed, store::ExactlyOnceState& exactly_once, const Outcome& outcome) {
  if (outcome.failed) return;
  keyed.record.first = outcome.first;
  keyed.record.second = outcome.second;
  exactly_once.records().remember(keyed.record, keyed.is_new);
}

}  // namespace karma::commands
