// The engine's snapshots: all on the snapshot worker, except for the moment in which the writer pins the state.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <thread>

#include "engine/engine.h"
#include "engine/freeze.h"
#include "engine/verify.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::engine {
namespace {

constexpr int kVerifyAttempts = 3;
constexpr std::uint64_t kMostRetained = std::uint64_t{4} << 30;
// The node's own snapshots find room if those of clients find none.
constexpr std::chrono::milliseconds kLookAgain{20};  // whether a snapshot is still under way
constexpr std::size_t kMaxQueuedWithOwn = 2 * Worker::kMaxQueued;

}  // namespace

Result<snapshot::Frozen> Engine::freeze() {
  snapshot::Frozen frozen;
  Status rotated;
  const bool ran = writer_->run([&] {
    // From here on the log's active file holds only entries that the snapshot does not.
    rotated = wal_->rotate();
    frozen = freeze_store(store_, wal_->last());
    frozen.logged = wal_->keeps_entries();
  });
  if (!ran) return shutting_down();
  if (!rotated) return rotated.error();
  return frozen;
}

// Health and metrics learn how it went.
Status Engine::watched(bool whole, const std::function<Status()>& create) {
  const SnapshotWatch::Time begun = clock_.steady();
  snapshot_watch_.begun();
  Status status;
  try {
    status = create();
  } catch (const std::exception& failure) {  // or it would be under way for ever
    status = internal_error(failure.what());
  }
  const SnapshotWatch::Time now = clock_.steady();
  if (status) {
    snapshot_watch_.taken(whole, now - begun, clock_.unix_seconds(), now);
  } else {
    snapshot_watch_.failed(status.error().message, now);
    log_.error("backup.failed", status.error().message);
  }
  return status;
}

Status Engine::create_all_snapshots() { return snapshot_everything(LogHeld::for_slaves); }

Status Engine::snapshot_everything(LogHeld held) {
  if (unread_data_)
    return internal_error(
        "The node was started with --restore=false: snapshots would take the place of data that was never loaded");
  if (!snapshots_held_.try_lock()) return snapshots_are_held();
  const MutexLock lock(snapshots_held_, std::adopt_lock);
  return watched(true, [&] { return create_whole_set(held); });
}

Error Engine::snapshots_are_held() {
  const Error refused = internal_error(
      "This slave goes back to where its history parts from its master's, for which it reads its snapshots: try again "
      "when it follows");
  log_.warn("backup.refused", refused.message);
  snapshot_watch_.refused(clock_.steady());
  return refused;
}

Status Engine::without_snapshots(const std::function<Status()>& action, const std::function<bool()>& given_up) {
  while (!snapshots_held_.try_lock()) {
    if (given_up()) return internal_error("given up while a snapshot is written");
    std::this_thread::sleep_for(kLookAgain);
  }
  const MutexLock lock(snapshots_held_, std::adopt_lock);
  return action();
}

Status Engine::create_whole_set(LogHeld held) {
  Result<snapshot::Frozen> frozen = freeze();
  if (!frozen) return frozen.error();
  Status status = snapshots_->create_all(*frozen);
  if (status) {
    (void)writer_->run([&] { outcomes_.forget(frozen->lsn); });
    saved_lsn_.store(frozen->lsn.value, std::memory_order_relaxed);
  }
  // Last: until here the log can replace every snapshot.
  if (status) status = wal_->trim(frozen->lsn, held == LogHeld::for_slaves ? log_hold() : wal::Hold{});
  count_snapshots();
  return status;
}

// Entries that snapshots have, for those who copy an older snapshot and for slaves that were heard of lately.
wal::Hold Engine::log_hold() const {
  const SnapshotLeases::Time now = clock_.steady();
  wal::Hold hold;
  for (const std::optional<Lsn> wanted : {leases_.lowest(now), replicas_.lowest_position(now - Replicas::kWantsLogFor)})
    if (wanted) hold.after = std::min(hold.after, *wanted);
  if (config_.wal_retention_bytes >= 0) {
    hold.bytes = static_cast<std::uint64_t>(config_.wal_retention_bytes);
  } else {
    const Result<FileSystem::Space> disk = files_.space(directory_);
    hold.bytes = disk ? std::min(kMostRetained, disk->size / 10) : kMostRetained;
  }
  return hold;
}

