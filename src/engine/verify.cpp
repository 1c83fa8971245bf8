#include "engine/verify.h"

#include <karma/clock.h>

#include <algorithm>

#include "engine/recovery.h"
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

// karma.wal.lsn notes how far the log was trimmed: it may lag behind the log, never run ahead of all there is.
void check_lsn_file(const wal::Scan& log, Lsn snapshots, Verification& verification) {
  const std::string name(wal::kLsnName);
  if (log.lsn_file_bad) verification.faults.push_back(name + ": not a number");
  const Lsn newest = std::max(log.last, snapshots);
  if (log.lsn_file > newest)
    verification.faults.push_back(name + ": LSN " + std::to_string(log.lsn_file.value) +
                                  " is ahead of everything else, which ends with " + std::to_string(newest.value));
}

}  // namespace

Result<Verification> verify_directory(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots) {
  Verification verification;
  Result<wal::Scan> log = wal::scan(files, directory, [](Lsn, std::string_view) { return Status(); },
                                    {.beyond_damage = true, .why_unknown = why_unknown});
  if (!log) return log.error();
  check_log(*log, verification);

  Result<snapshot::Manager::Checked> checked = snapshots.check();
  if (!checked) return checked.error();
  verification.found.dump_count = checked->dump_count;
  verification.found.metadata_checked = checked->metadata_checked;
  verification.found.missing_metadata = checked->missing_metadata;
  verification.faults.insert(verification.faults.end(), checked->faults.begin(), checked->faults.end());
  if (!verification.faults.empty()) return verification;

  store::Store restored(0);
  RecoveryOptions options;
  options.now = system_clock().unix_seconds();
  options.on_event = [](const std::string&, const std::string&) {};
  options.on_warning = [&](const std::string&, const std::string& message) {
    verification.warnings.push_back(message);
  };
  Result<Recovered> recovered = recover(files, directory, snapshots, restored, options);
  if (!recovered) {
    verification.faults.push_back(recovered.error().message);
    return verification;
  }
  const Lsn newest = newest_snapshot(recovered->snapshots);
  check_lsn_file(*log, newest, verification);
  verification.found.trees = restored.series_count();
  verification.found.keys = restored.key_count();
  verification.found.snapshot_lsn = newest;
  return verification;
}

}  // namespace karma::engine
