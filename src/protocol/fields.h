// The fields of a request or of a log entry, found by name: a table with one slot for each name that any op knows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <karma/error.h>

#include "core/arena.h"
#include "core/json_reader.h"
#include "protocol/limits.h"

namespace karma::protocol {

enum class Field : std::uint8_t {
  // Up to `tree`: the fields that most requests of a client have in common (the token has its own rules).
  v,
  op,
  token,
  series,
  tree,
  id,
  key,
  keys,
  items,
  bucket,
  date,
  value,
  range,
  limit,
  cursor,
  before,
  file,
  offset,
  source_offset,
  event_id,
  source,
  stream_id,
  mode,
  granularity,
  chunk_seq,
  idempotency_key,
  fingerprint,
  idempotency_created_at_unix,
  began_at_unix,
  committed_at_unix,
  checked_points,
  mismatch_count,
  absolute_drift,
  max_abs_delta,
  after_lsn,
  wait_ms,
  replica,
  replica_epoch,
  durable_lsn,
  min_lsn,
  want_lsn,
  from,  // known where it stands beside a range instead of inside, as the next
  to,
  ranges,
  compare_to,
  order_by,
  count_,
};

inline constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::count_);

std::string_view name_of(Field field);
std::optional<Field> field_of(std::string_view name);

// A set of fields, a bit each.
using FieldSet = std::uint64_t;
static_assert(kFieldCount <= 64);
constexpr FieldSet set_of(auto... fields) {
  return ((FieldSet{1} << static_cast<unsigned>(fields)) | ... | FieldSet{0});
}

class Fields {
 public:
  // `kept_numbers`: the longest array whose numbers are kept.
  explicit Fields(std::size_t kept_numbers = 3 * kMaxBatchItems) : numbers_(kept_numbers) {}

  // A line of a client. As parse(), and also invalid_json if any byte is not UTF-8, even in a field that no op takes.
  Status parse_request(std::string_view line);

  // Reads a whole line. One of an old log may hold bytes that are not UTF-8. invalid_json, or validation_error if it is
  // JSON but no object. If a name comes twice, the second counts; unknown names are ignored (but must be JSON). Views
  // into `line`, which must outlive the fields.
  Status parse(std::string_view line);

  // nullptr if the field is missing. An explicit null is there.
  const json::Value* find(Field field) const {
    if ((present_ >> static_cast<unsigned>(field) & 1) == 0) return nullptr;
    return &values_[static_cast<std::size_t>(field)];
  }

  // All that are there.
  FieldSet present() const { return present_; }

  // Names that no op knows, the first ones, in case one was meant to be a name that some op does know. Those with
  // escapes are left out: nobody mistypes them.
  static constexpr std::size_t kKeptUnknown = 16;
  std::span<const std::string_view> unknown() const { return {unknown_.data(), unknown_count_}; }

  // Of the value that is `kept`, if one is.
  const json::Numbers& numbers() const { return numbers_; }

 private:
  void keep_start(std::string_view line, Field field, const json::Value& value);
  void put(std::size_t index, const json::Value& value) {
    values_[index] = value;
    present_ |= FieldSet{1} << index;
  }

  std::array<json::Value, kFieldCount> values_;
  FieldSet present_ = 0;
  std::array<std::string_view, kKeptUnknown> unknown_;
  std::size_t unknown_count_ = 0;
  json::Numbers numbers_;

  // How the latest line began, up to the comma after the fields that most requests begin with and have in common: the
  // next line mostly begins with the same bytes, which then need not be read again. Without this a counter.sum takes
  // 21 % more instructions, an increment 14 %.
  struct Started {
    Field field;
    json::Value value;
    std::size_t offset;  // of its text in the line
  };
  static constexpr std::size_t kMaxStart = 256;
  std::string start_;
  std::array<Started, 4> started_;
  std::size_t started_count_ = 0;
  bool at_start_ = false;
};

}  // namespace karma::protocol
