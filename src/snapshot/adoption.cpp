#include "snapshot/adoption.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "core/text.h"
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
constexpr std::string_view kEarlierStay = ", earlier copies stay";
constexpr std::string_view kDiverged = "diverged-";

// Whether the name is one of a data directory. People keep other things there, too: tokens, for instance.
bool is_data_file(std::string_view name) {
  constexpr std::string_view kNames[] = {kExactlyOnceName,     kManifestName,           kReplicationLsnName,
                                         "karma.history.json", "karma.difference.json", "recovery.json"};
  if (name.starts_with("karma.wal") || name.starts_with(".karma.wal") || is_temp_file_name(name)) return true;
  name = without_suffixes(name);
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

struct OldFiles {
  std::string kept_as;
  bool earlier_stay = false;
};

// What a marker says of the old files; nothing if it is damaged.
std::optional<OldFiles> old_files_of(std::string_view marker) {
  if (!marker.starts_with(kMarkerStart) || !marker.ends_with('\n')) return {};
  marker.remove_prefix(kMarkerStart.size());
  marker.remove_suffix(1);
  const bool earlier_stay = marker.ends_with(kEarlierStay);
  if (earlier_stay) marker.remove_suffix(kEarlierStay.size());
  return OldFiles{std::string(marker), earlier_stay};
}

// Not if somebody uses it as a data directory, or keeps directories in it.
Status remove_diverged(FileSystem& files, const std::string& path) {
  std::unique_ptr<FileSystem::Lock> lock;
  if (const std::string lock_path = join_path(path, kLockName); files.exists(lock_path)) {
    Result<std::unique_ptr<FileSystem::Lock>> taken = files.lock(lock_path);
    if (!taken) return taken.error();
    lock = std::move(*taken);
  }
  const Result<std::vector<std::string>> directories = files.list_directories(path);
  if (!directories) return directories.error();
  if (!directories->empty()) return internal_error("there are directories in it");
  const Result<std::vector<std::string>> names = files.list(path);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (Status removed = files.remove(join_path(path, name)); !removed) return removed;
  }
  return files.remove_directory(path);
}

// A later one has taken their place. They are in nobody's way: what cannot be removed stays until the next time.
void remove_diverged_except(FileSystem& files, const std::string& directory, const std::string& kept,
                            const Warn& warn) {
  const Result<std::vector<std::string>> copies = diverged_copies(files, directory);
  if (!copies) {
    if (warn) warn(copies.error().message);
    return;
  }
  for (const std::string& name : *copies) {
    if (name == kept) continue;
    Status removed = remove_diverged(files, join_path(directory, name));
    if (removed) removed = files.sync_directory(directory);
    if (!removed && warn) warn(name + " is not removed: " + removed.error().message);
  }
}

}  // namespace

std::string diverged_name(FileSystem& files, const std::string& directory, std::string_view epoch, Lsn last) {
  const std::string name =
      std::string(kDiverged) + std::string(epoch.empty() ? kUnknownEpoch : epoch) + "-" + std::to_string(last.value);
  std::string free = name;
  for (int number = 2; files.exists(join_path(directory, free)); ++number) free = name + "-" + std::to_string(number);
  return free;
}

std::optional<Lsn> lsn_of_diverged(std::string_view name) {
  if (!name.starts_with(kDiverged)) return {};
  name.remove_prefix(kDiverged.size());
  const std::string_view epoch = name.substr(0, name.find('-'));
  if (epoch.size() == name.size() || (epoch != kUnknownEpoch && !is_id(epoch))) return {};
  name.remove_prefix(epoch.size() + 1);
  const std::size_t dash = name.find('-');
  if (dash != std::string_view::npos && !parse_number<unsigned>(name.substr(dash + 1))) return {};
  const std::optional<std::uint64_t> lsn = parse_number<std::uint64_t>(name.substr(0, dash));
  return lsn ? std::optional(Lsn{*lsn}) : std::nullopt;
}

