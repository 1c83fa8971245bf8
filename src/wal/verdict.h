// The decision about a mutation before it is logged.
#pragma once

#include <cstdint>

namespace karma::wal {

enum class Verdict : std::uint8_t {
  log,          // goes into the batch that is logged next
  flush_first,  // depends on writes of that batch: finish the batch, then ask again
  answered,     // refused, or nothing would change: nothing is logged, its outcome is the answer
};

}  // namespace karma::wal
