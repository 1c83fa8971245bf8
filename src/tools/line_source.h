// The lines of a file, with where they begin.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

#include "core/sha256.h"

namespace karma::tools {

inline constexpr std::size_t kMaxLineBytes = 1 << 20;

struct Line {
  std::string_view text;     // without its end
  std::uint64_t number = 0;  // from 1
  std::uint64_t offset = 0;  // of its first byte
};

// Reads the file once from the beginning, hands over each line and hashes all bytes. Ends at the first Error of
// `on_line`, or if a line is longer than kMaxLineBytes.
Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line);

// Likewise, with many whole lines at a time, of which `offset` is the first byte. Only the last one of the file may
// lack its end. `on_lines` returns how many they are.
using OnLines = std::function<Result<std::uint64_t>(std::string_view lines, std::uint64_t offset)>;
Result<Sha256Digest> for_each_block(const File& file, const OnLines& on_lines);

}  // namespace karma::tools
