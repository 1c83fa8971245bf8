// Are the bytes after the last good line of the active file the trace of a crash, or damage?
//
// A crash cuts a write short. It leaves a prefix of lines, possibly followed by zeros where the file had grown already,
// or by old content of the disk. None of it was acknowledged, so it is cut. Lines that were once whole are different:
// they may have been acknowledged, and a crash does not change them. The rest of the file is taken line by line; the
// first row that fits decides:
//
//   a line with a right checksum reaches to the end of the line, alone or after something else     damage
//   the line is the last and lacks its line feed                                                   torn
//   it contains two NUL bytes in a row (one may be a flipped bit)                                  torn
//   it is one whole JSON object (LSN, checksum or entry is wrong, or it is no line of a log)       damage
//   it ends as lines of ours do, `,"crc32c":N}` give or take two bytes                             damage
//   anything else                                                                                  torn
//
// The rest is torn only if every line of it is; one damaged line makes it damage. So a cut at any byte, zeros and
// garbage are removed, whereas a bit flipped in the last line, a repeated line, or a bad line before a good one is not.
//
// One crash cannot be told from damage and is refused too: a power failure that leaves zeros in place of the first part
// of a batch and its later lines whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>

#include "wal/line_reader.h"

namespace karma::wal {

// Why this line of the rest is damage, or nothing if it is torn (or blank).
std::optional<std::string> sign_of_damage(const RawLine& line);

// Why the bytes of the file from `begin` on are damage, or nothing if they are a torn tail.
Result<std::optional<std::string>> sign_of_damage(const File& file, std::uint64_t begin);

}  // namespace karma::wal
