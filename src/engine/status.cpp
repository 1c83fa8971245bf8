// The status of the engine: statistics, health, the state of the log.
#include <karma/version.h>

#include "commands/catalog.h"
#include "engine/engine.h"
#include "ops/process.h"

namespace karma::engine {
namespace {

// A slave that has just started is not degraded yet.
constexpr std::chrono::seconds kTimeToFindTheMaster(2);
// So long after a write that could not be logged a node does not count as one that takes writes.
constexpr std::chrono::seconds kRefusalCounts(10);

// Under the store's lock.
void add_exactly_once(const store::ExactlyOnceState& exactly_once, ops::Stats& stats) {
  const store::ExactlyOnceCounters& counters = exactly_once.counters();
  stats.idempotency_record_count = exactly_once.records().size();
  stats.idempotency_pruned = exactly_once.records().pruned();
  stats.idempotency_committed_stream_count = exactly_once.streams().committed_count();
  stats.ingest_active_streams = exactly_once.streams().active_count();
  stats.idempotency_hits = counters.hits;
  stats.idempotency_conflicts = counters.conflicts;
  stats.idempotency_write_count = counters.writes;
  stats.ingest_chunks_applied = counters.chunks_applied;
  stats.ingest_chunks_skipped = counters.chunks_skipped;
  stats.ingest_chunks_rejected = counters.chunks_rejected;
  stats.ingest_items_applied = counters.items_applied;
  stats.ingest_latency_ms_last = static_cast<double>(counters.last_chunk_nanoseconds) / 1e6;
  if (stats.ingest_chunks_applied != 0)
    stats.ingest_latency_ms_avg =
        static_cast<double>(counters.chunk_nanoseconds) / 1e6 / static_cast<double>(stats.ingest_chunks_applied);
}

}  // namespace

ops::Stats Engine::stats() {
  ops::Stats stats;
  stats.version = version();
  stats.uptime_seconds = std::chrono::duration<double>(clock_.steady() - started_).count();
  stats.role = role_name();
  if (is_slave()) {
    follow_status_.add_to(stats, wal_->last(), clock_.steady());
  } else {
    stats.replication_replayed_lsn = replicated_.load(std::memory_order_relaxed);
    stats.digest_check_lsn.reset();
    stats.digest_check_age_seconds.reset();
  }
  const commands::LogState log = log_state();
  stats.wal_enabled = log.enabled;
  stats.wal_bytes = log.bytes;
  stats.wal_current_lsn = log.current.value;
  stats.dump_count = snapshot_count_.load(std::memory_order_relaxed);
  stats.memory_bytes = ops::resident_bytes();
  stats.connections = static_cast<std::uint64_t>(open_connections_.load(std::memory_order_relaxed));
  stats.wal_write_count = wal_->write_count();
  stats.wal_sync_count = wal_->sync_count();
  stats.wal_held_bytes = wal_->held_bytes();
  stats.wal_failure_count = writer_->stats().failures;
  stats.writes_stopped = wal_->stopped();
  stats.replay_refused_entries = replay_refused_;
  stats.open_to_network = open_to_network_;

  stats.max_connections = static_cast<std::uint64_t>(connection_limit_.load(std::memory_order_relaxed));
  stats.client_memory_limit_bytes = client_memory_.limit();
  stats.client_memory_request_bytes = client_memory_.requests();
  stats.client_memory_buffer_bytes = client_memory_.buffers.load(std::memory_order_relaxed);
  stats.client_memory_paused_connections =
      static_cast<std::uint64_t>(client_memory_.paused.load(std::memory_order_relaxed));
  stats.log_lost_lines = log_.lost_lines();
  snapshot_watch_.add_to(stats, clock_.unix_seconds(), clock_.steady());
  stats.replicas = replicas_.count(clock_.steady() - Replicas::kInContact);
  stats.replicas_confirmed_lsn.reset();
  if (acks_ != nullptr) {
    const ReplicaAcks::State state = acks_->state();
    stats.replicas_confirmed_lsn = state.confirmed.value;
    stats.replicas_ack_waiting = state.waiting;
    stats.replicas_ack_timeouts = state.timeouts;
    stats.replicas_ack_degraded = state.degraded;
  }

  const MutexLock lock(stats_mutex_);
  {
    std::lock_guard read(stats_reader_);
    stats.trees = store_.series_count();
    stats.keys = store_.key_count();
    add_exactly_once(store_.exactly_once(), stats);
    stats.client_memory_staged_bytes =
        store_.exactly_once().streams().staged_points() * ClientMemory::kStagedPointBytes;
  }
  stats.client_memory_bytes =
      stats.client_memory_request_bytes + stats.client_memory_buffer_bytes + stats.client_memory_staged_bytes;
  if (timed_keyed_.get() != 0) {
    stats.idempotency_write_latency_ms_last = static_cast<double>(last_keyed_nanoseconds_.get()) / 1e6;
    stats.idempotency_write_latency_ms_avg =
        static_cast<double>(keyed_nanoseconds_.get()) / 1e6 / static_cast<double>(timed_keyed_.get());
  }
  reconciliation_.add_to(stats);
  stats.recovery_checkpoint_count = checkpoints_.count();
  stats.recovery_last_checkpoint_unix = static_cast<std::uint64_t>(checkpoints_.last_updated_at());
  std::uint64_t timed = 0;
  std::uint64_t nanoseconds = 0;
  for (const std::unique_ptr<RequestStats>& counters : request_stats_) {
    counters->add_to(stats);
    timed += counters->timed_requests.get();
    nanoseconds += counters->timed_nanoseconds.get();
    if (counters->last_nanoseconds.get() != 0)
      stats.latency_ms_last = static_cast<double>(counters->last_nanoseconds.get()) / 1e6;
  }
  if (timed != 0) stats.latency_ms_avg = static_cast<double>(nanoseconds) / 1e6 / static_cast<double>(timed);
  return stats;
}

commands::Health Engine::health() {
  commands::Health health;
  health.uptime_seconds = std::chrono::duration<double>(clock_.steady() - started_).count();
  const bool slave = is_slave();
  health.role = role_name();
  health.wal_enabled = config_.wal;
  if (std::string problem = log_problem(); !problem.empty()) health.problems.push_back(std::move(problem));
  if (!slave) add_peer_notes(health);
  const bool starting = clock_.steady() - started_ < kTimeToFindTheMaster;
  if (std::string problem = replicas_problem(); !problem.empty())
    (starting ? health.warnings : health.problems).push_back(std::move(problem));
  if (slave) {
    std::string problem = following_problem();
    if (!problem.empty()) (starting ? health.warnings : health.problems).push_back(std::move(problem));
  }
  {
    const MutexLock lock(history_mutex_);
    if (file_may_promote_)
      health.problems.push_back(
          "a promotion failed, and karma.history.json could not be put back: a restart may make this node master");
  }
  if (!slave && config_.role == Role::slave)
    health.warnings.push_back("this node was promoted, but its settings still say --role=slave");
  if (std::string problem = snapshot_watch_.problem(); !problem.empty()) health.problems.push_back(std::move(problem));
  for (auto& warnings :
       {snapshot_watch_.warnings(clock_.steady(), needed_log_bytes(), is_unsaved()), resource_watch_.warnings()})
    health.warnings.insert(health.warnings.end(), warnings.begin(), warnings.end());
  if (open_to_network_) health.warnings.push_back("open to the network without a token");
  return health;
}

std::string Engine::log_problem() const {
  if (wal_->stopped()) return "writing has stopped: a sync of the log failed; check the disk and restart the node";
  if (writes_fail_.load(std::memory_order_acquire))
    return "the last writes could not be logged and were refused; is the disk full?";
  return {};
}

std::string Engine::following_problem() const {
  if (config_.replication_source_host) return follow_status_.problem();
  return "this slave follows no master: what it holds grows old, and how far it is behind is not known";
}

ops::NodeState Engine::node_state() const {
  ops::NodeState state;
  state.phase = ops::NodeState::Phase::serving;
  state.slave = is_slave();
  if (is_superseded()) state.superseded = superseded().message;
  // A balancer that takes the node out for it sends no more writes, and only a write can show that there is room again:
  // so a failure counts for a while.
  const auto since = clock_.steady() - writes_failed_at_.load(std::memory_order_relaxed);
  if (wal_->stopped() || since < kRefusalCounts) state.log_problem = log_problem();
  if (withholds_reads()) state.reads_withheld = why_withheld().message;
  if (!state.slave) return state;
  state.following_problem = config_.replication_source_host ? follow_status_.problem_in_brief() : following_problem();
  if (!config_.replication_source_host) return state;
  ops::ReplicationStats following;
  follow_status_.add_to(following, wal_->last(), clock_.steady());
  state.diverged = following.replication_diverged;
  state.lag_ms = following.replication_lag_ms;
  return state;
}

ops::NodeFigures Engine::figures() {
  ops::NodeFigures figures;
  figures.stats = stats();
  const commands::Health now = health();
  figures.problems = now.problems.size();
  figures.warnings = now.warnings.size();
  figures.timings = timings();
  figures.io_spins = spin_places_.counts(SpinPlaces::Thread::io);
  figures.writer_spins = spin_places_.counts(SpinPlaces::Thread::writer);
  return figures;
}

ops::Timings Engine::timings() {
  ops::Timings timings;
  timings.measured = is_scraped();
  log_timings_.queue.add_to(timings.log_queue);
  log_timings_.batch.add_to(timings.log_batch);
  sync_durations_.add_to(timings.log_sync);
  std::vector<HistogramFigures> by_op;
  {
    const MutexLock lock(stats_mutex_);
    for (const std::unique_ptr<RequestStats>& counters : request_stats_) {
      if (counters->times != nullptr) counters->times->add_to(by_op);
    }
  }
  for (std::size_t i = 0; i < by_op.size(); ++i) {
    if (by_op[i].count() != 0) timings.requests.push_back({commands::catalog()[i].name, std::move(by_op[i])});
  }
  return timings;
}

void Engine::add_peer_notes(commands::Health& health) const {
  const MutexLock lock(peers_mutex_);
  if (is_superseded()) health.problems.push_back(why_superseded_);
  health.problems.insert(health.problems.end(), peer_notes_.problems.begin(), peer_notes_.problems.end());
  health.warnings.insert(health.warnings.end(), peer_notes_.warnings.begin(), peer_notes_.warnings.end());
}

commands::LogState Engine::log_state() { return {config_.wal, wal_->bytes(), wal_->last()}; }

std::uint64_t Engine::snapshot_retention() const { return static_cast<std::uint64_t>(config_.dump_retention_per_tree); }

std::uint64_t Engine::response_limit() const { return static_cast<std::uint64_t>(config_.max_response_bytes); }

bool Engine::over_response_limit(std::size_t bytes) const { return response_limit() > 0 && bytes > response_limit(); }

Status Engine::read_log(Lsn after, const std::function<bool(Lsn, std::string_view)>& visit) {
  return wal_->read(after, visit);
}

}  // namespace karma::engine
