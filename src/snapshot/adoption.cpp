#include "snapshot/adoption.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "io/path.h"
#include "io/replace_file.h"
#include "snapshot/file_name.h"
#include "snapshot/manager.h"

namespace karma::snapshot {
namespace {

constexpr std::string_view kComplete = "complete";
constexpr std::string_view kMoving = "moving";
constexpr std::string_view kMarkerStart = "old files: ";
constexpr std::string_view kRemoved = "removed";

// Whether the name is one of a data directory. People keep other things there, too: tokens, for instance.
bool is_data_file(std::string_view name) {
  constexpr std::string_view kNames[] = {kExactlyOnceName, kManifestName, kReplicationLsnName, "karma.history.json",
                                         "recovery.json"};
  if (name.starts_with("karma.wal") || name.starts_with(".karma.wal") || is_temp_file_name(name)) return true;
  for (const std::string_view suffix : {kStagedSuffix, kSidecarSuffix})
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return parse_file_name(name).has_value() || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// Moves each data file of `from`; to nowhere, if `to` is empty.
Status move_all(FileSystem& files, const std::string& from, const std::string& to) {
  const Result<std::vector<std::string>> names = files.list(from);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!is_data_file(name)) continue;
    const Status moved =
        to.empty() ? files.remove(join_path(from, name)) : files.rename(join_path(from, name), join_path(to, name));
    if (!moved) return moved;
  }
  if (!to.empty()) {
    if (Status synced = files.sync_directory(to); !synced) return synced;
  }
  return files.sync_directory(from);
}

}  // namespace

Result<std::string> begin_bootstrap(FileSystem& files, const std::string& directory) {
  std::string staging = join_path(directory, kBootstrapDirectory);
  if (Status made = files.create_directories(staging); !made) return made.error();
  if (has_complete_bootstrap(files, directory))
    return internal_error("a complete copy of the master's data is waiting: restart this node to put it in its place");
  if (Status emptied = move_all(files, staging, {}); !emptied) return emptied.error();
  return staging;
}

Status complete_bootstrap(FileSystem& files, const std::string& directory, std::string_view keep_as) {
  const std::string staging = join_path(directory, kBootstrapDirectory);
  // The names of the files reach the disk before the marker's does.
  if (Status synced = files.sync_directory(staging); !synced) return synced;
  const std::string old_files(keep_as.empty() ? kRemoved : keep_as);
  return replace_file(files, staging, std::string(kComplete), std::string(kMarkerStart) + old_files + "\n");
}

bool has_complete_bootstrap(FileSystem& files, const std::string& directory) {
  const std::string staging = join_path(directory, kBootstrapDirectory);
  return files.exists(join_path(staging, kComplete)) || files.exists(join_path(staging, kMoving));
}

Result<bool> adopt_bootstrap(FileSystem& files, const std::string& directory) {
  if (!has_complete_bootstrap(files, directory)) return false;
  const std::string staging = join_path(directory, kBootstrapDirectory);
  const std::string complete = join_path(staging, kComplete);
  const std::string moving = join_path(staging, kMoving);
  if (files.exists(complete)) {
    Result<std::string> marker = read_file(files, complete);
    if (!marker) return marker.error();
    std::string_view old_files = *marker;
    if (!old_files.starts_with(kMarkerStart) || !old_files.ends_with('\n'))
      return internal_error(std::string(kBootstrapDirectory) + "/" + std::string(kComplete) +
                            " is damaged: remove the directory, and the data is fetched from the master again");
    old_files.remove_prefix(kMarkerStart.size());
    old_files.remove_suffix(1);
    std::string keep_in;
    if (old_files != kRemoved) {
      keep_in = join_path(directory, old_files);
      if (Status made = files.create_directories(keep_in); !made) return made.error();
    }
    if (Status cleared = move_all(files, directory, keep_in); !cleared) return cleared.error();
    if (Status renamed = files.rename(complete, moving); !renamed) return renamed.error();
    if (Status synced = files.sync_directory(staging); !synced) return synced.error();
  }
  if (Status moved = move_all(files, staging, directory); !moved) return moved.error();
  if (Status removed = files.remove(moving); !removed) return removed.error();
  if (Status synced = files.sync_directory(staging); !synced) return synced.error();
  return true;
}

}  // namespace karma::snapshot