bool tells_epoch(std::string_view name) {
  return lsn_of_diverged(name) && !name.substr(kDiverged.size()).starts_with(kUnknownEpoch);
}

Result<std::vector<std::string>> diverged_copies(FileSystem& files, const std::string& directory) {
  Result<std::vector<std::string>> names = files.list_directories(directory);
  if (names) std::erase_if(*names, [](const std::string& name) { return !lsn_of_diverged(name); });
  return names;
}

Result<std::string> begin_bootstrap(FileSystem& files, const std::string& directory) {
  std::string staging = join_path(directory, kBootstrapDirectory);
  if (Status made = files.create_directories(staging); !made) return made.error();
  if (has_complete_bootstrap(files, directory))
    return internal_error("a complete copy of the master's data is waiting: restart this node to put it in its place");
  if (Status emptied = move_all(files, staging, {}); !emptied) return emptied.error();
  return staging;
}

Status complete_bootstrap(FileSystem& files, const std::string& directory, std::string_view keep_as,
                          bool earlier_stay) {
  const std::string staging = join_path(directory, kBootstrapDirectory);
  // The names of the files reach the disk before the marker's does.
  if (Status synced = files.sync_directory(staging); !synced) return synced;
  std::string old_files(keep_as.empty() ? kRemoved : keep_as);
  if (earlier_stay) old_files += kEarlierStay;
  return replace_file(files, staging, std::string(kComplete), std::string(kMarkerStart) + old_files + "\n");
}

bool has_begun_bootstrap(FileSystem& files, const std::string& directory) {
  const std::string staging = join_path(directory, kBootstrapDirectory);
  if (!files.exists(staging)) return false;
  const Result<std::vector<std::string>> names = files.list(staging);
  return names && std::ranges::any_of(*names, [](const std::string& name) { return is_data_file(name); });
}

bool has_complete_bootstrap(FileSystem& files, const std::string& directory) {
  const std::string staging = join_path(directory, kBootstrapDirectory);
  return files.exists(join_path(staging, kComplete)) || files.exists(join_path(staging, kMoving));
}

Result<bool> adopt_bootstrap(FileSystem& files, const std::string& directory, const Warn& warn) {
  if (!has_complete_bootstrap(files, directory)) return false;
  const std::string staging = join_path(directory, kBootstrapDirectory);
  const std::string complete = join_path(staging, kComplete);
  const std::string moving = join_path(staging, kMoving);
  if (files.exists(complete)) {
    Result<std::string> marker = read_file(files, complete);
    if (!marker) return marker.error();
    const std::optional<OldFiles> old_files = old_files_of(*marker);
    if (!old_files)
      return internal_error(std::string(kBootstrapDirectory) + "/" + std::string(kComplete) +
                            " is damaged: remove the directory, and the data is fetched from the master again");
    std::string keep_in;
    if (old_files->kept_as != kRemoved) {
      keep_in = join_path(directory, old_files->kept_as);
      if (Status made = files.create_directories(keep_in); !made) return made.error();
    }
    if (Status cleared = move_all(files, directory, keep_in); !cleared) return cleared.error();
    if (Status renamed = files.rename(complete, moving); !renamed) return renamed.error();
    if (Status synced = files.sync_directory(staging); !synced) return synced.error();
  }
  if (Status moved = move_all(files, staging, directory); !moved) return moved.error();
  const Result<std::string> marker = read_file(files, moving);
  if (!marker) return marker.error();
  if (const auto old_files = old_files_of(*marker);
      old_files && old_files->kept_as != kRemoved && !old_files->earlier_stay)
    remove_diverged_except(files, directory, old_files->kept_as, warn);
  if (Status removed = files.remove(moving); !removed) return removed.error();
  if (Status synced = files.sync_directory(staging); !synced) return synced.error();
  return true;
}

}  // namespace karma::snapshot
