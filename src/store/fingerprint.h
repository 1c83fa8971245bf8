// What a request says, as 32 bytes: SHA-256 over one line for each of its fields, as Karma 1.0 computes it. The lines
// may never change: fingerprints are in data directories and in clients.
//
//   <name>:s:<byte length>:<bytes>\n    string
//   <name>:u:<decimal>\n                number
//   <name>:i:<decimal>\n                count of a list
//   <name>:n\n                          absent
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/sha256.h"

namespace karma::store {

using Fingerprint = Sha256Digest;

// Not thread-safe.
class FingerprintBuilder {
 public:
  // `command` is the internal name: "increment".
  explicit FingerprintBuilder(std::string_view command) { text("command", command); }

  void text(std::string_view name, std::string_view value);
  void optional_text(std::string_view name, const std::optional<std::string_view>& value);
  void number(std::string_view name, std::uint64_t value);
  void count(std::string_view name, std::size_t value);
  void absent(std::string_view name);
  Fingerprint finish();

 private:
  char* begin_line(std::string_view name, char type);
  void end_line(char* to);
  void decimal_line(std::string_view name, char type, std::uint64_t value);
  void spill();

  Sha256 sha_;
  std::size_t used_ = 0;
  char pending_[512];
};

}  // namespace karma::store
