// Decides whether a start goes on, and with what: here and nowhere else, from values alone. A start, `karma check`,
// `karma dump` and snapshot.verify collect the same values (recovery.h) and ask the same function, so that they never
// disagree.
//
// The files prove that LSNs up to some number were given out. Each of these entries must be in the snapshots or in the
// log: if one is in neither, the state would silently be older than it was. So the start is refused, whichever file
// shows it, unless the operator gives up that very file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <karma/types.h>

#include "snapshot/manager.h"

namespace karma::engine {

// --- up to which LSN do the snapshots hold everything? ---------------------------------------------------------------

struct SnapshotFacts {
  bool has_manifest = false;
  bool log_complete = false;  // the manifest says that no snapshot existed when the log began
  Lsn set{};                  // of the manifest's last whole set
  bool any = false;           // there is a current snapshot of some series
  bool lsn_unknown = false;   // one of them has neither manifest nor sidecar to tell its LSN
  Lsn newest{};               // the largest LSN of a current snapshot
  // Of an exactly-once state that the manifest does not list: Karma 1.0 writes it last of a set, before it trims the
  // log.
  std::optional<Lsn> exactly_once{};
  Lsn trimmed{};            // karma.wal.lsn
  bool restarted = false;   // a promoted slave of 1.0 began its log at 1 again, and
  bool renumbered = false;  // has trimmed it since
};

Lsn covered(const SnapshotFacts& facts);

// --- is an entry missing? --------------------------------------------------------------------------------------------

struct LsnFacts {
  Lsn covered{};  // all entries up to it are in the snapshots
  Lsn first{};    // of the log; 0: it has no entries
  Lsn last{};
  std::string first_file{};
  bool first_given_up = false;  // the operator gave up the file that the log begins with
  // Other proofs that an LSN was reached; 0 if there is none, or if the file that says so was given up.
  Lsn trimmed{};  // karma.wal.lsn
  Lsn newest{};   // of one part of the snapshots
  std::string newest_file{};
  Lsn replicated{};  // karma.replication.lsn
};

struct Missing {
  Lsn from;
  Lsn to;
  std::string file;  // that shows it, and that the operator may give up
  std::string to_string() const;
};

std::optional<Missing> find_missing(const LsnFacts& facts);

// --- the table -------------------------------------------------------------------------------------------------------

enum class Named : std::uint8_t { known, unknown };  // what --recover names
enum class CheckpointState : std::uint8_t { whole, damaged, given_up };
enum class LogState : std::uint8_t { whole, damaged, newer, given_up };  // up to a torn tail
using snapshot::ManifestState;
enum class Parts : std::uint8_t { whole, replaced, damaged, given_up };  // snapshots and exactly-once state
enum class Entries : std::uint8_t { all, missing, given_up };
enum class Numbers : std::uint8_t { go_on, begin_anew };  // may the log be appended to as it is?
enum class Load : std::uint8_t { yes, no };               // --restore

struct Situation {
  Named named = Named::known;
  CheckpointState checkpoints = CheckpointState::whole;
  LogState log = LogState::whole;
  ManifestState manifest = ManifestState::none;
  Parts parts = Parts::whole;
  Entries entries = Entries::all;
  Numbers numbers = Numbers::go_on;
  Load load = Load::yes;
};

enum class Decision : std::uint8_t {
  refuse,
  go_on,        // load, replay, append to the log
  go_on_anew,   // load, replay, write snapshots of everything, begin a new log
  start_empty,  // load nothing, keep what is there, append to the log
};

struct StartRow {
  std::uint8_t named, checkpoints, log, manifest, parts, entries, numbers, load;  // sets of values, one bit each
  Decision decision;
  std::string_view what;

  bool fits(const Situation& situation) const;
};

// Each situation fits exactly one of them.
std::span<const StartRow> start_table();
Decision decide(const Situation& situation);

}  // namespace karma::engine
