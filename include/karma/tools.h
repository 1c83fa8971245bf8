// Offline tools for data directories: what `karma check` and `karma dump` do.
#pragma once

#include <iosfwd>
#include <string>

#include <karma/file_system.h>

namespace karma {

// Verifies every checksum, the continuity of the log, snapshots against the log, and a restore. Changes nothing.
// What it finds goes to `out`, one line each, damage with file and place.
// Returns the exit code: 0 all is whole, 1 something is damaged, 2 the directory cannot be examined.
int check_directory(const std::string& directory, std::ostream& out, std::ostream& err,
                    FileSystem& files = posix_file_system());

// Prints what a start would restore as JSON lines, series by name, keys and buckets ascending:
//   {"series":"links","key":42,"bucket":20260505,"value":10}
// and {"series":"links"} for a series without points. Returns the exit code, as above.
int dump_directory(const std::string& directory, std::ostream& out, std::ostream& err,
                   FileSystem& files = posix_file_system());

}  // namespace karma
