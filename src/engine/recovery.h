// From a data directory to a state: snapshots, then what the log has beyond them.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>

#include "engine/known_outcomes.h"
#include "snapshot/manager.h"
#include "store/store.h"
#include "wal/log.h"

namespace karma::engine {

// Applies one log entry. What the entry asks for and cannot be done (Karma 1.0 logged before it refused) has no effect;
// then the result is the reason. `now`, in Unix seconds, dates idempotency keys that a log of 1.0 does not date.
std::string replay_entry(store::Store& store, std::string_view entry, std::int64_t now);

// Why this program cannot read an entry that a newer one may have logged; empty if it can. For wal::ScanOptions.
std::string why_unknown(std::string_view entry);

struct Recovered {
  wal::Scan log;
  snapshot::Restored snapshots;
  Lsn last;                   // the next entry has the LSN behind it
  std::uint64_t applied = 0;  // log entries
  std::uint64_t covered = 0;  // log entries that the snapshots hold already
  std::uint64_t refused = 0;  // log entries without effect
  KnownOutcomes outcomes;     // of entries above the registry's file
  // The log cannot simply go on: its numbers restarted or lie below a snapshot's, or the operator gave up damaged
  // files. A snapshot of everything has to take its place before the first write.
  bool needs_snapshot = false;
};

// Up to where the restored snapshots reach, taken together.
Lsn newest_snapshot(const snapshot::Restored& restored);

struct RecoveryOptions {
  std::int64_t now = 0;           // as in replay_entry()
  std::set<std::string> give_up;  // damaged files that the operator gives up, by name
  std::function<void(const std::string& event, const std::string& message)> on_event;
  std::function<void(const std::string& event, const std::string& message)> on_warning;
};

// Fills an empty store. Changes nothing on disk. An error names the damaged file and says what can be done.
Result<Recovered> recover(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          store::Store& store, const RecoveryOptions& options);

}  // namespace karma::engine
