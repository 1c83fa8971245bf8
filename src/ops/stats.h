// The statistics of a node: one plain struct, filled by the engine, written as system.stats (JSON) and system.metrics
// (Prometheus text). Names and order are those of Karma 1.0; a row of the table in stats.cpp is one value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/buffer.h"

namespace karma::ops {

// Times are Unix seconds (0: never), latencies milliseconds.

// Of a slave.
struct ReplicationStats {
  std::uint64_t replication_replayed_lsn = 0;
  std::optional<std::uint64_t> replication_lag_entries = 0;  // absent: unknown
  std::uint64_t replication_entries_applied = 0;
  std::uint64_t replication_last_received_unix = 0;
  std::uint64_t replication_poll_attempt_count = 0;
  std::uint64_t replication_poll_success_count = 0;
  std::uint64_t replication_poll_error_count = 0;
  std::uint64_t replication_last_poll_attempt_unix = 0;
  std::uint64_t replication_last_poll_success_unix = 0;
  std::uint64_t replication_last_poll_error_unix = 0;
  std::string replication_last_poll_error;  // empty: none
  std::uint64_t replication_bootstrap_attempt_count = 0;
  std::uint64_t replication_bootstrap_success_count = 0;
  std::uint64_t replication_bootstrap_error_count = 0;
  std::uint64_t replication_last_bootstrap_attempt_unix = 0;
  std::uint64_t replication_last_bootstrap_success_unix = 0;
  std::uint64_t replication_last_bootstrap_error_unix = 0;
  std::string replication_last_bootstrap_error;  // empty: none

  // Is the slave's state its master's?
  std::string digest_check_result;                            // equal, different or not_compared; empty: no slave
  std::string digest_check_reason;                            // why it was not compared the last time
  std::optional<std::uint64_t> digest_check_lsn = 0;          // of the last comparison
  std::optional<std::uint64_t> digest_check_age_seconds = 0;  // since then
  std::uint64_t digest_check_equal_count = 0;
  std::uint64_t digest_check_different_count = 0;
  std::uint64_t digest_check_not_compared_count = 0;
  std::optional<std::uint64_t> replication_lag_ms = 0;  // by commit time; absent: unknown
  bool replication_diverged = false;                    // what is here is no beginning of the master's log
};

struct Stats : ReplicationStats {
  double uptime_seconds = 0;
  std::uint64_t trees = 0;
  std::uint64_t keys = 0;
  std::uint64_t dump_count = 0;
  std::string role;
  bool wal_enabled = true;
  std::uint64_t wal_bytes = 0;
  std::uint64_t wal_current_lsn = 0;

  std::uint64_t memory_bytes = 0;  // resident set
  std::uint64_t command_count = 0;
  std::uint64_t error_count = 0;
  std::uint64_t query_timeout_count = 0;
  std::uint64_t batch_read_count = 0;
  std::uint64_t batch_read_key_count = 0;
  std::uint64_t batch_write_count = 0;
  std::uint64_t batch_write_item_count = 0;
  std::uint64_t retention_count = 0;
  std::uint64_t compact_count = 0;

  std::uint64_t reconciliation_run_count = 0;
  std::uint64_t reconciliation_checked_points = 0;
  std::uint64_t reconciliation_mismatch_count = 0;
  std::uint64_t reconciliation_absolute_drift = 0;
  std::uint64_t reconciliation_last_run_unix = 0;
  std::uint64_t reconciliation_last_checked_points = 0;
  std::uint64_t reconciliation_last_mismatch_count = 0;
  std::uint64_t reconciliation_last_absolute_drift = 0;
  std::uint64_t reconciliation_last_max_abs_delta = 0;
  std::uint64_t recovery_checkpoint_count = 0;
  std::uint64_t recovery_last_checkpoint_unix = 0;

  double latency_ms_avg = 0;
  double latency_ms_last = 0;

  std::uint64_t ingest_active_streams = 0;
  std::uint64_t ingest_chunks_applied = 0;
  std::uint64_t ingest_chunks_skipped = 0;
  std::uint64_t ingest_chunks_rejected = 0;
  std::uint64_t ingest_items_applied = 0;
  double ingest_latency_ms_last = 0;
  double ingest_latency_ms_avg = 0;

  std::uint64_t idempotency_record_count = 0;
  std::uint64_t idempotency_hits = 0;
  std::uint64_t idempotency_conflicts = 0;
  std::uint64_t idempotency_pruned = 0;
  std::uint64_t idempotency_write_count = 0;
  double idempotency_write_latency_ms_last = 0;
  double idempotency_write_latency_ms_avg = 0;
  std::uint64_t idempotency_committed_stream_count = 0;

  // Beyond 1.0.
  std::uint64_t connections = 0;
  std::uint64_t wal_write_count = 0;
  std::uint64_t wal_sync_count = 0;
  std::uint64_t wal_failure_count = 0;       // batches refused because they could not be written
  std::uint64_t replay_refused_entries = 0;  // entries of the log that had no effect, see docs/upgrading-from-1.0.md
  std::uint64_t wal_held_bytes = 0;          // of wal_bytes: in snapshots too, and kept for slaves
  bool writes_stopped = false;               // a sync failed
  std::uint64_t snapshot_failure_count = 0;
  std::uint64_t snapshot_last_unix = 0;    // of everything, as the next two; 0: never
  std::uint64_t snapshot_age_seconds = 0;  // without one since the start of the node
  double snapshot_duration_seconds = 0;    // 0: none in the life of this process
  std::optional<std::uint64_t> snapshot_next_unix =
      0;  // by --snapshot-interval, if something is written; absent: never
  bool snapshot_under_way = false;
  bool open_to_network = false;                   // listens beyond loopback without a token
  std::uint64_t max_connections = 0;              // what the limit on descriptors leaves of --max-connections
  std::uint64_t client_memory_limit_bytes = 0;    // the budget, see --client-memory-mib
  std::uint64_t client_memory_bytes = 0;          // of it in use: the sum of the next three
  std::uint64_t client_memory_request_bytes = 0;  // requests under way
  std::uint64_t client_memory_buffer_bytes = 0;   // received and not handled, or replied and not taken
  std::uint64_t client_memory_staged_bytes = 0;   // points of ingest streams, as estimated
  std::uint64_t client_memory_paused_connections = 0;
  std::uint64_t replicas = 0;                               // slaves that asked lately
  std::optional<std::uint64_t> replicas_confirmed_lsn = 0;  // by --min-replicas-ack of them; absent: none are wanted
  std::uint64_t replicas_ack_waiting = 0;                   // writes that wait for them
  std::uint64_t replicas_ack_timeouts = 0;                  // that waited in vain
  bool replicas_ack_degraded = false;                       // none waits until they have caught up
  std::uint64_t log_lost_lines = 0;                         // of the event log, because nobody read it fast enough
  std::string version;                                      // of the program
};

// The response of system.stats, a JSON object.
void write_stats(const Stats& stats, Buffer& out);

// The same for replication.status: the fields from the lag on that 1.0 has, and the others, each led by a comma.
void append_replication(const Stats& stats, Buffer& out);
void append_more_replication(const Stats& stats, Buffer& out);

// The text of system.metrics, with the names of Karma 1.0.
std::string metrics_text(const Stats& stats);

// The same for Prometheus: with help, in seconds, and without what the histograms tell better.
class Exposition;
void scrape_stats(const Stats& stats, Exposition& out);

}  // namespace karma::ops
