// Snapshots on disk: what they are, how they are written so that a crash at any moment is harmless, how they are read.
//
//   <unix seconds>_<series>.tree             MessagePack, as Karma 1.0 writes it (tree_encoder.h, file_name.h)
//   <unix seconds>_<series>.tree.meta.json   sidecar: tree, file, timestamp, last_lsn, bytes
//   karma.idempotency.json (+ .meta.json)    the exactly-once state: idempotency records and ingest streams
//   karma.manifest.json                      which files make up the current state, with sizes, LSNs and checksums
//   <any but the manifest>.new               written and synced, but not yet renamed to its name
//
// The manifest is the commit point: a set of files counts once the manifest that names it has been renamed into place.
// Karma 1.0 ignores it and takes the newest file of each series, which is the same set. Checksums live in the manifest
// so that the other files are byte for byte what 1.0 writes.
//
// Order of create_all: everything is written as `.new`, each file synced, then the directory; the manifest is replaced;
// the `.new` files are renamed to their names; files of dropped series and beyond retention are removed. The log is
// trimmed by the caller, last. What a crash leaves:
//
//   before the manifest   the old set, and `.new` files that no manifest lists: finish_interrupted() removes them
//   after it              the new set, parts of it still called `.new`: restore() finds them under either name,
//                         finish_interrupted() renames them
//   while pruning         files that the manifest lists as older: never taken for current
//
// Small files of a set are written first and then synced side by side. After the first set this process knows what is
// there (current_set.h); after an error it looks again. A name is never used twice, also not after a drop.
//
// To Karma 1.0 `.new` files do not exist, so until the renames it sees the old files, for which the log is still whole.
//
// Which files are current (inventory.h) when Karma 1.0 has been at work in the directory, and what is done about
// damage (restore.cpp), stand as tables in these files.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <karma/clock.h>
#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "store/series.h"
#include "store/store.h"

namespace karma::snapshot {

inline constexpr std::string_view kManifestName = "karma.manifest.json";
inline constexpr std::string_view kExactlyOnceName = "karma.idempotency.json";
inline constexpr std::string_view kReplicationLsnName = "karma.replication.lsn";

// No more is read at a time.
inline constexpr std::uint64_t kMaxReadBytes = std::uint64_t{1} << 30;

// A snapshot file as its sidecar describes it (or as its name and size do, where there is no sidecar).
struct Meta {
  std::string series;
  std::string file;
  std::int64_t timestamp = 0;
  Lsn last_lsn;
  std::uint64_t bytes = 0;
  bool has_sidecar = true;
};

struct ExactlyOnceMeta {
  std::int64_t timestamp = 0;
  Lsn last_lsn;
  std::uint64_t bytes = 0;
  std::uint64_t record_count = 0;
  std::uint64_t committed_stream_count = 0;
  friend bool operator==(const ExactlyOnceMeta&, const ExactlyOnceMeta&) = default;
};

// The exactly-once state as text (one JSON object, no line feed), passed on in pieces when the file is written; opaque
// to this folder.
struct ExactlyOnceState {
  using Sink = std::function<Status(std::string_view piece)>;
  std::function<Status(const Sink&)> write = [](const Sink& sink) {
    return sink(R"({"records":[],"committed_streams":[]})");
  };
  std::uint64_t record_count = 0;
  std::uint64_t committed_stream_count = 0;
};

// What an entry of the log came to, where the entry alone does not tell: it was refused when it was applied, or it
// answered what it found. A snapshot of one series is of a later moment than the exactly-once state's file, and where
// it holds such an entry nothing else knows any more what was answered.
struct KnownOutcome {
  Lsn lsn;
  bool refused = false;
  std::uint64_t first = 0;  // as in commands::Outcome
  std::uint64_t second = 0;
  friend bool operator==(const KnownOutcome&, const KnownOutcome&) = default;
};

// The whole state at one LSN.
struct Frozen {
  Lsn lsn;
  std::vector<std::pair<std::string, store::SeriesView>> series;
  ExactlyOnceState exactly_once;
  // False: it holds changes that no log has (--wal=false). Then no older snapshot can ever be brought up to it.
  bool logged = true;
};

enum class ManifestState : std::uint8_t { none, good, newer, damaged, given_up };

// What restore found, and from where each part of the state has to be continued by the log.
struct Restored {
  std::map<std::string, Lsn, std::less<>> series_lsn;  // entries up to it are in the series already
  Lsn set_lsn;           // the same for every series that is not named (it did not exist then); 0 without manifest
  Lsn exactly_once_lsn;  // the same for the exactly-once state
  Lsn newest;            // maximum of all LSNs seen in snapshots, sidecars, manifest, karma.replication.lsn
  std::optional<std::string> exactly_once_json;
  std::vector<KnownOutcome> outcomes;  // of entries above exactly_once_lsn, LSNs ascending
  // A slave of 1.0 that was promoted numbers its log from 1 again: karma.replication.lsn is there and the log's LSNs
  // lie below the snapshots'. Then no entry is covered by a snapshot.
  bool log_restarted = false;
  std::size_t file_count = 0;

