// The index of a segment: where the line of an LSN begins.
//
//   KARMA_WAL_INDEX_V1 size=318
//   1 0
//   2 106
//   3 212
//
// Karma 1.0 looks up the first line above an LSN in it, so every line must be listed. It is written once, when the
// segment is closed, and may be missing, old or wrong at any time: it is a hint, and every reader checks that the line
// has the LSN. Nothing but speed depends on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

namespace karma::wal {

// Writes the index of a closed segment of `size` bytes: where the lines of the entries from `first` on begin.
Status write_segment_index(FileSystem& files, const std::string& directory, const std::string& segment,
                           std::uint64_t size, Lsn first, std::span<const std::uint64_t> offsets);

// Where reading of the segment must begin to find `lsn`: at its line according to the index, or at 0 if the index is
// unusable. `size` is the segment's. Reads a few blocks, however long the index is.
std::uint64_t find_in_index(FileSystem& files, const std::string& directory, const std::string& segment,
                            std::uint64_t size, Lsn lsn);

}  // namespace karma::wal
