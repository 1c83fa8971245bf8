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
class FingerprintBuilder {
 public:
  // `command` is the internal name: "increment".
  explicit FingerprintBuilder(std::string_view command) { text("command", command); }

  void text(std::string_view name, std::string_view value) {
    number_line(name, 's', value.size(), ':');
    append(value);
    append("\n");
  }
  void optional_text(std::string_view name, const std::optional<std::string_view>& value) {
    value ? text(name, *value) : absent(name);
  }
  void number(std::string_view name, std::uint64_t value) { number_line(name, 'u', value, '\n'); }
  void count(std::string_view name, std::size_t value) { number_line(name, 'i', value, '\n'); }
  void items(std::span<const Item> items) {
    count("items_count", items.size());
    for (const Item& item : items) {
      number("item_key", item.key.value);
      number("item_bucket", item.bucket.number());
      number("item_value", item.value);
    }
  }
  void absent(std::string_view name) {
    append(name);
    append(":n\n");
  }

  Fingerprint finish() {
    flush();
    return sha_.finish();
  }

 private:
  void append(std::string_view text) {
    if (text.size() > sizeof(pending_) - used_) flush();
    if (text.size() > sizeof(pending_)) return sha_.update(text);
    std::memcpy(pending_ + used_, text.data(), text.size());
    used_ += text.size();
  }
  // Names are short, so that a line without its text always fits into what is empty.
  void number_line(std::string_view name, char type, std::uint64_t value, char end) {
    if (name.size() + kDecimalRoom + 8 > sizeof(pending_) - used_) flush();
    char* to = std::copy(name.begin(), name.end(), pending_ + used_);
    *to++ = ':';
    *to++ = type;
    *to++ = ':';
    to = write_decimal(to, value);
    *to++ = end;
    used_ = static_cast<std::size_t>(to - pending_);
  }
  void flush() {
    sha_.update({pending_, used_});
    used_ = 0;
  }

  Sha256 sha_;
  std::size_t used_ = 0;
  char pending_[2048];  // whole blocks of the hash: so much is hashed at once
};

}  // namespace karma::store
