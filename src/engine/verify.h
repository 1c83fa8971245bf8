// Is everything in a data directory sound? For snapshot.verify on a live node and `karma check` offline.
#pragma once

#include <string>
#include <vector>

#include <karma/file_system.h>

#include "commands/services.h"
#include "snapshot/manager.h"
#include "wal/log.h"

namespace karma::engine {

struct Verification {
  commands::Verified found;
  std::vector<std::string> faults;    // where the damage is, one line each
  std::string refusal;                // without any of these: why a start would be refused all the same
  std::vector<std::string> warnings;  // odd, but harmless

  bool content() const { return faults.empty() && refusal.empty(); }
  const std::string& first_fault() const { return faults.empty() ? refusal : faults.front(); }
};

// Every checksum, the continuity of LSNs, snapshots against the log, and a restore into a store of its own. Changes
// nothing.
Result<Verification> verify_directory(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots);

// The same while a node writes into the directory, without a second store: files are read through one after the other,
// and entries are not applied. Meanwhile no snapshot may be written and the log not be trimmed: a file that vanishes is
// a fault. `log`: Log::files(), unless nobody writes to the log. The numbers of series and keys are left to the caller.
// Once `stopped` says so, it ends soon, and its result means nothing.
Result<Verification> verify_running(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                                    const std::vector<wal::FileInfo>* log, const snapshot::Manager::Stopped& stopped);

}  // namespace karma::engine
