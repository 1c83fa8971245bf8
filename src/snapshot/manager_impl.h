// The inside of snapshot::Manager, spread over manager.cpp (reading), create.cpp (writing), restore.cpp and check.cpp.
#pragma once

#include "snapshot/inventory.h"
#include "snapshot/manager.h"
#include "snapshot/staged_file.h"
#include "snapshot/tree_decoder.h"

namespace karma::snapshot {

struct CurrentRegistry {
  std::string disk_name;
  std::uint32_t crc = 0;
  RegistryMeta meta;
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
  Result<TreeFacts> decode(const Item& item, const TakeCounter& take, const BytesDone& done = {});
  // registry.cpp. Nothing if there is none; Error, naming the file, if it is damaged.
  Result<std::optional<CurrentRegistry>> current_registry(const Inventory& inventory,
                                                          std::vector<std::string>* warnings = nullptr);
  // The listed one, found under that name.
  std::optional<CurrentRegistry> listed_registry(const Inventory& inventory, std::string disk_name,
                                                 std::vector<std::string>* warnings);
  struct Sum {
    std::uint64_t bytes = 0;
    std::uint32_t crc = 0;
  };
  // Of a file that may be too large for the memory.
  Result<Sum> checksum(const std::string& name);
  // The files of the registry that the manifest lists but that are still called `.new`.
  std::vector<std::string> staged_registry_files(const Inventory& inventory);

  // create.cpp
  Status settle(const Inventory& inventory);
  Result<ManifestFile> stage(const std::string& name, const store::SeriesView& series, Lsn lsn, std::int64_t timestamp);
  Result<ManifestRegistry> stage_registry(const Registry& registry, Lsn lsn);
  Status stage_text(const std::string& name, std::string_view text, std::optional<std::uint32_t>& crc);
  Status commit(const Manifest& manifest);
  Status rename_staged(const Manifest& manifest);
  void remove_staged();
  void prune(const Manifest& manifest);
  Status complete(ManifestFile& file, const Item& item);

  FileSystem& files;
  const std::string directory;
  const Clock& clock;
  const ManagerOptions options;
  LogReach log;  // as set_log() was told; constant once other threads use the manager
};

}  // namespace karma::snapshot
