// The node without its network: state, log, writer, snapshots, workers. The only place where command, log and store
// meet.
//
//   read      decode -> answer(Reads)                                        on the thread that asks
//   mutation  decode -> encode -> flush -> [writer: admit -> log -> sync -> apply] -> CompletionQueue -> reply
//   admin     decode -> worker -> CompletionQueue -> reply
//   start     scan log -> load snapshots -> for each entry above them: decode -> apply      (the same decode and apply)
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <karma/clock.h>
#include <karma/config.h>
#include <karma/error.h>
#include <karma/file_system.h>

#include "commands/services.h"
#include "core/arena.h"
#include "core/buffer.h"
#include "core/log.h"
#include "core/mutex.h"
#include "engine/client_memory.h"
#include "engine/commit_times.h"
#include "engine/follow_status.h"
#include "engine/following.h"
#include "engine/history.h"
#include "engine/log_waiters.h"
#include "engine/mutation.h"
#include "engine/recovery.h"
#include "engine/replica_acks.h"
#include "engine/replicas.h"
#include "engine/request_stats.h"
#include "engine/resources.h"
#include "engine/snapshot_leases.h"
#include "engine/snapshot_watch.h"
#include "engine/source_marks.h"
#include "engine/state_digests.h"
#include "engine/worker.h"
#include "ops/readiness.h"
#include "ops/scrape.h"
#include "snapshot/adoption.h"
#include "snapshot/manager.h"
#include "store/store.h"
#include "wal/replaceable_log.h"
#include "wal/writer.h"

namespace karma::engine {

using snapshot::kLockName;

inline Error shutting_down() { return internal_error("The node is shutting down"); }

class Engine final : public commands::Services, private wal::Machine {
 public:
  // Locks the directory, restores it, starts the threads. An error says what to do about it.
  // `later_master` is asked before a node that was promoted starts as master although its settings say slave: which
  // node has a later term than that.
  using LaterMaster = std::function<std::optional<std::string>(std::uint64_t term)>;
  static Result<std::unique_ptr<Engine>> open(const Config& config, FileSystem& files, Clock& clock, EventLog& log,
                                              const LaterMaster& later_master = {}, const StartProgress& progress = {});
  ~Engine() override;

  // Finishes all submitted writes, writes snapshots if told to, closes the log. No dispatcher may submit any more.
  Status shutdown(bool snapshot);
  // Questions for entries of the log that are not there yet are answered now, and wait no more; so are writes that wait
  // for slaves.
  void end_waiting();
  // Reads and admin ops that wait for a worker, and those that come from now on, are answered with an error; so are
  // verifications and loads under way.
  void abandon_jobs();
  // SIGUSR1: create_all on the snapshot worker; the outcome goes to the log.
  void snapshot_in_background();
  // For those who look whether the writer's loop turns: see wal::Writer.
  std::optional<std::uint64_t> writer_turns() const { return writer_->turns(); }
  // Called every second if a schedule is set: takes a snapshot in the background if one is due. False: none is due.
  bool snapshot_if_due();

