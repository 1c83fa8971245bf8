// From a data directory to a state: snapshots, then the entries of the log above them.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

#include "engine/known_outcomes.h"
#include "engine/startup.h"
#include "ops/checkpoints.h"
#include "snapshot/manager.h"
#include "store/store.h"
#include "wal/log.h"

namespace karma::engine {

// Why this program cannot read an entry that a newer one may have logged; empty if it can. For wal::ScanOptions.
std::string why_unknown(std::string_view entry);
// Does nothing with the entries, and fails once it is to stop.
wal::Visit unless(const snapshot::Manager::Stopped& stopped);

// What is known of the log before the snapshots are read.
snapshot::LogReach log_reach(const wal::Scan& log);

struct Recovered {
  wal::Scan log;
  snapshot::Restored snapshots;
  ops::Checkpoints::Map checkpoints;
  Lsn last;                           // the next entry has the LSN after it
  std::uint64_t applied = 0;          // log entries
  std::uint64_t covered = 0;          // log entries that the snapshots hold already
  std::uint64_t refused = 0;          // log entries without effect
  bool streams_began_before = false;  // the log may go on with ingest streams that only the snapshots hold
  KnownOutcomes outcomes;             // of entries above the exactly-once state's file
  Decision decision = Decision::go_on;
  bool holds_data = false;  // there is something that a start without a restore would lose
};

// Up to where the restored snapshots reach, taken together.
Lsn newest_snapshot(const snapshot::Restored& restored);

// What a start is doing, and how many bytes of it are done; 0 of 0: not known.
using StartProgress = std::function<void(std::string_view doing, std::uint64_t done, std::uint64_t all)>;

struct RecoveryOptions {
  std::int64_t now = 0;           // as in decode_entry()
  std::set<std::string> give_up;  // damaged files that the operator gives up, by name
  bool restore = true;            // false: the state is only looked at, and the caller throws it away
  const std::vector<wal::FileInfo>* log_files = nullptr;  // as in wal::ScanOptions
  snapshot::Manager::Stopped stopped{};                   // asked now and then: the caller wants no result any more
  std::function<void(const std::string& event, const std::string& message)> on_event = [](const auto&, const auto&) {};
  std::function<void(const std::string& event, const std::string& message)> on_warning = on_event;
  StartProgress on_progress = [](auto, auto, auto) {};
};

// Fills an empty store. Changes nothing on disk. An error is the refusal of a start: it names the file and says what
// can be done.
Result<Recovered> recover(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          store::Store& store, const RecoveryOptions& options);
// All of that except loading: snapshots are assumed to be good, which Manager::check() verifies. For a node that
// verifies its own directory; may be done while snapshots are written, but may then find half of them.
Result<Recovered> examine(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          const RecoveryOptions& options);

}  // namespace karma::engine
