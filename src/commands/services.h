// What ops may ask of the node beyond the store. The engine provides it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <karma/error.h>
#include <karma/types.h>

#include "ops/checkpoints.h"
#include "ops/reconciliation.h"
#include "ops/slow_log.h"
#include "ops/stats.h"
#include "ops/timings.h"
#include "snapshot/manager.h"
#include "store/digest.h"

namespace karma::commands {

struct Health {
  double uptime_seconds = 0;
  std::string_view role;
  bool wal_enabled = true;
  std::vector<std::string> problems;  // empty: status is ok
  std::vector<std::string> warnings;  // to be looked at, but the node does its work
};

// What snapshot.verify and `karma check` have looked at.
struct Verified {
  std::uint64_t dump_count = 0;
  std::uint64_t trees = 0;
  std::uint64_t keys = 0;
  std::uint64_t metadata_checked = 0;
  std::uint64_t missing_metadata = 0;
  Lsn snapshot_lsn;
  std::uint64_t wal_entries = 0;
  Lsn wal_first;
  Lsn wal_last;
  Lsn wal_lsn_file;
};

// What replication.promote has done.
struct Promotion {
  bool done_now = false;  // false: it was a master before
  Lsn position;
  std::string history;  // as Services::history_json()
};

// What a slave says of itself when it asks for entries.
struct ReplicaPoll {
  std::string_view id;
  Lsn after;                   // what it asks for comes after this one
  std::optional<Lsn> durable;  // up to here everything is on its disk
  std::string_view epoch;      // in which its last entry was written; empty: it does not know
};

// A slave of this node.
struct Replica {
  std::string id;
  Lsn position;
  std::optional<Lsn> durable;
  std::string epoch;
  std::optional<bool> of_history;  // its last entry is this node's; nothing: not known
  std::chrono::milliseconds silent{0};
  std::int64_t last_contact_unix = 0;
};

struct ReplicaReport {
  std::string_view role;
  std::uint64_t term = 0;  // of the node's last epoch; 0: it has none
  std::string epoch;       // its id
  std::vector<Replica> replicas;
  std::uint64_t wanted = 0;  // so many have to confirm a write
  Lsn confirmed;             // up to here so many have
  bool degraded = false;     // writes do not wait for them any more
};

// What the node's counters are at an LSN, as another node can compare it.
struct StateDigest {
  std::string epoch;  // of the LSN; empty where it is not known
  store::Digest all;
  std::vector<std::pair<std::string, store::Digest>> series;  // names ascending
};

struct DigestAt {
  Lsn lsn;
  std::shared_ptr<const StateDigest> digest;  // nullptr: it is being counted
};

// A connection.
struct ClientInfo {
  std::uint64_t id = 0;  // they count in the order of their arrival
  std::string address;
  double age_seconds = 0;
  double idle_seconds = 0;           // since the latest request, or since it came
  std::string_view op = {};          // of that request; empty: none yet
  std::uint64_t received_bytes = 0;  // of requests that were handled
  std::uint64_t sent_bytes = 0;
  std::uint64_t pending = 0;  // requests that wait for their answer
};

struct ClientPage {
  std::uint64_t count = 0;               // of all
  std::vector<ClientInfo> clients = {};  // ids ascending
};

struct LogState {
  bool enabled = true;
  std::uint64_t bytes = 0;
  Lsn current;
};

class Services {
 public:
  virtual ~Services() = default;

  // Quick; from any thread.
  virtual ops::Stats stats() = 0;
  virtual ops::Timings timings() = 0;
  virtual Health health() = 0;
  virtual LogState log_state() = 0;
  virtual std::string history_json() = 0;     // of the log: docs/storage-format.md
  virtual std::string epoch_at(Lsn lsn) = 0;  // its id; empty where it is not known
  // From a worker. The slave is a master when it returns, durably; after an Error it is none.
  virtual Result<Promotion> promote() = 0;
  virtual void replica_asks(const ReplicaPoll& poll) = 0;
  // How long ago an entry of the log was committed; 0 if it has not been yet, nothing where that is not known.
  virtual std::optional<std::chrono::milliseconds> entry_age(Lsn lsn) = 0;
  virtual ReplicaReport replicas() = 0;
  // From a worker or the thread that follows. At the lowest LSN from `after` on for which there is one, or of now,
  // which is then begun.
  virtual Result<DigestAt> state_digest(Lsn after) = 0;
  virtual std::uint64_t snapshot_retention() const = 0;
  virtual std::uint64_t response_limit() const = 0;  // bytes; 0: none
  // Entries above `after` until `visit` returns false; replication_gap if the log does not reach back so far. Reads
  // files, so not for an I/O thread.
  virtual Status read_log(Lsn after, const std::function<bool(Lsn, std::string_view entry)>& visit) = 0;
  // Whether a response of that size could not be sent anyway.
  virtual bool over_response_limit(std::size_t bytes) const = 0;

  virtual std::int64_t unix_seconds() const = 0;
  virtual ops::Checkpoints& checkpoints() = 0;  // put() waits for the disk
  virtual ops::Reconciliation& reconciliation() = 0;
  virtual ops::SlowLog& slow_log() = 0;
  // From a worker: waits for the I/O threads. Those above `after`, so many at most.
  virtual ClientPage clients(std::uint64_t after, std::size_t limit) = 0;

  // Slow; from the snapshot worker only.
  virtual Status create_snapshot(const std::string& series) = 0;
  virtual Status create_all_snapshots() = 0;
  // Replaces the series by the file's content, through the log. Returns the series' name.
  virtual Result<std::string> load_snapshot(const std::string& file) = 0;
  virtual Result<Verified> verify() = 0;
  virtual snapshot::Manager& snapshots() = 0;
  // A replica fetches the list of the current files: for some time it may want the log after this LSN. Pieces of files
  // of this LSN prolong that, or of a later one that is nearest to it.
  virtual void list_fetched(Lsn wanted_after) = 0;
  virtual void piece_fetched(Lsn lsn) = 0;
  virtual std::string snapshot_path(const std::string& file) const = 0;  // absolute
};

}  // namespace karma::commands
