// The engine's snapshots: all on the snapshot worker, but for the moment in which the writer pins the state.
#include <filesystem>

#include "engine/engine.h"
#include "engine/freeze.h"
#include "engine/verify.h"
#include "io/path.h"

namespace karma::engine {

Result<snapshot::Frozen> Engine::freeze() {
  snapshot::Frozen frozen;
  Status rotated;
  const bool ran = writer_->run([&] {
    // From here on the log's active file holds only what the snapshot does not.
    rotated = wal_->rotate();
    frozen = freeze_store(store_, wal_->last());
    frozen.logged = wal_->keeps_entries();
  });
  if (!ran) return internal_error("The node is shutting down");
  if (!rotated) return rotated.error();
  return frozen;
}

Status Engine::create_all_snapshots() {
  if (unread_data_)
    return internal_error(
        "The node was started with --restore=false: snapshots would take the place of data that was never loaded");
  Result<snapshot::Frozen> frozen = freeze();
  if (!frozen) return frozen.error();
  Status status = snapshots_->create_all(*frozen);
  if (status) (void)writer_->run([&] { outcomes_.forget(frozen->lsn); });
  // Last: until here the log can replace every snapshot.
  if (status) status = wal_->trim(frozen->lsn);
  count_snapshots();
  if (!status) log_.error("backup.failed", status.error().message);
  return status;
}

Status Engine::create_snapshot(const std::string& series) {
  if (unread_data_)
    return internal_error(
        "The node was started with --restore=false: a snapshot would take the place of data that was never loaded");
  std::optional<store::SeriesView> view;
  Lsn lsn;
  std::vector<snapshot::KnownOutcome> outcomes;
  bool alone = wal_->keeps_entries();
  const bool ran = writer_->run([&] {
    lsn = wal_->last();
    if (const store::Series* found = store_.find(series)) view = found->view();
    alone = alone && outcomes_.complete();
    if (alone) outcomes = outcomes_.all();
  });
  if (!ran) return internal_error("The node is shutting down");
  if (!view) return commands::no_such_series(series);
  // Keys, streams and counts have to be of one moment. With a log, it brings the registry's file up to the series;
  // without one, or if too much is not in the log, only a snapshot of everything keeps them together.
  if (!alone) return create_all_snapshots();
  Result<snapshot::Meta> meta = snapshots_->create_one(series, *view, lsn, std::move(outcomes));
  count_snapshots();
  if (!meta) return meta.error();
  return {};
}

void Engine::snapshot_in_background() {
  const bool taken = snapshot_worker_->submit([this] { (void)create_all_snapshots(); }, [] {});
  if (!taken) log_.error("backup.failed", "too many snapshots are waiting");
}

Result<commands::Verified> Engine::verify() {
  Result<Verification> verification = verify_directory(files_, directory_, *snapshots_);
  if (!verification || !verification->faults.empty()) {
    // The writer may have moved a file under our eyes: look again while it stands still.
    const bool ran = writer_->run([&] { verification = verify_directory(files_, directory_, *snapshots_); });
    if (!ran) return internal_error("The node is shutting down");
  }
  if (!verification) return validation_error(verification.error().message);
  if (!verification->faults.empty()) return validation_error(verification->faults.front());
  return verification->found;
}

std::string Engine::snapshot_path(const std::string& file) const {
  return std::filesystem::absolute(join_path(directory_, file)).string();
}

void Engine::count_snapshots() {
  Result<std::vector<snapshot::Meta>> files = snapshots_->list();
  if (files) snapshot_count_.store(files->size(), std::memory_order_relaxed);
}

}  // namespace karma::engine
