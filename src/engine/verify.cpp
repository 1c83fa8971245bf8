#include "engine/verify.h"

#include <karma/clock.h>

#include <algorithm>

#include "engine/difference.h"
#include "engine/history.h"
#include "engine/recovery.h"
#include "engine/replica_id.h"
#include "ops/checkpoints.h"
#include "snapshot/adoption.h"
#include "wal/log.h"

namespace karma::engine {
namespace {

void check_log(const wal::Scan& log, Verification& verification) {
  for (const wal::Damage& damage : log.damage) verification.faults.push_back(damage.to_string());
  if (log.torn_bytes != 0)
    verification.warnings.push_back(std::string(wal::kActiveName) + ": an unfinished tail of " +
                                    std::to_string(log.torn_bytes) + " bytes, cut at the next start");
  verification.found.wal_entries = log.entry_count;
  verification.found.wal_first = log.first;
  verification.found.wal_last = log.last;
  verification.found.wal_lsn_file = log.lsn_file;
}

// The start decides whether it is ahead of everything else: it knows what that may mean. If the number cannot be read,
// the start goes on without it.
void check_lsn_file(const wal::Scan& log, Verification& verification) {
  if (log.lsn_file_bad) verification.faults.push_back(std::string(wal::kLsnName) + ": not a number");
}

// Of the files, each by itself.
Status check_files(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                   const std::vector<wal::FileInfo>* log_files, const snapshot::Manager::Stopped& stopped,
                   Verification& verification) {
  Result<wal::Scan> log = wal::scan(files, directory, unless(stopped),
                                    {.files = log_files, .beyond_damage = true, .why_unknown = why_unknown});
  if (!log) return log.error();
  check_log(*log, verification);
  Result<snapshot::Manager::Checked> checked = snapshots.check(log_reach(*log), stopped);
  if (!checked) return checked.error();
  verification.found.dump_count = checked->dump_count;
  verification.found.metadata_checked = checked->metadata_checked;
  verification.found.missing_metadata = checked->missing_metadata;
  verification.faults.insert(verification.faults.end(), checked->faults.begin(), checked->faults.end());
  if (Result<ops::Checkpoints::Map> read = ops::Checkpoints::read(files, directory); !read)
    verification.faults.push_back(read.error().message);
  if (Result<History> history = read_history(files, directory); !history)
    verification.faults.push_back(history.error().message +
                                  ": the counters are not affected. With --role=master a start goes on without it, and "
                                  "slaves copy all data anew; with --role=slave it is refused, because the node may "
                                  "have been promoted, unless --recover=" +
                                  std::string(kHistoryName) + " gives the file up");
  if (Result<std::string> id = read_replica_id(files, directory); !id)
    verification.faults.push_back(id.error().message +
                                  ": the counters are not affected; without it this slave confirms nothing to its "
                                  "master. Remove it while the node is stopped, and it gets a new name");
  return {};
}

RecoveryOptions recovery_options(Verification& verification) {
  RecoveryOptions options;
  options.now = system_clock().unix_seconds();
  options.on_warning = [&](const std::string&, const std::string& message) {
    verification.warnings.push_back(message);
  };
  return options;
}

// The decision of a start.
void take(const Result<Recovered>& recovered, Verification& verification) {
  if (!recovered) {
    verification.refusal = recovered.error().message;
    return;
  }
  check_lsn_file(recovered->log, verification);
  verification.found.snapshot_lsn = newest_snapshot(recovered->snapshots);
}

}  // namespace

Result<Verification> verify_directory(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots) {
  Verification verification;
  if (Status checked = check_files(files, directory, snapshots, nullptr, {}, verification); !checked)
    return checked.error();
  if (!verification.faults.empty()) return verification;
  if (snapshot::has_complete_bootstrap(files, directory))
    verification.warnings.push_back(std::string(snapshot::kBootstrapDirectory) +
                                    " holds a complete copy of a master's data: the next start puts it in the place of "
                                    "what was looked at here");
  if (const std::optional<Difference> difference = read_difference(files, directory))
    verification.warnings.push_back("this slave found its data to be wrong, and has no new copy yet: " +
                                    difference->what);
  store::Store restored(0);
  const RecoveryOptions options = recovery_options(verification);
  take(recover(files, directory, snapshots, restored, options), verification);
  verification.found.trees = restored.series_count();
  verification.found.keys = restored.key_count();
  return verification;
}

Result<Verification> verify_running(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                                    const std::vector<wal::FileInfo>* log, const snapshot::Manager::Stopped& stopped) {
  Verification verification;
  if (Status checked = check_files(files, directory, snapshots, log, stopped, verification); !checked)
    return checked.error();
  if (!verification.faults.empty()) return verification;
  RecoveryOptions options = recovery_options(verification);
  options.log_files = log;
  options.stopped = stopped;
  take(examine(files, directory, snapshots, options), verification);
  return verification;
}

}  // namespace karma::engine
