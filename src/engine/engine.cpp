#include "engine/engine.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <random>

#include "core/check.h"
#include "core/json_text.h"
#include "engine/difference.h"
#include "engine/freeze.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "ops/process.h"
#include "snapshot/adoption.h"

namespace karma::engine {
namespace {

constexpr std::size_t kPagesFreedAtOnce = 64;
// An index of this many entries is written at once, without another thread.
constexpr std::size_t kEntriesIndexedAtOnce = 4096;
// This many keys are looked up while their memory is on its way.
constexpr std::size_t kKeysAhead = 16;
constexpr std::size_t kFetchedAhead = store::Series::kFetchedAhead;

// Of admin ops on the snapshot worker: those of readers must not keep out those of the owner.
constexpr std::size_t kMaxReadersQueued = Worker::kMaxQueued / 2;
// Of admin ops that read everything: one runs, one waits.
constexpr int kMaxHeavyJobs = 2;

Error too_many_waiting() { return internal_error("Too many requests of this kind are waiting; try again shortly"); }
// Short enough to need no memory itself.
Error out_of_memory() { return internal_error("Out of memory"); }

// The job gets an answer, whether or not there is memory to say why.
void fail(Job& job, Error (*why)()) {
  try {
    job.status = why();
  } catch (const std::bad_alloc&) {
    job.status = out_of_memory();
  }
}

// A single core is the writer's, if there is a log: it needs it as soon as an I/O thread has handed writes over.
int cores_to_spin_on(const Config& config, FileSystem& files) {
  const int cores = usable_cores(files);
  return config.wal && cores == 1 ? 0 : cores;
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

// Of an entry that comes from the master: it is to be applied as a whole.
class NothingCovered final : public commands::Coverage {
 public:
  bool exactly_once() const override { return false; }
  bool series(std::string_view) const override { return false; }
  bool first_time(std::string_view, std::uint64_t) const override { return true; }
};

}  // namespace

Engine::Engine(const Config& config, FileSystem& files, Clock& clock, EventLog& log)
    : config_(config),
      files_(files),
      clock_(clock),
      log_(log),
      directory_(config.directory),
      started_(clock.steady()),
      store_(random_seed()),
      spin_places_(std::chrono::microseconds(config.spin_us), cores_to_spin_on(config, files)),
      stats_reader_(store_.lock().add_reader()),
      snapshot_reader_(store_.lock().add_reader()),
      query_reader_(store_.lock().add_reader()),
      snapshot_watch_({.interval = std::chrono::seconds(config.snapshot_interval),
                       .log_bytes = static_cast<std::uint64_t>(config.snapshot_wal_bytes)}),
      checkpoints_(files, config.directory, static_cast<std::size_t>(config.recovery_max_checkpoints)),
      own_reader_(nobody_else_.add_reader()),
      duty_(config.role == Role::slave ? Duty::slave : Duty::master),
      slow_log_(std::chrono::milliseconds(config.slow_ms)),
      client_memory_(static_cast<std::size_t>(config.client_memory_mib) << 20),
      log_waiters_([this] { return wal_->last(); },
                   [this](std::unique_ptr<Job> job) { run_on_worker(std::move(job)); }),
      read_waiters_([this] { return applied(); }, [this](std::unique_ptr<Job> job) { run_on_worker(std::move(job)); }) {
}

Engine::~Engine() { (void)shutdown(false); }

Result<std::unique_ptr<Engine>> Engine::open(const Config& config, FileSystem& files, Clock& clock, EventLog& log,
                                             const LaterMaster& later_master, const StartProgress& progress) {
  std::unique_ptr<Engine> engine(new Engine(config, files, clock, log));
  if (Status status = engine->start(later_master, progress); !status) return status.error();
  return engine;
}

std::function<void(const std::string&, const std::string&)> Engine::event_sink() {
  return [this](const std::string& event, const std::string& message) {
    const bool bad = event == "wal.stopped" || event.ends_with("_failed");
    bad ? log_.error(event, message) : log_.info(event, message);
  };
}

Status Engine::start(const LaterMaster& later_master, const StartProgress& progress) {
  const auto elsewhere = [](const Error& error) {
    return Error{error.code, error.message + "; --directory names another data directory"};
  };
  if (Status status = files_.create_directories(directory_); !status) return elsewhere(status.error());
  Result<std::unique_ptr<FileSystem::Lock>> lock = files_.lock(join_path(directory_, kLockName));
  if (!lock) return elsewhere(lock.error());
  lock_ = std::move(*lock);
  if (Status status = remove_temp_files(files_, directory_); !status) return status;
  store_.exactly_once().set_limits(exactly_once_limits());
  snapshots_ = std::make_unique<snapshot::Manager>(
      files_, directory_, clock_,
      snapshot::ManagerOptions{.retention = static_cast<std::size_t>(config_.dump_retention_per_tree),
                               .on_event = event_sink()});

  if (Result<bool> adopted = snapshot::adopt_bootstrap(files_, directory_, diverged_warning()); !adopted) {
    return adopted.error();
  } else if (*adopted) {
    log_.info("replication.bootstrap_adopted", "a complete copy of the master's data has taken its place");
  }
  RecoveryOptions options = recovery_options();
  options.give_up.insert(config_.recover.begin(), config_.recover.end());
  options.restore = config_.restore;
  bool warned = false;
  options.on_warning = [&warned, warn = options.on_warning](const std::string& event, const std::string& message) {
    warned = true;
    warn(event, message);
  };
  if (progress) options.on_progress = progress;
  // With --restore=false the data is still looked at, for the LSNs, but into a store that is thrown away.
  store::Store unread(random_seed());
  Result<Recovered> recovered = recover(files_, directory_, *snapshots_, config_.restore ? store_ : unread, options);
  if (!recovered) return recovered.error();
  checkpoints_.restore(std::move(recovered->checkpoints));
  unread_data_ = recovered->decision == Decision::start_empty && recovered->holds_data;
  if (unread_data_ && config_.replication_source_host)
    return internal_error(
        "With --restore=false this slave would go on where its data ends, without having loaded it: start it with "
        "--restore=true, or empty its directory");
  if (unread_data_)
    log_.warn("restore.skipped", "the data in the directory is neither loaded nor touched, and no snapshots are taken");
  replay_refused_ = recovered->refused;
  if (recovered->applied + recovered->covered + recovered->refused != 0)
    log_.info("wal.replay", "applied=" + std::to_string(recovered->applied) +
                                " covered=" + std::to_string(recovered->covered) +
                                " without_effect=" + std::to_string(recovered->refused));

  if (config_.restore) {
    // Repairs what a crash left of a snapshot; if that fails, the next snapshot does it.
    if (Status finished = snapshots_->finish_interrupted(); !finished)
      log_.warn("restore.warning", finished.error().message);
  }
  const bool begin_anew = recovered->decision == Decision::go_on_anew;
  if (begin_anew) {
    log_.warn("restore.snapshot", "the log cannot be continued as it is: writing snapshots of everything instead");
    if (progress) progress("snapshots are written", 0, 0);
    if (Status status = snapshots_->create_all(freeze_store(store_, recovered->last)); !status) return status;
  }
  Result<std::unique_ptr<wal::Log>> opened = open_log(*recovered);
  if (!opened) return opened.error();
  wal_ = std::move(*opened);
  if (config_.replication_source_host) {
    auto log = std::make_unique<wal::ReplaceableLog>(std::move(wal_));
    replaceable_log_ = log.get();
    wal_ = std::move(log);
  }
  applied_ = wal_->last().value;
  if (config_.wal && !begin_anew) outcomes_ = std::move(recovered->outcomes);
  if (Status role = find_role(later_master); !role) return role;
  if (!is_slave()) begin_epoch(recovered->last);
  replicated_ = recovered->snapshots.replicated.value;
  // An answer from an empty store would be wrong, and nobody could see it.
  if (is_slave() && config_.replication_source_host) {
    if (!recovered->holds_data) {
      withheld_ = Withheld::no_data;
    } else if (!config_.replica_serve_stale &&
               (snapshot::has_begun_bootstrap(files_, directory_) || read_difference(files_, directory_))) {
      withheld_ = Withheld::stale;  // or no copy would have been begun
    }
  } else if (!is_slave()) {
    follows_nobody();
  }
  count_snapshots();
  deferred_free_worker_ = std::make_unique<Worker>();
  if (config_.min_replicas_ack > 0) acks_ = make_acks();
  writer_ = std::make_unique<wal::Writer>(
      *wal_, static_cast<wal::Machine&>(*this),
      wal::WriterOptions{.batch_size = static_cast<std::size_t>(config_.wal_batch_size),
                         .batch_wait = std::chrono::microseconds(config_.wal_batch_wait_us),
                         .now = [this] { return clock_.steady(); },
                         .timings = is_scraped() && wal_->keeps_entries() ? &log_timings_ : nullptr,
                         .spin_places = &spin_places_});
  snapshot_worker_ = std::make_unique<Worker>();
  query_worker_ = std::make_unique<Worker>();
  if (!is_slave()) abort_unfinished_loads();
  Result<std::optional<snapshot::ExactlyOnceMeta>> last =
      snapshots_->exactly_once_meta();  // written with every whole set
  // All of it is in the last set of snapshots.
  if (last && *last && (*last)->last_lsn == wal_->last() && recovered->log.entry_count == 0 && !warned &&
      config_.recover.empty() && recovered->decision == Decision::go_on &&
      recovered->snapshots.manifest == snapshot::ManifestState::good)
    saved_lsn_ = wal_->last().value;
  snapshot_watch_.started(last && *last ? (*last)->timestamp : 0, clock_.unix_seconds(), clock_.steady());
  if (!unread_data_) log_.info("restore.done", restored(*recovered));
  look_around();
  ticker_ = std::make_unique<Ticker>([this] { look_around(); });
  return {};
}

// Once a second.
void Engine::look_around() {
  resource_watch_.look(files_, directory_, ops::resident_bytes());
  if (!unread_data_) (void)snapshot_if_due();
}

// What a start has found, in words.
std::string Engine::restored(const Recovered& recovered) const {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", std::chrono::duration<double>(clock_.steady() - started_).count());
  return "series=" + std::to_string(store_.series_count()) + " keys=" + std::to_string(store_.key_count()) +
         " log_entries=" + std::to_string(recovered.applied) + " lsn=" + std::to_string(wal_->last().value) +
         " seconds=" + seconds;
}

store::ExactlyOnceState::Limits Engine::exactly_once_limits() const {
  return {.records = {.max_records = static_cast<std::uint64_t>(config_.idempotency_max_records),
                      .max_age_seconds = config_.idempotency_max_age_seconds},
          .streams = {.max_streams = static_cast<std::uint64_t>(config_.ingest_max_streams),
                      .max_staged_points = std::min(static_cast<std::uint64_t>(config_.ingest_max_staged_points),
                                                    client_memory_.max_staged_points())}};
}

RecoveryOptions Engine::recovery_options() {
  RecoveryOptions options;
  options.now = clock_.unix_seconds();
  options.on_event = event_sink();
  options.on_warning = [this](const std::string& event, const std::string& message) { log_.warn(event, message); };
  return options;
}

Result<std::unique_ptr<wal::Log>> Engine::open_log(const Recovered& recovered) {
  if (!config_.wal) return wal::null_log(recovered.last, config_.role == Role::slave);
  wal::LogOptions options{
      .fsync = config_.wal_fsync,
      .segment_bytes = static_cast<std::uint64_t>(config_.wal_segment_bytes),
      .preallocate_bytes = static_cast<std::uint64_t>(config_.wal_preallocate_bytes),
      .on_event = event_sink(),
      .in_background = [this](std::function<void()> job) { return snapshot_worker_->submit(std::move(job)); },
      .entries_indexed_at_once = kEntriesIndexedAtOnce,
      .sync_durations = is_scraped() ? &sync_durations_ : nullptr,
      .accept_damage = !recovered.log.damage.empty(),
      .discard_entries = recovered.decision == Decision::go_on_anew};
  return wal::open_log(files_, directory_, recovered.log, recovered.last, std::move(options));
}

Status Engine::shutdown(bool snapshot) {
  ticker_.reset();
  end_waiting();
  jobs_abandoned_ = true;
  if (query_worker_) query_worker_->stop();
  if (snapshot_worker_) snapshot_worker_->stop();
  Status status;
  if (snapshot && writer_) {
    if (unread_data_ && config_.wal) {
      log_.warn("backup.skipped", "started with --restore=false: what was written is in the log only");
    } else if (!is_unsaved() && wal_->bytes() == 0) {
      log_.info("backup.skipped", "nothing was written since the last snapshot");
    } else {
      // Nothing is held: Karma 1.0 may be started next, and would apply what the log holds to the snapshots again.
      status = snapshot_everything(LogHeld::not_at_all);
    }
  }
  if (writer_) writer_->stop();
  return status;
}

RequestStats& Engine::add_request_stats() {
  const MutexLock lock(stats_mutex_);
  request_stats_.push_back(std::make_unique<RequestStats>());
  if (is_scraped()) request_stats_.back()->times = std::make_unique<RequestTimes>(clock_);
  return *request_stats_.back();
}

wal::Verdict Engine::admit(wal::Write& write, bool batch_empty) {
  Mutation& mutation = static_cast<Mutation&>(write);
  if (batch_empty) {
    pending_.reset();
    in_batch_.clear();
  }
  pending_.any = !batch_empty;
  // An answer too has to come after the writes before it, or a connection would get its replies in another order than
  // its requests.
  const bool is_next = !in_batch_.may_hold(mutation.source);
  const wal::Verdict decided = mutation.rides ? verdict_on_rider(mutation, is_next) : verdict(mutation);
  if (decided == wal::Verdict::answered && is_next) {
    answer(mutation);
  } else if (decided != wal::Verdict::flush_first) {
    in_order_.push_back(&mutation);
    in_batch_.add(mutation.source);
  }
  return decided;
}

// A read is answered in its place among the writes of its connection.
wal::Verdict Engine::verdict_on_rider(Mutation& rider, bool is_next) {
  if (rider.outcome.failed) return wal::Verdict::answered;
  if (!is_next) return wal::Verdict::log;
  answer_read(rider);
  return wal::Verdict::answered;
}

void Engine::answer_read(Mutation& read) {
  read_arena_.reset();
  read_answer_.clear();
  commands::Reads reads(store_, own_reader_, *this, read_arena_);
  if (const Status status = read.op->answer(read.command, reads, read_answer_); !status)
    return read.outcome.fail(status.error());
  KARMA_CHECK(read_answer_.size() <= read.room.size());
  std::memcpy(read.room.data(), read_answer_.data(), read_answer_.size());
  read.answer = {read.room.data(), read_answer_.size()};
}

wal::Verdict Engine::verdict(Mutation& mutation) {
  if (mutation.replicated) {
    if (!mutation.batch->failed) return wal::Verdict::log;
    // It would get the LSN of an entry that is missing.
    mutation.outcome.fail(ErrorCode::internal_error, "an entry before it could not be logged");
    return wal::Verdict::answered;
  }
  if (mutation.keyed != nullptr || keys_ahead_ != 0) prefetch_keys(mutation);
  if (mutation.keyed != nullptr) {
    const wal::Verdict known = commands::admit_key(*mutation.keyed, store_.exactly_once(), pending_, mutation.outcome);
    if (known != wal::Verdict::log) return known;
  }
  const wal::Verdict verdict = mutation.op->admit(mutation.command, store_, pending_, mutation.outcome);
  if (verdict == wal::Verdict::log && mutation.keyed != nullptr) pending_.keys.add(mutation.keyed->record.key.hash);
  return verdict;
}

// Stays this many writes ahead of the one that is admitted: many at once would be more than the processor can fetch at
// the same time.
void Engine::prefetch_keys(const Mutation& admitted) {
  const auto prefetch = [this](const wal::Write* write) {
    const commands::KeyedWrite* keyed = static_cast<const Mutation*>(write)->keyed;
    if (keyed != nullptr) store_.exactly_once().records().prefetch(keyed->record.key);
  };
  if (keys_ahead_ == 0 || next_admitted_ != &admitted) {
    prefetch(ahead_ = &admitted);
    keys_ahead_ = 0;
  } else {
    --keys_ahead_;
  }
  next_admitted_ = admitted.next;
  for (; keys_ahead_ < kKeysAhead && ahead_->next != nullptr && !ahead_->next->is_action; ++keys_ahead_)
    prefetch(ahead_ = ahead_->next);
}

void Engine::apply(std::span<wal::Write* const> batch) {
  writes_fail_.store(false, std::memory_order_relaxed);
  std::size_t next = 0;
  while (next < batch.size()) {
    prepare_next(batch.subspan(next));
    const std::size_t first = next;
    std::lock_guard lock(store_.lock());
    // Keys are remembered many at a time: both loops wait for memory, and each waits less by itself. Ops that may look
    // at keys see all keys that come before them in the log.
    std::size_t remembered = next;
    const std::size_t cloned = store::Series::pages_cloned();
    for (std::size_t points = 0; next < batch.size() && points < kPointsPerLock; ++next) {
      if (store::Series::pages_cloned() - cloned >= kClonesPerLock) break;
      if (next != first && wants_next_lock(*batch[next])) break;
      if (next % kFetchedAhead == 0) fetch_ahead(batch.subspan(next));
      Mutation& mutation = static_cast<Mutation&>(*batch[next]);
      if (!mutation.op->idempotent && !mutation.rides) {
        remember(batch.subspan(remembered, next - remembered));
        remembered = next;
      }
      apply(mutation);
      points += mutation.op->batch_size == nullptr ? 1 : mutation.op->batch_size(mutation.command);
    }
    remember(batch.subspan(remembered, next - remembered));
  }
  if (commit_times_.wanted()) commit_times_.note(wal_->last(), clock_.steady());  // before anybody asks for their age
  applied_.store(wal_->last().value, std::memory_order_release);
  if (!store_.purged()) work();  // work that takes no time is done at once
  if (store_.has_deferred_free()) free_deferred();
  count_keyed(batch);
  answer_in_order();
}

void Engine::apply(Mutation& mutation) {
  if (mutation.rides) {
    answer_read(mutation);
  } else if (mutation.replicated && mutation.op->replay != nullptr) [[unlikely]] {
    (void)mutation.op->replay(mutation.command, store_, NothingCovered(), mutation.outcome);
  } else {
    mutation.op->apply(mutation.command, store_, mutation.outcome);
  }
}

void Engine::work() {
  std::lock_guard lock(store_.lock());
  store_.purge_some(kSlotsPerLock);
}

// Memory whose freeing takes longer than handing it over is freed elsewhere.
void Engine::free_deferred() {
  std::vector<store::Series> dead = store_.take_deferred_free();
  std::size_t pages = 0;
  for (const store::Series& series : dead) pages += series.page_count();
  if (pages <= kPagesFreedAtOnce) return;
  // std::function wants a copyable callable. No reference stays here, or the last one to let go would free it all.
  auto shared = std::make_shared<std::vector<store::Series>>(std::move(dead));
  deferred_free_worker_->submit([shared = std::move(shared)]() mutable { shared.reset(); });
}

void Engine::answer_in_order() {
  for (Mutation* mutation : in_order_) answer(*mutation);
  in_order_.clear();
}

void Engine::remember(std::span<wal::Write* const> writes) {
  for (const wal::Write* write : writes) {
    const Mutation& mutation = static_cast<const Mutation&>(*write);
    if (mutation.rides) continue;
    if (mutation.keyed != nullptr) commands::remember_key(*mutation.keyed, store_.exactly_once(), mutation.outcome);
    if ((mutation.outcome.failed || mutation.op->tells_state) && wal_->keeps_entries()) [[unlikely]]
      note_outcome(outcomes_, *mutation.op, mutation.keyed != nullptr, mutation.lsn, mutation.outcome);
  }
}

// The clock is read once for the whole batch.
void Engine::count_keyed(std::span<wal::Write* const> batch) {
  std::uint64_t count = 0;
  std::uint64_t timed = 0;
  std::chrono::steady_clock::time_point now;
  for (const wal::Write* write : batch) {
    const commands::KeyedWrite* keyed = static_cast<const Mutation*>(write)->keyed;
    if (keyed == nullptr) continue;
    ++count;
    if (!keyed->timed) continue;
    if (timed++ == 0) now = clock_.steady();
    const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(now - keyed->started);
    keyed_nanoseconds_.add(static_cast<std::uint64_t>(duration.count()));
    last_keyed_nanoseconds_.set(static_cast<std::uint64_t>(duration.count()));
  }
  if (count == 0) return;
  timed_keyed_.add(timed);
  store_.exactly_once().counters().writes.fetch_add(count, std::memory_order_relaxed);
}

void Engine::refuse(std::span<wal::Write* const> batch, const Error& error) {
  writes_failed_at_.store(clock_.steady(), std::memory_order_relaxed);
  writes_fail_.store(true, std::memory_order_release);
  const bool admitted = !in_order_.empty();  // after stop() nothing is
  for (wal::Write* write : batch) {
    Mutation& mutation = static_cast<Mutation&>(*write);
    if (mutation.rides && admitted) {
      answer_read(mutation);
      continue;
    }
    mutation.outcome.fail(error);
    if (mutation.replicated) mutation.batch->failed = true;
    if (!admitted) answer(mutation);
  }
  answer_in_order();
}

void Engine::answer(Mutation& mutation) {
  // One that is not logged tells what it was decided on, which has all that it repeats.
  if (mutation.tells_lsn && mutation.lsn.value == 0) mutation.lsn = wal_->last();
  if (acks_ != nullptr && mutation.waits_for_replicas) return acks_->hold(mutation);
  staged_.add(mutation);
}

void Engine::hand_over() {
  staged_.publish();
  if (acks_ != nullptr) acks_->commit();
}

void Engine::cycle_done() {
  hand_over();
  log_waiters_.notify();
  read_waiters_.notify();
}

void Engine::submit(std::unique_ptr<Job> job) {
  if (job->op->awaited != nullptr) {
    job->op->arrived(job->command, *this);
    const commands::Awaited awaited = job->op->awaited(job->command);
    if (log_waiters_.wait(job, awaited.after, awaited.time)) return;
  }
  if (job->min_lsn > applied() && read_waiters_.wait(job, {job->min_lsn.value - 1}, job->patience)) return;
  run_on_worker(std::move(job));
}

void Engine::data_is_stale() {
  is_masters_.store(false, std::memory_order_relaxed);
  if (!config_.replica_serve_stale && !awaits_data()) withheld_ = Withheld::stale;
}

Error Engine::why_withheld() const {
  return {ErrorCode::stale_replica, awaits_data() ? "This slave does not have its master's data yet"
                                                  : "This slave's data is not its master's any more, and the new copy "
                                                    "is not complete yet; ask the master"};
}

Error Engine::too_old(Lsn wanted) const {
  return {ErrorCode::stale_replica, "This node has LSN " + std::to_string(applied().value) + " and not yet " +
                                        std::to_string(wanted.value) + "; try again, or ask the master"};
}

void Engine::run_on_worker(std::unique_ptr<Job> job) {
  const commands::Op& op = *job->op;
  const bool query = op.kind == commands::Kind::query || op.quick;
  const bool reads = op.access == commands::Access::read;
  const bool little_room = client_memory_.growing_waits();
  std::size_t most = Worker::kMaxQueued;
  if (reads && !query) most = kMaxReadersQueued;
  if (reads && little_room) most = 1;
  if (op.heavy) {
    job->counter = &heavy_jobs_;
    if (heavy_jobs_.fetch_add(1) >= kMaxHeavyJobs) most = 0;
  }
  // std::function wants a copyable callable, so the job changes hands as a plain pointer.
  Job* raw = job.get();
  const bool may_give_way = reads && !little_room;
  const auto run = [this, raw, query, may_give_way] {
    std::unique_ptr<Job> mine(raw);
    if (may_give_way && client_memory_.growing_waits()) {
      fail(*mine, too_many_waiting);
    } else {
      run_job(*mine, query ? query_reader_ : snapshot_reader_);
    }
    hand_back(std::move(mine));
  };
  const auto abandon = [this, raw] {
    std::unique_ptr<Job> mine(raw);
    fail(*mine, shutting_down);
    hand_back(std::move(mine));
  };
  if ((query ? query_worker_ : snapshot_worker_)->submit(run, abandon, most)) {
    (void)job.release();  // it may be answered and gone already
    return;
  }
  fail(*job, jobs_abandoned_ ? shutting_down : too_many_waiting);
  hand_back(std::move(job));
}

void Engine::hand_back(std::unique_ptr<Job> job) {
  job->hold(job->response.capacity());
  job->completions->publish(std::move(job));
}

void Engine::end_waiting() {
  if (acks_ != nullptr) acks_->end();
  log_waiters_.close();
  read_waiters_.close();
}

void Engine::abandon_jobs() {
  jobs_abandoned_ = true;
  query_worker_->close();
  snapshot_worker_->close();
}

void Engine::run_job(Job& job, store::StoreLock::Reader& reader) {
  const auto run = [&] {
    if (job.min_lsn > applied()) return Status(too_old(job.min_lsn));
    if (job.op->kind == commands::Kind::admin) return job.op->run(job.command, *this, job.response);
    commands::Reads reads(store_, reader, *this, job.arena);
    reads.set_query_timeout(clock_, config_.query_timeout_ms);
    return job.op->answer(job.command, reads, job.response);
  };
  job.begun = clock_.steady();
  try {
    try {
      job.status = run();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& failure) {
      job.status = internal_error(failure.what());
    }
  } catch (const std::bad_alloc&) {
    job.status = out_of_memory();
  }
  job.ended = clock_.steady();
}

}  // namespace karma::engine