std::uint64_t Engine::needed_log_bytes() const {
  const std::uint64_t held = wal_->held_bytes();
  const std::uint64_t all = wal_->bytes();
  return all > held ? all - held : 0;
}

Status Engine::create_snapshot(const std::string& series) {
  if (unread_data_)
    return internal_error(
        "The node was started with --restore=false: a snapshot would take the place of data that was never loaded");
  std::optional<store::SeriesView> view;
  Lsn lsn;
  std::vector<snapshot::KnownOutcome> outcomes;
  bool alone = wal_->keeps_entries();
  Status synced;
  const bool ran = writer_->run([&] {
    // The other series have these entries in the log alone, so it must be on the disk before the snapshot proves them.
    if (!config_.wal_fsync) synced = wal_->rotate();
    lsn = wal_->last();
    if (const store::Series* found = store_.find(series)) view = found->view();
    alone = alone && outcomes_.complete();
    if (alone) outcomes = outcomes_.all();
  });
  if (!ran) return shutting_down();
  if (!synced) return synced.error();
  if (!view) return commands::no_such_series(series);
  // Keys, streams and counts have to be of one moment. With a log, it brings the exactly-once state's file up to the
  // series; without one, or if too much is not in the log, only a snapshot of everything keeps them together.
  if (!alone) return create_all_snapshots();
  if (!snapshots_held_.try_lock()) return snapshots_are_held();
  const MutexLock lock(snapshots_held_, std::adopt_lock);
  return watched(false, [&]() -> Status {
    Result<snapshot::Meta> meta = snapshots_->create_one(series, *view, lsn, std::move(outcomes));
    count_snapshots();
    return meta ? Status() : Status(meta.error());
  });
}

// Without a log no LSN tells.
bool Engine::is_unsaved() const {
  return !wal_->keeps_entries() || wal_->last().value != saved_lsn_.load(std::memory_order_relaxed);
}

bool Engine::snapshot_if_due() {
  // It would take the place of one that an old master may want to go back to.
  if (is_slave() && config_.replication_source_host && !is_masters_.load(std::memory_order_relaxed)) return false;
  if (!snapshot_watch_.is_due(clock_.steady(), needed_log_bytes(), is_unsaved())) return false;
  log_.info("backup.scheduled", "log_bytes=" + std::to_string(needed_log_bytes()));
  snapshot_in_background();
  return true;
}

void Engine::snapshot_in_background() {
  const bool taken = snapshot_worker_->submit([this] { (void)create_all_snapshots(); }, [] {}, kMaxQueuedWithOwn);
  if (taken) return;
  const char* const why = "too many snapshots are waiting";
  snapshot_watch_.not_begun(why, clock_.steady());
  log_.error("backup.failed", why);
}

Result<commands::Verified> Engine::verify() {
  // Nobody is stopped for it. The log goes on, but the part of it that is read is fixed before; snapshots and the
  // trimming of the log run on this thread. If something has moved all the same, the new files are examined instead.
  std::optional<Result<Verification>> verification;
  for (int attempt = 0; attempt < kVerifyAttempts; ++attempt) {
    const Result<std::vector<std::string>> before = snapshot_names();
    const std::vector<wal::FileInfo> log = wal_->files();
    verification = verify_running(files_, directory_, *snapshots_, wal_->keeps_entries() ? &log : nullptr,
                                  [this] { return jobs_abandoned_.load(std::memory_order_relaxed); });
    if (jobs_abandoned_) return shutting_down();
    if (*verification && (*verification)->content()) break;
    const Result<std::vector<std::string>> after = snapshot_names();
    if (!before || !after || *before == *after) break;
  }
  if (!*verification) return validation_error(verification->error().message);
  Verification& done = **verification;
  if (!done.content()) return validation_error(done.first_fault());
  const std::lock_guard read(snapshot_reader_);
  done.found.trees = store_.series_count();
  done.found.keys = store_.key_count();
  return done.found;
}

// Names that change whenever the current set or the beginning of the log does.
Result<std::vector<std::string>> Engine::snapshot_names() const {
  Result<std::vector<std::string>> names = files_.list(directory_);
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) { return is_temp_file_name(name); });
  std::sort(names->begin(), names->end());
  return names;
}

std::string Engine::snapshot_path(const std::string& file) const {
  return std::filesystem::absolute(join_path(directory_, file)).string();
}

void Engine::count_snapshots() { snapshot_count_.store(snapshots_->file_count(), std::memory_order_relaxed); }

}  // namespace karma::engine
