// Counters end at 2^64-1. Which line of a file would take one beyond it, whatever the server holds already.
#pragma once

#include <optional>
#include <string>

#include <karma/file_system.h>

#include "tools/points_text.h"

namespace karma::tools {

struct OverflowPlace {
  std::uint64_t line = 0;
  Key key;
};

// Reads the whole file once more, with memory for all its keys, for `replaces` also for their days: for files whose
// values add up to more than 2^64-1, which are few. `reader` has read the file before; lines that it refuses are passed
// over. `replaces`: a value takes the place of the one before it of its key and day.
Result<std::optional<OverflowPlace>> find_overflow(const File& file, PointsReader& reader, bool replaces);

}  // namespace karma::tools
