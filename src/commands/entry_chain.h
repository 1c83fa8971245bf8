// What a part of the log comes to: a running mix of the checksums of its entries, in their order. Two nodes compare it
// for the same LSNs.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/crc32c.h"
#include "store/digest.h"

namespace karma::commands {

class EntryChain {
 public:
  void add(std::string_view entry) {
    value_ = store::Digest::mix(value_ ^ (crc32c(entry) | static_cast<std::uint64_t>(entry.size()) << 32));
  }
  store::Digest value() const { return store::Digest(value_); }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace karma::commands
