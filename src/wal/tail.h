// Are the bytes after the last good line of the active file the trace of a crash, or damage?
//
// A crash cuts a write short. It leaves a prefix of lines, possibly followed by zeros where the file had grown already,
// or by old content of the disk. Where zeros were written ahead, a power failure may leave any sectors of the batch.
// None of it was acknowledged, so it is cut. Lines that were once whole are different: they may have been acknowledged,
// and a crash does not change them. The rest of the file is taken line by line; the first row that fits decides:
//
//   a line with a right checksum, of a batch that lacks sectors (below)                            torn
//   a line with a right checksum reaches to the end of the line, alone or after something else     damage
//   the line is the last and lacks its line feed                                                   torn
//   it contains two NUL bytes in a row (one may be a flipped bit), or one that fills up a sector   torn
//   it is one whole JSON object (LSN, checksum or entry is wrong, or it is no line of a log)       damage
//   it ends as lines of ours do, `,"crc32c":N}` give or take two bytes                             damage
//   anything else                                                                                  torn
//
// The rest is torn only if every line of it is; one damaged line makes it damage. So a cut at any byte, zeros and
// garbage are removed, whereas a bit flipped in the last line, a repeated line, or a bad line before a good one is not.
//
// A batch lacks sectors if all zeros in the rest up to there fill whole sectors, or one from the beginning of the rest
// to its end, and if the separator (format.h) before the line in question, with only lines with right checksums between
// them, says that its batch began at or before the LSN that is missing. Then nothing of another batch is missing, and
// no batch was written after it: it is the last one, whose sync may never have ended.
//
// Two crashes cannot be told from damage and are refused too: zeros in place of the first part of a batch without
// separators, with its later lines whole; and what a disk leaves whose sectors are smaller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

namespace karma::wal {

// Why the bytes of the file from `begin` on are damage, or nothing if they are a torn tail. `missing` is the LSN that
// should be there.
Result<std::optional<std::string>> sign_of_damage(const File& file, std::uint64_t begin, Lsn missing);

}  // namespace karma::wal
