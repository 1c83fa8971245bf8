// The data directory that is put together in the staging subdirectory (snapshot/adoption.h), from wherever its parts
// come: from a master (bootstrap.h), or from this node's own directory (rewind.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "engine/history.h"
#include "replication/bootstrap.h"
#include "snapshot/manifest.h"
#include "wal/log.h"

namespace karma::replication {

class StagedCopy {
 public:
  // Gives the bytes of a file to the sink, piece by piece, in order.
  using Bytes = std::function<Status(const Source::Sink& sink)>;

  // `options` lives as long as this.
  StagedCopy(FileSystem& files, std::string directory, const BootstrapOptions& options)
      : files_(files), directory_(std::move(directory)), options_(options) {}

  // Of the manifest: whole files with their sidecars, which are made here.
  Status add(snapshot::ManifestFile& listed, const Bytes& bytes);
  Status add(snapshot::ManifestExactlyOnce& listed, const Bytes& bytes);
  // Of a master that has no manifest. Returns the checksum of the sidecar.
  Result<std::uint32_t> add_file(const std::string& name, std::string_view sidecar,
                                 std::optional<std::uint32_t> expected, const Bytes& bytes);
  // A log whose first entry is the one after `after`.
  Result<std::unique_ptr<wal::Log>> begin_log(Lsn after);
  // It is that of a slave from here on. Nothing is written where it is not known.
  Status put(engine::History masters);
  // Last: all that it lists, except for older files, is there.
  Status put(snapshot::Manifest manifest);

  // An Error if all is to end.
  Status go_on() const;
  // What is done now, for people.
  void tell(const std::string& what);

 private:
  FileSystem& files_;
  const std::string directory_;
  const BootstrapOptions& options_;
  std::uint64_t bytes_ = 0;
  std::string what_;
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace karma::replication
