#include "ops/stats.h"

#include <cstdio>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "core/json_text.h"
#include "ops/exposition.h"

namespace karma::ops {
namespace {

using Json = nlohmann::ordered_json;
using Member = std::variant<double Stats::*, std::uint64_t Stats::*, std::optional<std::uint64_t> Stats::*,
                            bool Stats::*, std::string Stats::*>;

enum class Metric { none, gauge, counter };

struct Row {
  std::string_view field;  // in system.stats
  Member member;
  Metric kind = Metric::none;
  std::string_view metric = {};  // in system.metrics
  std::string_view help = {};    // for Prometheus; empty: a histogram tells it better
};

constexpr Metric kGauge = Metric::gauge;
constexpr Metric kCounter = Metric::counter;

// Of metrics with the names of 1.0.
constexpr std::string_view kUnixTime = "_unix";
constexpr std::string_view kMilliseconds = "_ms";

constexpr std::string_view kLagMs = "replication_lag_ms";

const Row kRows[] = {
    {"uptime_seconds", &Stats::uptime_seconds, kGauge, "karma_uptime_seconds", "Since the node was started."},
    {"trees", &Stats::trees, kGauge, "karma_trees", "Series."},
    {"keys", &Stats::keys, kGauge, "karma_keys", "Counters of all series."},
    {"dump_count", &Stats::dump_count, kGauge, "karma_dumps", "Snapshot files that are kept."},
    {"role", &Stats::role, kGauge, "karma_role", "1; the label says master or slave."},
    {"wal_enabled", &Stats::wal_enabled},
    {"wal_bytes", &Stats::wal_bytes, kGauge, "karma_wal_bytes", "Of all files of the log."},
    {"wal_current_lsn", &Stats::wal_current_lsn, kGauge, "karma_wal_current_lsn",
     "Number of the last entry of the log."},
    {"replication_replayed_lsn", &Stats::replication_replayed_lsn, kGauge, "karma_replication_replayed_lsn",
     "Up to which entry a slave has applied everything."},
    {"replication_lag_entries", &Stats::replication_lag_entries, kGauge, "karma_replication_lag_entries",
     "Entries that the master has and this slave has not. Absent: not known."},
    {"replication_entries_applied", &Stats::replication_entries_applied, kCounter,
     "karma_replication_entries_applied_total", "Entries that came from the master."},
    {"replication_last_received_unix", &Stats::replication_last_received_unix, kGauge,
     "karma_replication_last_received_unix", "When the last entry came from the master; 0: never."},
    {"replication_poll_attempt_count", &Stats::replication_poll_attempt_count, kCounter,
     "karma_replication_poll_attempts_total", "Questions to the master."},
    {"replication_poll_success_count", &Stats::replication_poll_success_count, kCounter,
     "karma_replication_poll_success_total", "Questions to the master that were answered."},
    {"replication_poll_error_count", &Stats::replication_poll_error_count, kCounter,
     "karma_replication_poll_errors_total", "Questions to the master that failed."},
    {"replication_last_poll_attempt_unix", &Stats::replication_last_poll_attempt_unix, kGauge,
     "karma_replication_last_poll_attempt_unix", "When the master was asked the last time; 0: never."},
    {"replication_last_poll_success_unix", &Stats::replication_last_poll_success_unix, kGauge,
     "karma_replication_last_poll_success_unix", "When the master answered the last time; 0: never."},
    {"replication_last_poll_error_unix", &Stats::replication_last_poll_error_unix, kGauge,
     "karma_replication_last_poll_error_unix", "When a question to the master failed the last time; 0: never."},
    {"replication_last_poll_error", &Stats::replication_last_poll_error},
    {"replication_bootstrap_attempt_count", &Stats::replication_bootstrap_attempt_count, kCounter,
     "karma_replication_bootstrap_attempts_total", "Copies of the master's data that were begun."},
    {"replication_bootstrap_success_count", &Stats::replication_bootstrap_success_count, kCounter,
     "karma_replication_bootstrap_success_total", "Copies of the master's data that were completed."},
    {"replication_bootstrap_error_count", &Stats::replication_bootstrap_error_count, kCounter,
     "karma_replication_bootstrap_errors_total", "Copies of the master's data that failed."},
    {"replication_last_bootstrap_attempt_unix", &Stats::replication_last_bootstrap_attempt_unix, kGauge,
     "karma_replication_last_bootstrap_attempt_unix",
     "When a copy of the master's data was begun the last time; 0: never."},
    {"replication_last_bootstrap_success_unix", &Stats::replication_last_bootstrap_success_unix, kGauge,
     "karma_replication_last_bootstrap_success_unix",
     "When a copy of the master's data was completed the last time; 0: never."},
    {"replication_last_bootstrap_error_unix", &Stats::replication_last_bootstrap_error_unix, kGauge,
     "karma_replication_last_bootstrap_error_unix", "When a copy of the master's data failed the last time; 0: never."},
    {"replication_last_bootstrap_error", &Stats::replication_last_bootstrap_error},
    {"memory_bytes", &Stats::memory_bytes, kGauge, "karma_memory_bytes", "Resident memory."},
    {"command_count", &Stats::command_count, kCounter, "karma_commands_total",
     "Requests, entries of a replayed log and of the master included."},
    {"error_count", &Stats::error_count, kCounter, "karma_errors_total", "Requests that were answered with an error."},
    {"query_timeout_count", &Stats::query_timeout_count, kCounter, "karma_query_timeouts_total",
     "Reads that took longer than --query-timeout-ms."},
    {"batch_read_count", &Stats::batch_read_count, kCounter, "karma_batch_reads_total", "Reads of many keys."},
    {"batch_read_key_count", &Stats::batch_read_key_count, kCounter, "karma_batch_read_keys_total",
     "Keys of reads of many keys."},
    {"batch_write_count", &Stats::batch_write_count, kCounter, "karma_batch_writes_total", "Writes of many points."},
    {"batch_write_item_count", &Stats::batch_write_item_count, kCounter, "karma_batch_write_items_total",
     "Points of writes of many points."},
    {"retention_count", &Stats::retention_count, kCounter, "karma_retention_operations_total",
     "Operations that deleted old days."},
    {"compact_count", &Stats::compact_count, kCounter, "karma_compactions_total", "Compactions that were asked for."},
    {"reconciliation_run_count", &Stats::reconciliation_run_count, kCounter, "karma_reconciliation_runs_total",
     "Comparisons with another source that were reported."},
    {"reconciliation_checked_points", &Stats::reconciliation_checked_points, kCounter,
     "karma_reconciliation_checked_points_total", "Points that were compared with another source."},
    {"reconciliation_mismatch_count", &Stats::reconciliation_mismatch_count, kCounter,
     "karma_reconciliation_mismatches_total", "Points that differed from another source."},
    {"reconciliation_absolute_drift", &Stats::reconciliation_absolute_drift, kCounter,
     "karma_reconciliation_absolute_drift_total", "By how much points differed from another source, all together."},
    {"reconciliation_last_run_unix", &Stats::reconciliation_last_run_unix, kGauge, "karma_reconciliation_last_run_unix",
     "When the last comparison with another source was reported; 0: never."},
    {"reconciliation_last_checked_points", &Stats::reconciliation_last_checked_points, kGauge,
     "karma_reconciliation_last_checked_points", "Points that the last comparison with another source looked at."},
    {"reconciliation_last_mismatch_count", &Stats::reconciliation_last_mismatch_count, kGauge,
     "karma_reconciliation_last_mismatches", "Points that differed in the last comparison with another source."},
    {"reconciliation_last_absolute_drift", &Stats::reconciliation_last_absolute_drift, kGauge,
     "karma_reconciliation_last_absolute_drift", "By how much points differed in the last comparison, all together."},
    {"reconciliation_last_max_abs_delta", &Stats::reconciliation_last_max_abs_delta, kGauge,
     "karma_reconciliation_last_max_abs_delta", "By how much a point differed in the last comparison, at most."},
    {"recovery_checkpoint_count", &Stats::recovery_checkpoint_count, kGauge, "karma_recovery_checkpoints",
     "Sources whose checkpoint is remembered."},
    {"recovery_last_checkpoint_unix", &Stats::recovery_last_checkpoint_unix, kGauge,
     "karma_recovery_last_checkpoint_unix", "When a checkpoint was set the last time; 0: never."},
    {"latency_ms_avg", &Stats::latency_ms_avg, kGauge, "karma_command_latency_ms_average", ""},
    {"latency_ms_last", &Stats::latency_ms_last, kGauge, "karma_command_latency_ms", ""},
    {"ingest_active_streams", &Stats::ingest_active_streams, kGauge, "karma_ingest_active_streams",
     "Ingest streams that are open."},
    {"ingest_chunks_applied", &Stats::ingest_chunks_applied, kCounter, "karma_ingest_chunks_applied_total",
     "Chunks of ingest streams that were counted."},
    {"ingest_chunks_skipped", &Stats::ingest_chunks_skipped, kCounter, "karma_ingest_chunks_skipped_total",
     "Chunks of ingest streams that had been counted before."},
    {"ingest_chunks_rejected", &Stats::ingest_chunks_rejected, kCounter, "karma_ingest_chunks_rejected_total",
     "Chunks of ingest streams that were refused."},
    {"ingest_items_applied", &Stats::ingest_items_applied, kCounter, "karma_ingest_items_applied_total",
     "Points of the chunks that were counted."},
    {"ingest_latency_ms_last", &Stats::ingest_latency_ms_last, kGauge, "karma_ingest_chunk_latency_ms", ""},
    {"ingest_latency_ms_avg", &Stats::ingest_latency_ms_avg, kGauge, "karma_ingest_chunk_latency_ms_average", ""},
    {"idempotency_record_count", &Stats::idempotency_record_count, kGauge, "karma_idempotency_records",
     "Idempotency keys that are remembered."},
    {"idempotency_hits", &Stats::idempotency_hits, kCounter, "karma_idempotency_hits_total",
     "Writes that were repeated and not counted again."},
    {"idempotency_conflicts", &Stats::idempotency_conflicts, kCounter, "karma_idempotency_conflicts_total",
     "Writes whose idempotency key had been used for another one."},
    {"idempotency_pruned", &Stats::idempotency_pruned, kCounter, "karma_idempotency_pruned_total",
     "Idempotency keys that were forgotten."},
    {"idempotency_write_count", &Stats::idempotency_write_count, kCounter, "karma_idempotency_writes_total",
     "Writes with an idempotency key."},
    {"idempotency_write_latency_ms_last", &Stats::idempotency_write_latency_ms_last, kGauge,
     "karma_idempotency_write_latency_ms", ""},
    {"idempotency_write_latency_ms_avg", &Stats::idempotency_write_latency_ms_avg, kGauge,
     "karma_idempotency_write_latency_ms_average", ""},
    {"idempotency_committed_stream_count", &Stats::idempotency_committed_stream_count, kGauge,
     "karma_idempotency_committed_streams", "Ingest streams that are complete and remembered."},
    {"connections", &Stats::connections, kGauge, "karma_connections", "Clients that are connected."},
    {"wal_write_count", &Stats::wal_write_count, kCounter, "karma_wal_writes_total",
     "Batches that were written to the log."},
    {"wal_sync_count", &Stats::wal_sync_count, kCounter, "karma_wal_syncs_total", "Syncs of the log."},
    {"wal_failure_count", &Stats::wal_failure_count, kCounter, "karma_wal_failures_total",
     "Batches that were refused because they could not be written."},
    {"replay_refused_entries", &Stats::replay_refused_entries, kGauge, "karma_replay_refused_entries",
     "Entries of the log of 1.0 that had no effect."},
    {"writes_stopped", &Stats::writes_stopped, kGauge, "karma_writes_stopped",
     "1: a sync of the log failed, and no write is taken until a restart."},
    {"snapshot_failure_count", &Stats::snapshot_failure_count, kCounter, "karma_snapshot_failures_total",
     "Snapshots that could not be written."},
    {"snapshot_last_unix", &Stats::snapshot_last_unix, kGauge, "karma_snapshot_last_unix",
     "When the last snapshot of everything was taken; 0: never."},
    {"snapshot_age_seconds", &Stats::snapshot_age_seconds, kGauge, "karma_snapshot_age_seconds",
     "Since the last snapshot of everything, or since the start without one."},
    {"snapshot_duration_seconds", &Stats::snapshot_duration_seconds, kGauge, "karma_snapshot_duration_seconds",
     "How long the last snapshot of everything took; 0: this process took none."},
    {"open_to_network", &Stats::open_to_network, kGauge, "karma_open_to_network",
     "1: everybody who reaches the node can do everything."},
    {"max_connections", &Stats::max_connections, kGauge, "karma_max_connections",
     "What the limit on descriptors leaves of --max-connections."},
    {"client_memory_limit_bytes", &Stats::client_memory_limit_bytes, kGauge, "karma_client_memory_limit_bytes",
     "What clients may cause to be held."},
    {"client_memory_bytes", &Stats::client_memory_bytes, kGauge, "karma_client_memory_bytes",
     "What clients cause to be held: requests, buffers and staged points."},
    {"client_memory_request_bytes", &Stats::client_memory_request_bytes, kGauge, "karma_client_memory_request_bytes",
     "Held for requests under way."},
    {"client_memory_buffer_bytes", &Stats::client_memory_buffer_bytes, kGauge, "karma_client_memory_buffer_bytes",
     "Held for bytes that are not handled yet, and replies that are not taken yet."},
    {"client_memory_staged_bytes", &Stats::client_memory_staged_bytes, kGauge, "karma_client_memory_staged_bytes",
     "Held for points of ingest streams, as estimated."},
    {"client_memory_paused_connections", &Stats::client_memory_paused_connections, kGauge,
     "karma_client_memory_paused_connections", "Connections that are not read because there is no room."},
    {"replicas", &Stats::replicas, kGauge, "karma_replicas", "Slaves that asked lately."},
    {"replicas_confirmed_lsn", &Stats::replicas_confirmed_lsn, kGauge, "karma_replicas_confirmed_lsn",
     "Up to which entry --min-replicas-ack slaves have everything. Absent: none are wanted."},
    {"replicas_ack_waiting", &Stats::replicas_ack_waiting, kGauge, "karma_replicas_ack_waiting",
     "Writes that wait for slaves."},
    {"replicas_ack_timeouts", &Stats::replicas_ack_timeouts, kCounter, "karma_replicas_ack_timeouts_total",
     "Writes that waited for slaves in vain."},
    {"replicas_ack_degraded", &Stats::replicas_ack_degraded, kGauge, "karma_replicas_ack_degraded",
     "1: no write waits for slaves until they have caught up."},
    {"log_lost_lines", &Stats::log_lost_lines, kCounter, "karma_log_lost_lines_total",
     "Lines of the event log that nobody read fast enough."},
    {"wal_held_bytes", &Stats::wal_held_bytes, kGauge, "karma_wal_held_bytes",
     "Of the log, what is in snapshots too and kept for slaves."},
    {"digest_check_result", &Stats::digest_check_result},
    {"digest_check_reason", &Stats::digest_check_reason},
    {"digest_check_lsn", &Stats::digest_check_lsn, kGauge, "karma_digest_check_lsn",
     "At which entry this slave compared its data with its master's the last time. Absent: never."},
    {"digest_check_age_seconds", &Stats::digest_check_age_seconds, kGauge, "karma_digest_check_age_seconds",
     "Since this slave compared its data with its master's the last time. Absent: never."},
    {"digest_check_equal_count", &Stats::digest_check_equal_count, kCounter, "karma_digest_check_equal_total",
     "Comparisons with the master that found the same data."},
    {"digest_check_different_count", &Stats::digest_check_different_count, kCounter,
     "karma_digest_check_different_total", "Comparisons with the master that found other data."},
    {"digest_check_not_compared_count", &Stats::digest_check_not_compared_count, kCounter,
     "karma_digest_check_not_compared_total", "Comparisons with the master that could not be made."},
    {"diverged", &Stats::replication_diverged, kGauge, "karma_replication_diverged",
     "1: the data of this slave is not its master's any more."},
    {kLagMs, &Stats::replication_lag_ms, kGauge, "karma_replication_lag_ms",
     "For how long the master has had the first entry that this slave has not. Absent: not known."},
    {"snapshot_next_unix", &Stats::snapshot_next_unix, kGauge, "karma_snapshot_next_unix",
     "When a snapshot is due by --snapshot-interval, if something is written until then. Absent: never."},
    {"snapshot_under_way", &Stats::snapshot_under_way, kGauge, "karma_snapshot_under_way",
     "1: a snapshot is being written."},
    {"version", &Stats::version},
};

// Always with a decimal point, so that readers see a float.
std::string float_text(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.9g", number);
  std::string result = text;
  if (result.find_first_of(".en") == std::string::npos) result += ".0";
  return result;
}

struct JsonValue {
  const Stats& stats;
  Json operator()(double Stats::*member) const { return stats.*member; }
  Json operator()(std::uint64_t Stats::*member) const { return stats.*member; }
  Json operator()(std::optional<std::uint64_t> Stats::*member) const {
    return stats.*member ? Json(*(stats.*member)) : Json();
  }
  Json operator()(bool Stats::*member) const { return stats.*member; }
  Json operator()(std::string Stats::*member) const { return (stats.*member).empty() ? Json() : Json(stats.*member); }
};

struct MetricValue {
  const Stats& stats;
  std::string operator()(double Stats::*member) const { return " " + float_text(stats.*member); }
  std::string operator()(std::uint64_t Stats::*member) const { return " " + std::to_string(stats.*member); }
  // Unknown values are left out.
  std::string operator()(std::optional<std::uint64_t> Stats::*member) const {
    return stats.*member ? " " + std::to_string(*(stats.*member)) : std::string();
  }
  std::string operator()(bool Stats::*member) const { return stats.*member ? " 1" : " 0"; }
  // The only text among the metrics is the role, a label.
  std::string operator()(std::string Stats::*member) const { return "{role=\"" + stats.*member + "\"} 1"; }
};

}  // namespace

void write_stats(const Stats& stats, Buffer& out) {
  Json fields = Json::object();
  for (const Row& row : kRows) fields[row.field] = std::visit(JsonValue{stats}, row.member);
  json::append_value(out, fields);
}

namespace {

void append_fields(const Stats& stats, std::string_view first_part, Buffer& out) {
  for (const Row& row : kRows) {
    if (!row.field.starts_with(first_part) || row.field == "replication_replayed_lsn") continue;
    if (row.field == kLagMs && first_part != kLagMs) continue;  // 1.0 does not have it
    json::append_name(out, row.field);
    json::append_value(out, std::visit(JsonValue{stats}, row.member));
  }
}

}  // namespace

void append_replication(const Stats& stats, Buffer& out) { append_fields(stats, "replication_", out); }

void append_more_replication(const Stats& stats, Buffer& out) {
  append_fields(stats, kLagMs, out);
  append_fields(stats, "diverged", out);
  append_fields(stats, "digest_check_", out);
}

namespace {

// Names as Prometheus expects them: times in seconds.
std::string scraped_name(std::string_view metric) {
  if (metric.ends_with(kUnixTime))
    return std::string(metric.substr(0, metric.size() - kUnixTime.size())) + "_timestamp_seconds";
  if (metric.ends_with(kMilliseconds))
    return std::string(metric.substr(0, metric.size() - kMilliseconds.size())) + "_seconds";
  return std::string(metric);
}

// Adds the family of one row; unknown values are left out.
struct ScrapedFamily {
  const Stats& stats;
  const Row& row;
  Exposition& out;