  // What the files prove, for whoever decides whether the log may continue them.
  ManifestState manifest = ManifestState::none;
  bool log_complete = false;  // Manifest::log_complete
  bool any = false;           // there is a current snapshot of some series
  bool lsn_unknown = false;   // one of them has neither manifest nor sidecar to tell its LSN
  Lsn newest_current;         // the largest LSN of a current snapshot
  Lsn newest_unlisted;        // the same of those that the manifest does not list, if there is one
  Lsn newest_not_given_up;    // the same of those that the operator does not give up, and its file
  std::string newest_file;
  std::optional<Lsn> exactly_once_of_1_0;  // the LSN of an exactly-once state that Karma 1.0 wrote, where it is known
  Lsn replicated;                          // karma.replication.lsn
  bool renumbered = false;                 // log_restarted, and the log was trimmed since
  bool replaced = false;                   // an older snapshot or the log took the place of a damaged one
  bool gave_up = false;  // something was left out, or is not known, that no later start may meet again
  std::map<std::string, std::string, std::less<>> replaced_files;  // series → its damaged file
  // series → a file beside the manifest that tells of a later snapshot than the one that counts, but is of no use
  std::map<std::string, std::string, std::less<>> later_files;
  std::vector<std::string> warnings;  // fallbacks taken, stray files, missing sidecars
};

// Why restore() refused.
struct RestoreFault {
  ManifestState manifest = ManifestState::none;  // newer or damaged: that is why
  std::string file;                              // that may be given up
};

// What the log offers, seen before the snapshots are read.
struct LogReach {
  bool has_entries = false;
  Lsn first;  // of the first entry, if any
  Lsn last;
  Lsn lsn_file;       // karma.wal.lsn
  bool whole = true;  // no damaged line in between that was given up
  // Every entry from the one after `from` on up to `to`.
  bool has_all(Lsn from, Lsn to) const { return whole && has_entries && first <= from.next() && last >= to; }
};

struct ManagerOptions {
  std::size_t retention = 5;  // snapshots kept per series; 0: all
  std::function<void(const std::string& event, const std::string& message)> on_event;  // backup.dump, backup.prune
};

// restore, finish_interrupted, create_all, create_one and check: by one thread at a time. The others may be called
// beside them from other threads; a file may then be gone between two calls.
class Manager {
 public:
  using Stopped = std::function<bool()>;

  Manager(FileSystem& files, std::string directory, const Clock& clock, ManagerOptions options);
  ~Manager();

  // Fills an empty store from the current set, by name. Without a store nothing is loaded, and files are taken for what
  // they should be; that may be done beside the other functions. `progress` is told bytes, every 32 MiB and at the end.
  // `set_aside`: files that the operator gave up (--recover): a damaged one among them is replaced by an older snapshot
  // of the series, or by nothing. Changes nothing on disk. Error: a file is damaged and the log does not reach back far
  // enough to do without it; it names the file.
  Result<Restored> restore(store::Store* store, const LogReach& log, const std::set<std::string>& set_aside,
                           const std::function<void(std::size_t done, std::size_t all)>& progress = {},
                           RestoreFault* fault = nullptr);
  // The log as it was when the state was restored: what tells which files are current in a directory of Karma 1.0.
  // Before other threads use the manager.
  void set_log(const LogReach& log);
  // Other files have taken the place of those in the directory: nothing that was known of them holds. Nobody else may
  // use the manager meanwhile.
  void forget(const LogReach& log);
  // Whether the manifest lists the file as one of the current set, be it there or not.
  bool is_listed(const std::string& file);

  // Finishes or undoes what a crash interrupted. To be called once at start, after restore(), whatever that found; the
  // functions that write do it by themselves.
  Status finish_interrupted();

  // Writes a set and commits it, then prunes: per series the newest `retention` files stay, of series that are not in
  // the set none. After an Error the old set counts, or (if the error came after the commit) the new one; the log must
  // not be trimmed.
  Status create_all(const Frozen& state);
  // Writes one series and commits it beside the others of the current set. `outcomes`: all that are known of entries
  // above the exactly-once state's LSN.
  Result<Meta> create_one(const std::string& name, const store::SeriesView& series, Lsn lsn,
                          std::vector<KnownOutcome> outcomes = {});

  // All snapshot files with a readable name, newest timestamp first.
  Result<std::vector<Meta>> list();
  // The newest of each series that belongs to the current set, by series name.
  Result<std::vector<Meta>> latest();
  Result<std::optional<ExactlyOnceMeta>> exactly_once_meta();
  // The size of the manifest. not_found: there is none, or Karma 1.0 has written newer files, which it does not list.
  Result<std::uint64_t> manifest_bytes();
  // After which entry a copy of what the manifest lists wants the log: the least of its files, and where that is less,
  // the last moment at which all series were known. Lists the directory, unless this process has written the set.
  Result<Lsn> log_wanted_after();
  // not_found: no such file. `file` must have passed file_name_fault().
  Result<Meta> meta(const std::string& file);
  std::size_t file_count();
  // Bytes of a snapshot or of kRegistryName from `offset`, at most `limit` and kMaxReadBytes.
  Result<std::string> read(const std::string& file, std::uint64_t offset, std::uint64_t limit);
  // `stopped` is asked now and then whether to give up, which is an error.
  Result<store::Series> load(const std::string& file, store::Series empty, const Stopped& stopped = {});

  struct Checked {
    std::size_t dump_count = 0;
    std::size_t metadata_checked = 0;
    std::size_t missing_metadata = 0;
    std::vector<std::string> faults;  // what is damaged, file first
  };
  // Checks every snapshot file, sidecar, exactly-once state and manifest against each other. Changes nothing.
  Result<Checked> check(const LogReach& log = {}, const Stopped& stopped = {});

  class Impl;  // manager_impl.h

 private:
  std::unique_ptr<Impl> impl_;
};

// Why a client may not name this file, or an empty text: a non-empty base name that ends in ".tree", without NUL.
std::string_view file_name_fault(std::string_view file);

}  // namespace karma::snapshot