  const Config& config() const { return config_; }
  // Until it is promoted.
  bool is_slave() const { return duty_.load(std::memory_order_acquire) == Duty::slave; }
  // Neither a slave nor superseded.
  bool takes_writes() const { return duty_.load(std::memory_order_acquire) == Duty::master; }
  // A peer knows of a later master: a master takes no writes any more, until a restart. `why` is what clients get.
  void supersede(std::string why);
  bool is_superseded() const { return duty_.load(std::memory_order_acquire) == Duty::superseded; }
  Error superseded() const;
  // For health: what a master hears of its peers.
  struct PeerNotes {
    std::vector<std::string> problems;
    std::vector<std::string> warnings;
  };
  void set_peer_notes(PeerNotes notes);
  // Who follows the master, so that a promotion can end it; nullptr when that one goes, which waits for a promotion
  // that is under way.
  void set_following(Following* following);
  // What load balancers ask about. Takes no lock that waits for the writer.
  ops::NodeState node_state() const;
  // For Prometheus.
  ops::NodeFigures figures();
  const Clock& clock() const { return clock_; }
  store::Store& store() { return store_; }
  bool logs_entries() const { return wal_->keeps_entries(); }
  // Up to which LSN everything is applied, where only one thread writes.
  Lsn position() const { return wal_->last(); }
  // Of the last entry that readers see. Any thread.
  Lsn applied() const { return {applied_.load(std::memory_order_acquire)}; }
  // A read wants what this node has not applied yet.
  Error too_old(Lsn wanted) const;
  FollowStatus& follow_status() { return follow_status_; }
  // Whose entries the log holds. A slave keeps its master's, before it takes an entry from there.
  History history() const;
  Status keep_history(History history);
  // Puts the data of karma.bootstrap/ in the place of the present data, which can be read until then. For the thread
  // that follows the master, on a node with a source; nobody else may write. After an Error either the old data is in
  // its place, or the next start completes the change (the message says so).
  Status adopt_bootstrap(std::string_view keep_old_as, bool earlier_stay = false);
  // Does it while no snapshot is written or removed, nor anything of the log; waits for one that is under way, unless
  // that is to be given up. Those that are asked for meanwhile are refused.
  Status without_snapshots(const std::function<Status()>& action, const std::function<bool()>& given_up);
  // Old data that was put aside: what only that had is written beside it, on a worker (only_here.h). For a node that
  // has caught up with its master. False: the worker has too much to do.
  bool tell_only_here();
  // A slave that has never had its master's data: an answer from its store would be wrong.
  bool awaits_data() const { return withheld_.load(std::memory_order_relaxed) == Withheld::no_data; }
  // Its data is no beginning of its master's any more, until it has a new copy.
  void data_is_stale();
  // It is, up to here.
  void has_data() {
    withheld_.store(Withheld::nothing, std::memory_order_relaxed);
    is_masters_.store(true, std::memory_order_relaxed);
  }
  // Whether reads are refused for one of these, and why.
  bool withholds_reads() const { return withheld_.load(std::memory_order_relaxed) != Withheld::nothing; }
  Error why_withheld() const;
  ClientMemory& client_memory() { return client_memory_; }
  SpinPlaces& spin_places() { return spin_places_; }
  std::atomic<int>& open_connections() { return open_connections_; }
  // How many connections the server takes, and whether everybody may connect; for stats and health.
  void set_connection_limit(int limit) { connection_limit_ = limit; }
  void set_open_to_network(bool open) { open_to_network_ = open; }
  // How system.clients learns of the connections, before there are any.
  using ListClients = std::function<commands::ClientPage(std::uint64_t after, std::size_t limit)>;
  void set_list_clients(ListClients list) { list_clients_ = std::move(list); }

  // One per thread that serves requests; they live as long as the engine.
  RequestStats& add_request_stats();

  // Hands mutations to the writer. Each is answered through its completion queue.
  void submit(MutationBatch& batch) { writer_->submit(batch.first, batch.last, batch.brief); }
  // Why it has failed.
  Error refusal(const Mutation& mutation) const;
  // Runs the job on a worker; its completion queue gets it back.
  void submit(std::unique_ptr<Job> job);

  // commands::Services
  ops::Stats stats() override;
  ops::Timings timings() override;
  commands::Health health() override;
  commands::LogState log_state() override;
  std::string history_json() override;
  std::string epoch_at(Lsn lsn) override;
  Result<commands::Promotion> promote() override;
  Result<commands::DigestAt> state_digest(Lsn after) override;
  void replica_asks(const commands::ReplicaPoll& poll) override;
  std::optional<std::chrono::milliseconds> entry_age(Lsn lsn) override;
  commands::ReplicaReport replicas() override;
  std::uint64_t snapshot_retention() const override;
  std::uint64_t response_limit() const override;
  Status read_log(Lsn after, const std::function<bool(Lsn, std::string_view)>& visit) override;
  bool over_response_limit(std::size_t bytes) const override;
  Status create_snapshot(const std::string& series) override;
  Status create_all_snapshots() override;
  Result<std::string> load_snapshot(const std::string& file) override;
  Result<commands::Verified> verify() override;
  snapshot::Manager& snapshots() override { return *snapshots_; }
  std::int64_t unix_seconds() const override { return clock_.unix_seconds(); }
  ops::Checkpoints& checkpoints() override { return checkpoints_; }
  ops::Reconciliation& reconciliation() override { return reconciliation_; }
  ops::SlowLog& slow_log() override { return slow_log_; }
  commands::ClientPage clients(std::uint64_t after, std::size_t limit) override {
    return list_clients_ ? list_clients_(after, limit) : commands::ClientPage();
  }
  void list_fetched(Lsn wanted_after) override { leases_.began(wanted_after, clock_.steady()); }
  void piece_fetched(Lsn lsn) override { leases_.fetched(lsn, clock_.steady()); }
  std::string snapshot_path(const std::string& file) const override;

