// A slave gets its master's data anew: everything is read and checked while the old data serves; the change itself
// takes as long as renaming the files.
#include <string>

#include "core/mutex.h"
#include "engine/engine.h"
#include "engine/freeze.h"
#include "engine/only_here.h"
#include "io/path.h"
#include "snapshot/adoption.h"

namespace karma::engine {
namespace {

// A worker that has finished what it was given, and begins nothing new, as long as this lives.
class Held {
 public:
  explicit Held(Worker& worker) {
    const auto wait = [this] {
      const MutexLock lock(mutex_);
      holds_ = done_ = true;
      changed_.notify_all();
      while (!released_) changed_.wait(mutex_);
      gone_ = true;
      changed_.notify_all();
    };
    const auto abandon = [this] {
      const MutexLock lock(mutex_);
      done_ = true;
      changed_.notify_all();
    };
    const bool submitted = worker.submit(wait, abandon);
    const MutexLock lock(mutex_);
    while (submitted && !done_) changed_.wait(mutex_);
  }
  ~Held() {
    const MutexLock lock(mutex_);
    released_ = true;
    changed_.notify_all();
    while (holds_ && !gone_) changed_.wait(mutex_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  bool ok() const {
    const MutexLock lock(mutex_);
    return holds_;
  }

 private:
  mutable Mutex mutex_;
  Condition changed_;
  bool done_ KARMA_GUARDED_BY(mutex_) = false;
  bool holds_ KARMA_GUARDED_BY(mutex_) = false;
  bool released_ KARMA_GUARDED_BY(mutex_) = false;
  bool gone_ KARMA_GUARDED_BY(mutex_) = false;
};

}  // namespace

Status Engine::adopt_bootstrap(std::string_view keep_old_as, bool earlier_stay) {
  const std::string staging = join_path(directory_, snapshot::kBootstrapDirectory);
  store::Store fresh(store_.hash_seed());
  fresh.exactly_once().set_limits(exactly_once_limits());
  snapshot::Manager staged(files_, staging, clock_, {.on_event = event_sink()});
  RecoveryOptions options = recovery_options();
  options.stopped = [this] { return jobs_abandoned_.load(); };
  Result<Recovered> recovered = recover(files_, staging, staged, fresh, options);
  if (!recovered) return recovered.error();
  // Without a manifest a later start would take a log that reaches below the snapshots for that of a promoted slave of
  // Karma 1.0, and count it twice.
  const bool without_manifest = recovered->snapshots.manifest == snapshot::ManifestState::none &&
                                recovered->snapshots.any && recovered->log.entry_count != 0;
  if (recovered->decision == Decision::go_on_anew || without_manifest) {
    if (Status written = staged.create_all(freeze_store(fresh, recovered->last)); !written) return written;
    recovered->outcomes = {};
  }
  const Held snapshots(*snapshot_worker_);
  const Held queries(*query_worker_);
  if (!snapshots.ok() || !queries.ok()) return internal_error("the node has too much to do, or is shutting down");
  if (Status complete = snapshot::complete_bootstrap(files_, directory_, keep_old_as, earlier_stay); !complete)
    return complete;
  Status changed;
  if (!writer_->run([&] { changed = change_to(*recovered, fresh); }))
    return internal_error("the node is shutting down");
  if (!changed)
    return internal_error(changed.error().message + "; a restart completes the change to the master's data");
  return {};
}

// On the writer's thread.
Status Engine::change_to(Recovered& recovered, store::Store& fresh) {
  replaceable_log_->close();
  if (Result<bool> adopted = snapshot::adopt_bootstrap(files_, directory_, diverged_warning()); !adopted)
    return adopted.error();
  snapshots_->forget(log_reach(recovered.log));
  Result<std::unique_ptr<wal::Log>> log = open_log(recovered);
  if (!log) return log.error();
  // A master without snapshots has all in its log: there is nothing to answer from yet.
  if (!recovered.holds_data) withheld_ = Withheld::no_data;
  {
    const std::lock_guard lock(store_.lock());
    store_.swap(fresh);
    replaceable_log_->put(std::move(*log));
    applied_.store(wal_->last().value, std::memory_order_release);
  }
  if (Status read = read_history(); !read)
    log_.warn("replication.history_lost", read.error().message + "; slaves will copy all data anew");
  commit_times_.forget(wal_->last());
  replicas_.forget_all();
  digests_.forget();
  if (acks_ != nullptr) acks_->forget();
  outcomes_ = {};
  if (wal_->keeps_entries() && recovered.decision != Decision::go_on_anew) outcomes_ = std::move(recovered.outcomes);
  checkpoints_.restore(std::move(recovered.checkpoints));
  saved_lsn_.store(UINT64_MAX, std::memory_order_relaxed);
  count_snapshots();
  if (recovered.holds_data) withheld_ = Withheld::nothing;
  return {};
}

snapshot::Warn Engine::diverged_warning() {
  return [this](const std::string& message) { log_.warn("replication.diverged_copy", message); };
}

bool Engine::tell_only_here() {
  return snapshot_worker_->submit([this] { write_only_here(); }, [] {});
}

void Engine::write_only_here() {
  const Result<std::vector<std::string>> copies = snapshot::diverged_copies(files_, directory_);
  if (!copies) return log_.warn("replication.only_here", copies.error().message);
  const History history = this->history();
  const Present present{history, store_, snapshot_reader_, clock_.unix_seconds()};
  for (const std::string& copy : *copies) {
    const Result<std::optional<OnlyHere>> written =
        engine::write_only_here(files_, directory_, copy, present, [this] { return jobs_abandoned_.load(); });
    if (!written) {
      log_.warn("replication.only_here", copy + ": " + written.error().message);
    } else if (*written) {
      log_.warn("replication.only_here", (*written)->to_string(join_path(directory_, copy)));
    }
  }
}

History Engine::history() const {
  const MutexLock lock(history_mutex_);
  return history_;
}

std::string Engine::history_json() { return history().to_json(); }

std::string Engine::epoch_at(Lsn lsn) {
  const MutexLock lock(history_mutex_);
  const Epoch* const epoch = history_.at(lsn);
  return epoch == nullptr ? std::string() : epoch->id;
}

Status Engine::keep_history(History history) {
  {
    const MutexLock lock(history_mutex_);
    if (history == history_ && !file_may_promote_) return {};
  }
  if (Status written = write_history(files_, directory_, history); !written) return written;
  const MutexLock lock(history_mutex_);
  history_ = std::move(history);
  file_may_promote_ = false;
  return {};
}

// After an Error there is none. The data is right all the same, but slaves have to copy everything anew.
Status Engine::read_history() {
  Result<History> read = engine::read_history(files_, directory_);
  const MutexLock lock(history_mutex_);
  history_ = read ? std::move(*read) : History();
  file_may_promote_ = false;
  return read ? Status() : read.error();
}

void Engine::begin_epoch(Lsn last) {
  History history = this->history();
  history.begin_epoch(last);
  if (Status kept = keep_history(history); !kept) {
    log_.warn("replication.history_not_written", kept.error().message + "; slaves will copy all data anew");
    const MutexLock lock(history_mutex_);
    history_ = std::move(history);
  }
}

}  // namespace karma::engine
