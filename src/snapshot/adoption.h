// A data directory that another one takes the place of: how a slave gets its master's data. What is fetched is put
// together in a subdirectory; once that is complete, the next start moves it to its place.
//
//   karma.bootstrap/            the files of a data directory, and
//   karma.bootstrap/complete    all of them are there and synced: they count, the old ones do no more
//   karma.bootstrap/moving      the old ones are out of the way
//
// Each step can be repeated, so a crash at any moment leaves the old data or the new, and never a mixture:
//
//   no marker      the old data; what is in the subdirectory is begun anew
//   complete       the old files go, then the marker becomes `moving`
//   moving         the new files move, then the marker goes
//
// Old files are removed, or moved to a subdirectory that the marker names.
#pragma once

#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma::snapshot {

inline constexpr std::string_view kBootstrapDirectory = "karma.bootstrap";

// Makes the subdirectory, empty. Returns its path. Error: there is a complete one already.
Result<std::string> begin_bootstrap(FileSystem& files, const std::string& directory);

// All files are in it, each synced. `keep_as`: the name of a subdirectory for the old ones; empty: they are removed.
Status complete_bootstrap(FileSystem& files, const std::string& directory, std::string_view keep_as = {});

// Whether there is a complete one, whose place the next start gives it.
bool has_complete_bootstrap(FileSystem& files, const std::string& directory);

// At a start, before anything else looks at the directory. True if there was something to adopt. Files that are none of
// a data directory stay.
Result<bool> adopt_bootstrap(FileSystem& files, const std::string& directory);

}  // namespace karma::snapshot
