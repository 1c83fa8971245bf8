// The lines of a file, with where they begin. A byte order mark at the beginning is passed over, hashed though.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

#include "core/sha256.h"

namespace karma::tools {

// Of a line, or of a record that goes over several.
inline constexpr std::size_t kMaxLineBytes = 1 << 20;

// Many whole lines at a time. Only the last one of the file may lack its end.
struct Lines {
  std::string_view text;
  std::uint64_t offset = 0;  // of the first byte
  bool last = false;         // nothing follows
};
// How much of it was used. What was not comes again, with more behind it, unless it is the last.
struct Used {
  std::size_t bytes = 0;
  std::uint64_t lines = 0;
};

// Reads the file once from the beginning, hands over its lines and hashes all bytes. Ends at the first Error of
// `on_lines`, or if a line, or what was not used, is longer than kMaxLineBytes.
using OnLines = std::function<Result<Used>(const Lines& lines)>;
Result<Sha256Digest> for_each_block(const File& file, const OnLines& on_lines);

struct Line {
  std::string_view text;     // without its end
  std::uint64_t number = 0;  // from 1
};
// Likewise, line by line.
Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line);

}  // namespace karma::tools
