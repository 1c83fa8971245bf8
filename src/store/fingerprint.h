// What a request says, as 32 bytes: SHA-256 over one line for each of its fields, as Karma 1.0 computes it. The lines
// may never change: fingerprints are in data directories and in clients.
//
//   <name>:s:<byte length>:<bytes>\n    string
//   <name>:u:<decimal>\n                number
//   <name>:i:<decimal>\n                count of a list
//   <name>:n\n                          absent
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include <karma/types.h>

#include "core/decimal.h"
#include "core/sha256.h"

namespace karma::store {

using Fingerprint = Sha256Digest;

// Not thread-safe. Inline, because names are constants: their copying then costs next to nothing.
//
// The lines of a list are written a little ahead of those that are hashed, a block at a time: hashing is one chain of
// instructions that wait for each other, beside which the processor writes the next lines for nothing, unless it must
// wait for bytes written just before.
class FingerprintBuilder {
 public:
  // `command` is the internal name: "increment".
  explicit FingerprintBuilder(std::string_view command) { text("command", command); }

  void text(std::string_view name, std::string_view value) {
    char* to = begin_line(name, 's');
    *to++ = ':';
    to = write_decimal(to, value.size());
    *to++ = ':';
    used_ = static_cast<std::size_t>(to - pending_);
    if (used_ + value.size() + 1 > sizeof(pending_)) {
      hash(used_ - hashed_);
      make_room();
      if (value.size() + 1 > sizeof(pending_)) {
        sha_.update(value);
        value = {};
      }
    }
    end_line(append(pending_ + used_, value));
  }
  void optional_text(std::string_view name, const std::optional<std::string_view>& value) {
    value ? text(name, *value) : absent(name);
  }
  void number(std::string_view name, std::uint64_t value) { decimal_line(name, 'u', value); }
  void count(std::string_view name, std::size_t value) { decimal_line(name, 'i', value); }
  void items(std::span<const Item> items) {
    count("items_count", items.size());
    for (const Item& item : items) {
      char* to = begin_lines(kItemRoom);
      to = number_line(to, "item_key:u:", item.key.value);
      to = number_line(to, "item_bucket:u:", item.bucket.number());
      to = number_line(to, "item_value:u:", item.value);
      used_ = static_cast<std::size_t>(to - pending_);
    }
  }
  void absent(std::string_view name) { end_line(begin_line(name, 'n')); }

  Fingerprint finish() {
    hash(used_ - hashed_);
    return sha_.finish();
  }

 private:
  static constexpr std::size_t kAtOnce = 64;  // whole blocks, so that the hash need not piece them together
  static constexpr std::size_t kAhead = 4 * kAtOnce;

  static constexpr std::size_t kItemRoom = 3 * (16 + kDecimalRoom);

  static char* append(char* to, std::string_view text) { return std::copy(text.begin(), text.end(), to); }
  template <std::size_t kSize>
  static char* number_line(char* to, const char (&head)[kSize], std::uint64_t value) {
    std::memcpy(to, head, kSize - 1);
    to = write_decimal(to + kSize - 1, value);
    *to++ = '\n';
    return to;
  }
  // Where lines of up to `room` bytes go.
  char* begin_lines(std::size_t room) {
    while (used_ - hashed_ >= kAhead + kAtOnce) hash(kAtOnce);
    if (used_ + room > sizeof(pending_)) make_room();
    return pending_ + used_;
  }
  // Field names are short, so that a line without its text always fits behind what is ahead.
  char* begin_line(std::string_view name, char type) {
    char* to = append(begin_lines(name.size() + kDecimalRoom + 8), name);
    *to++ = ':';
    *to++ = type;
    return to;
  }
  void end_line(char* to) {
    *to++ = '\n';
    used_ = static_cast<std::size_t>(to - pending_);
  }
  void decimal_line(std::string_view name, char type, std::uint64_t value) {
    char* to = begin_line(name, type);
    *to++ = ':';
    end_line(write_decimal(to, value));
  }
  void hash(std::size_t bytes) {
    sha_.update({pending_ + hashed_, bytes});
    hashed_ += bytes;
  }
  void make_room() {
    used_ -= hashed_;
    std::memmove(pending_, pending_ + hashed_, used_);
    hashed_ = 0;
  }

  Sha256 sha_;
  std::size_t hashed_ = 0;
  std::size_t used_ = 0;
  char pending_[2048];
};

}  // namespace karma::store
