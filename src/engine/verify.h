// Is everything in a data directory what it should be? For snapshot.verify on a live node and `karma check` offline.
#pragma once

#include <string>
#include <vector>

#include <karma/file_system.h>

#include "commands/services.h"
#include "snapshot/manager.h"

namespace karma::engine {

struct Verification {
  commands::Verified found;
  std::vector<std::string> faults;    // where the damage is, one line each
  std::vector<std::string> warnings;  // odd, but harmless
};

// Every checksum, the continuity of LSNs, snapshots against the log, and a restore into a store of its own. Changes
// nothing. While a node appends or trims, a fault may be the trace of that: look again with the writer held.
Result<Verification> verify_directory(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots);

}  // namespace karma::engine