 private:
  // The writer lets readers in after about this many changed points.
  static constexpr std::size_t kPointsPerLock = 4096;
  // Of removals that go through a series, likewise, and of pages that are cloned because views have them.
  static constexpr std::size_t kSlotsPerLock = 1024;
  static constexpr std::size_t kClonesPerLock = 64;

  Engine(const Config& config, FileSystem& files, Clock& clock, EventLog& log);
  Status start(const LaterMaster& later_master, const StartProgress& progress);
  store::ExactlyOnceState::Limits exactly_once_limits() const;
  RecoveryOptions recovery_options();
  std::string restored(const Recovered& recovered) const;
  Result<std::unique_ptr<wal::Log>> open_log(const Recovered& recovered);
  snapshot::Warn diverged_warning();
  Status change_to(Recovered& recovered, store::Store& fresh);
  Status read_history();
  void begin_epoch(Lsn last);
  Status find_role(const LaterMaster& later_master);
  std::string source_name() const;
  std::string_view role_name() const { return is_slave() ? "slave" : "master"; }
  Status become_master();
  void follows_nobody();
  std::unique_ptr<ReplicaAcks> make_acks();
  std::string replicas_problem() const;
  std::string log_problem() const;
  bool is_scraped() const { return config_.http_port != 0; }
  std::string following_problem() const;
  void add_peer_notes(commands::Health& health) const;

  // wal::Machine: one thread at a time, which has the writer's place
  wal::Verdict admit(wal::Write& write, bool batch_empty) override;
  wal::Verdict verdict(Mutation& mutation);
  wal::Verdict verdict_on_rider(Mutation& rider, bool is_next);
  void remember(std::span<wal::Write* const> writes);
  void count_keyed(std::span<wal::Write* const> batch);
  void apply(std::span<wal::Write* const> batch) override;
  void apply(Mutation& mutation);
  void answer_read(Mutation& read);
  bool slows_writes() const override { return !store_.purged(); }
  bool is_slow(const wal::Write& write) const override;
  bool prepare(wal::Write& write, std::size_t& work) override;
  void refuse(std::span<wal::Write* const> batch, const Error& error) override;
  void hand_over() override;
  void cycle_done() override;
  bool has_work() const override { return !store_.purged(); }
  void work() override;
  void free_deferred();

  void abort_unfinished_loads();  // when it becomes master, before anybody else can write
  void answer(Mutation& mutation);
  void fetch_ahead(std::span<wal::Write* const> writes) const;
  bool wants_next_lock(const wal::Write& write);
  void prepare_next(std::span<wal::Write* const> writes);
  std::size_t prepare_part(store::Series& series, std::span<const Item> items, std::size_t& work);
  void prefetch_keys(const Mutation& admitted);
  void answer_in_order();
  void run_on_worker(std::unique_ptr<Job> job);
  void run_job(Job& job, store::StoreLock::Reader& reader);
  void hand_back(std::unique_ptr<Job> job);
  Result<snapshot::Frozen> freeze();
  Error snapshots_are_held();
  enum class LogHeld { for_slaves, not_at_all };
  Status snapshot_everything(LogHeld held);
  Status create_whole_set(LogHeld held);
  wal::Hold log_hold() const;
  // Of the log, what is not in snapshots.
  std::uint64_t needed_log_bytes() const;
  bool is_unsaved() const;  // something was written since the last snapshot of everything
  Status watched(bool whole, const std::function<Status()>& create);
  void count_snapshots();
  Result<std::vector<std::string>> snapshot_names() const;
  void write_only_here();
  void look_around();
  std::function<void(const std::string&, const std::string&)> event_sink();

  const Config config_;
  FileSystem& files_;
  Clock& clock_;
  EventLog& log_;
  const std::string directory_;
  const std::chrono::steady_clock::time_point started_;

