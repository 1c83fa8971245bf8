// The inside of snapshot::Manager, spread over manager.cpp (reading), create.cpp (writing), restore.cpp and check.cpp.
#pragma once

#include <atomic>
#include <memory>

#include "core/mutex.h"
#include "snapshot/current_set.h"
#include "snapshot/inventory.h"
#include "snapshot/manager.h"
#include "snapshot/staged_file.h"
#include "snapshot/tree_decoder.h"

namespace karma::snapshot {

struct CurrentExactlyOnce {
  std::string disk_name;
  std::uint32_t crc = 0;
  ExactlyOnceMeta meta;
  std::optional<std::uint32_t> sidecar_crc;
  bool as_listed = false;  // what the manifest lists
  bool lsn_known = false;  // by the manifest or by a sidecar
};

class Manager::Impl {
 public:
  Impl(FileSystem& file_system, std::string data_directory, const Clock& system_clock, ManagerOptions manager_options)
      : files(file_system),
        directory(std::move(data_directory)),
        clock(system_clock),
        options(std::move(manager_options)) {}

  std::string path(std::string_view name) const { return join_path(directory, name); }
  void event(const std::string& event, const std::string& message) const {
    if (options.on_event) options.on_event(event, message);
  }
  // Decodes a whole file. If its checksum is known, it must be right. Error: what is wrong, without the file's name.
  Result<TreeFacts> decode(const Candidate& candidate, const TakeCounter& take, const BytesDone& done = {});
  // exactly_once.cpp. Nothing if there is none; Error, naming the file, if it is damaged.
  Result<std::optional<CurrentExactlyOnce>> current_exactly_once(const Inventory& inventory, const LogReach& log,
                                                                 std::vector<std::string>* warnings = nullptr);
  // The listed one, found under that name.
  std::optional<CurrentExactlyOnce> listed_exactly_once(const Inventory& inventory, std::string disk_name,
                                                        std::vector<std::string>* warnings);
  Result<Sum> sum_of(const std::string& name) const { return checksum(files, path(name)); }
  // The files of the exactly-once state that the manifest lists but that are still called `.new`, by their names to be.
  std::vector<std::string> staged_exactly_once_files(const Inventory& inventory);

  // manager.cpp. What is known without a look at the disk; nullptr: nothing.
  std::shared_ptr<const CurrentSet> known();
  void keep(std::optional<CurrentSet> set);
  Result<std::optional<ExactlyOnceMeta>> unknown_exactly_once();
  // Whether the manifest lists what counts.
  Result<bool> manifest_counts();
  Result<Candidate> look_up(const std::string& file);

  // create.cpp
  Status finish_interrupted(const Inventory& inventory);
  Result<CurrentSet> begin_whole_set(Lsn lsn);
  Result<CurrentSet> begin_single(const std::string& series);
  void add_unlisted(CurrentSet& set, const std::vector<std::string>& names);
  Status write_whole_set(const Frozen& state, CurrentSet& set);
  Result<ManifestFile> stage(const std::string& name, const store::SeriesView& series, Lsn lsn, std::int64_t timestamp,
                             std::vector<std::string>* unsynced = nullptr);
  Status stage_series(const Frozen& state, const std::vector<std::int64_t>& timestamps,
                      std::vector<ListedFilePointer>& staged);
  Result<ManifestExactlyOnce> stage_exactly_once(const ExactlyOnceState& exactly_once, Lsn lsn);
  Status stage_text(const std::string& name, std::string_view text, std::optional<std::uint32_t>& crc,
                    std::vector<std::string>* unsynced = nullptr);
  Status commit(const CurrentSet& set);
  Status rename_staged(const std::vector<std::string>& names);
  void remove_staged();
  void prune(CurrentSet& set);
  Status complete(ManifestFile& file, const Candidate& candidate);
  bool is_taken(const std::string& file);

  FileSystem& files;
  const std::string directory;
  const Clock& clock;
  const ManagerOptions options;
  LogReach log;  // as set_log() was told; constant once other threads use the manager
  std::atomic<bool> exactly_once_as_listed{false};  // as current_exactly_once() saw it last

 private:
  Mutex mutex_;
  std::shared_ptr<const CurrentSet> known_ KARMA_GUARDED_BY(mutex_);
  // While known_ is not there.
  std::optional<std::optional<ExactlyOnceMeta>> exactly_once_meta_ KARMA_GUARDED_BY(mutex_);
  std::optional<bool> manifest_counts_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::snapshot
