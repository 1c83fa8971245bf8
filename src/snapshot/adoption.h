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
//   moving         the new files move, directories of earlier old files go, then the marker goes
//
// Old files are removed, or moved to a subdirectory that the marker names: a diverged copy. It stays until a later one
// has taken its place, so there is one at most, and two for a moment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

namespace karma::snapshot {

inline constexpr std::string_view kBootstrapDirectory = "karma.bootstrap";
// By which a process holds a data directory.
inline constexpr std::string_view kLockName = "karma.lock";

// In place of an epoch in such a name: epochs do not tell what the other node has otherwise.
inline constexpr std::string_view kUnknownEpoch = "unknown";

// diverged-<epoch of the last entry>-<its LSN>, with a number after it where that name is taken.
std::string diverged_name(FileSystem& files, const std::string& directory, std::string_view epoch, Lsn last);
// The LSN in such a name; nothing if it is another name, of a directory that is not ours to remove.
std::optional<Lsn> lsn_of_diverged(std::string_view name);
// Of such a name: whether epochs tell where its data and the other node's part.
bool tells_epoch(std::string_view name);
// All that there are in the directory.
Result<std::vector<std::string>> diverged_copies(FileSystem& files, const std::string& directory);

// Makes the subdirectory, empty. Returns its path. Error: there is a complete one already.
Result<std::string> begin_bootstrap(FileSystem& files, const std::string& directory);

// All files are in it, each synced. `keep_as`: the name of a subdirectory for the old ones; empty: they are removed.
// `earlier_stay`: so do the diverged copies that there are, which otherwise give way to it.
Status complete_bootstrap(FileSystem& files, const std::string& directory, std::string_view keep_as = {},
                          bool earlier_stay = false);

// Whether there is one, complete or not.
bool has_begun_bootstrap(FileSystem& files, const std::string& directory);

// Whether there is a complete one, whose place the next start gives it.
bool has_complete_bootstrap(FileSystem& files, const std::string& directory);

// At a start, before anything else looks at the directory. True if there was something to adopt. Files that are none of
// a data directory stay. An earlier diverged copy that cannot be removed is told to `warn`.
using Warn = std::function<void(const std::string& message)>;
Result<bool> adopt_bootstrap(FileSystem& files, const std::string& directory, const Warn& warn = {});

}  // namespace karma::snapshot