  std::unique_ptr<FileSystem::Lock> lock_;
  store::Store store_;
  std::unique_ptr<snapshot::Manager> snapshots_;  // snapshot worker only, once started
  std::unique_ptr<wal::Log> wal_;
  wal::ReplaceableLog* replaceable_log_ = nullptr;  // wal_ of a node with a source
  std::unique_ptr<ReplicaAcks> acks_;               // where writes wait for slaves
  SpinPlaces spin_places_;
  std::unique_ptr<wal::Writer> writer_;
  std::unique_ptr<Worker> snapshot_worker_;
  std::unique_ptr<Worker> query_worker_;
  std::unique_ptr<Worker> deferred_free_worker_;  // frees memory that takes long to free
  store::StoreLock::Reader& stats_reader_ KARMA_GUARDED_BY(stats_mutex_);
  store::StoreLock::Reader& snapshot_reader_;
  store::StoreLock::Reader& query_reader_;

  FollowStatus follow_status_;
  SnapshotWatch snapshot_watch_;
  SnapshotLeases leases_;
  Mutex snapshots_held_;  // by who writes snapshots and trims the log, or by who wants neither
  std::atomic<std::uint64_t> saved_lsn_{UINT64_MAX};  // of the last whole set, by this process
  ResourceWatch resource_watch_;
  std::unique_ptr<Ticker> ticker_;

  ops::Checkpoints checkpoints_;
  ops::Reconciliation reconciliation_;
  wal::WriterTimings log_timings_;
  DurationHistogram sync_durations_;
  Tally timed_keyed_;        // writes with a key that were timed
  Tally keyed_nanoseconds_;  // from decoding to applying, of those
  Tally last_keyed_nanoseconds_;

  // used by the thread that has the writer's place
  commands::Pending pending_;
  // prefetch_keys(): how many writes after the one that is admitted have been fetched, and the last of them.
  std::size_t keys_ahead_ = 0;
  const wal::Write* ahead_ = nullptr;
  const wal::Write* next_admitted_ = nullptr;
  KnownOutcomes outcomes_;           // of entries above the exactly-once state's file
  std::vector<Mutation*> in_order_;  // of the batch, and what was answered meanwhile without being logged
  SourceMarks in_batch_;             // whose they are
  // Of reads that ride. Who may change the store need not lock it.
  store::StoreLock nobody_else_;
  store::StoreLock::Reader& own_reader_;
  Arena read_arena_;
  Buffer read_answer_;
  StagedAnswers staged_;

  Mutex stats_mutex_;
  std::vector<std::unique_ptr<RequestStats>> request_stats_ KARMA_GUARDED_BY(stats_mutex_);
  enum class Duty : std::uint8_t { master, superseded, slave };
  std::atomic<Duty> duty_;
  ops::SlowLog slow_log_;
  ListClients list_clients_;  // constant once there are connections
  ClientMemory client_memory_;
  std::atomic<int> open_connections_{0};
  std::atomic<std::uint64_t> snapshot_count_{0};
  std::atomic<int> connection_limit_{0};
  std::atomic<bool> open_to_network_{false};
  std::atomic<int> heavy_jobs_{0};
  std::atomic<bool> jobs_abandoned_{false};
  std::atomic<bool> writes_fail_{false};  // the last batch could not be logged
  std::atomic<std::chrono::steady_clock::time_point> writes_failed_at_{};
  std::uint64_t replay_refused_ = 0;  // constant after start
  mutable Mutex history_mutex_;
  History history_ KARMA_GUARDED_BY(history_mutex_);
  bool file_may_promote_ KARMA_GUARDED_BY(history_mutex_) = false;  // karma.history.json may be another one than that
  mutable Mutex peers_mutex_;
  std::string why_superseded_ KARMA_GUARDED_BY(peers_mutex_);
  PeerNotes peer_notes_ KARMA_GUARDED_BY(peers_mutex_);
  Mutex promotion_mutex_;
  Following* following_ KARMA_GUARDED_BY(promotion_mutex_) = nullptr;
  std::atomic<std::uint64_t> replicated_{0};  // of a master: karma.replication.lsn as it was when it became one
  enum class Withheld : std::uint8_t { nothing, no_data, stale };
  std::atomic<Withheld> withheld_{Withheld::nothing};
  std::atomic<bool> is_masters_{
      false};                 // since this start the master has said that a slave's data is a part of its own
  bool unread_data_ = false;  // started with --restore=false on a directory with data; constant after start
  Replicas replicas_;
  StateDigests digests_;
  std::atomic<std::uint64_t> applied_{0};
  CommitTimes commit_times_;
  LogWaiters log_waiters_;
  LogWaiters read_waiters_;  // apart, so that clients cannot take the places of slaves
};

}  // namespace karma::engine