  void operator()(double Stats::*member) const { begin(), out.add(stats.*member); }
  void operator()(std::uint64_t Stats::*member) const { begin(), out.add(stats.*member); }
  void operator()(std::optional<std::uint64_t> Stats::*member) const {
    const std::optional<std::uint64_t>& number = stats.*member;
    if (!number) return;
    begin();
    if (!row.metric.ends_with(kMilliseconds)) return out.add(*number);
    out.add(static_cast<double>(*number) / 1000);
  }
  void operator()(bool Stats::*member) const { begin(), out.add(std::uint64_t{stats.*member}); }
  void operator()(std::string Stats::*member) const { begin(), out.add(std::uint64_t{1}, {{"role", stats.*member}}); }

  void begin() const {
    const Exposition::Type type = row.kind == Metric::counter ? Exposition::Type::counter : Exposition::Type::gauge;
    out.family(scraped_name(row.metric), type, row.help);
  }
};

}  // namespace

void scrape_stats(const Stats& stats, Exposition& out) {
  for (const Row& row : kRows) {
    if (!row.help.empty()) std::visit(ScrapedFamily{stats, row, out}, row.member);
  }
}

std::string metrics_text(const Stats& stats) {
  std::string text;
  for (const Row& row : kRows) {
    if (row.kind == Metric::none) continue;
    const std::string value = std::visit(MetricValue{stats}, row.member);
    if (value.empty()) continue;
    text += "# TYPE ";
    text += row.metric;
    text += row.kind == Metric::gauge ? " gauge\n" : " counter\n";
    text += row.metric;
    text += value;
    text += '\n';
  }
  return text;
}

}  // namespace karma::ops
