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
#include <optional>
#include <string_view>

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
    char* to = begin_line(name, 's');
    *to++ = ':';
    to = write_decimal(to, value.size());
    *to++ = ':';
    used_ = static_cast<std::size_t>(to - pending_);
    if (used_ + value.size() + 1 > sizeof(pending_)) {
      hash(used_);
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
  void absent(std::string_view name) { end_line(begin_line(name, 'n')); }

  Fingerprint finish() {
    hash(used_);
    return sha_.finish();
  }

 private:
  static constexpr std::size_t kBlockBytes = 64;  // of SHA-256

  static char* append(char* to, std::string_view text) { return std::copy(text.begin(), text.end(), to); }
  // Field names are short, so that a line without its text always fits into an empty buffer.
  char* begin_line(std::string_view name, char type) {
    // Whole blocks, so that the hash need not piece them together.
    if (used_ + name.size() + kDecimalRoom + 8 > sizeof(pending_)) hash(used_ / kBlockBytes * kBlockBytes);
    char* to = append(pending_ + used_, name);
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
    sha_.update({pending_, bytes});
    std::copy(pending_ + bytes, pending_ + used_, pending_);
    used_ -= bytes;
  }

  Sha256 sha_;
  std::size_t used_ = 0;
  char pending_[512];
};

}  // namespace karma::store
