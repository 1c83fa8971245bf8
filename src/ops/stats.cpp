#include "ops/stats.h"

#include <cstdio>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "core/json_text.h"

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
};

constexpr Metric kGauge = Metric::gauge;
constexpr Metric kCounter = Metric::counter;

constexpr std::string_view kLagMs = "replication_lag_ms";

const Row kRows[] = {
    {"uptime_seconds", &Stats::uptime_seconds, kGauge, "karma_uptime_seconds"},
    {"trees", &Stats::trees, kGauge, "karma_trees"},
    {"keys", &Stats::keys, kGauge, "karma_keys"},
    {"dump_count", &Stats::dump_count, kGauge, "karma_dumps"},
    {"role", &Stats::role, kGauge, "karma_role"},
    {"wal_enabled", &Stats::wal_enabled},
    {"wal_bytes", &Stats::wal_bytes, kGauge, "karma_wal_bytes"},
    {"wal_current_lsn", &Stats::wal_current_lsn, kGauge, "karma_wal_current_lsn"},
    {"replication_replayed_lsn", &Stats::replication_replayed_lsn, kGauge, "karma_replication_replayed_lsn"},
    {"replication_lag_entries", &Stats::replication_lag_entries, kGauge, "karma_replication_lag_entries"},
    {"replication_entries_applied", &Stats::replication_entries_applied, kCounter,
     "karma_replication_entries_applied_total"},
    {"replication_last_received_unix", &Stats::replication_last_received_unix, kGauge,
     "karma_replication_last_received_unix"},
    {"replication_poll_attempt_count", &Stats::replication_poll_attempt_count, kCounter,
     "karma_replication_poll_attempts_total"},
    {"replication_poll_success_count", &Stats::replication_poll_success_count, kCounter,
     "karma_replication_poll_success_total"},
    {"replication_poll_error_count", &Stats::replication_poll_error_count, kCounter,
     "karma_replication_poll_errors_total"},
    {"replication_last_poll_attempt_unix", &Stats::replication_last_poll_attempt_unix, kGauge,
     "karma_replication_last_poll_attempt_unix"},
    {"replication_last_poll_success_unix", &Stats::replication_last_poll_success_unix, kGauge,
     "karma_replication_last_poll_success_unix"},
    {"replication_last_poll_error_unix", &Stats::replication_last_poll_error_unix, kGauge,
     "karma_replication_last_poll_error_unix"},
    {"replication_last_poll_error", &Stats::replication_last_poll_error},
    {"replication_bootstrap_attempt_count", &Stats::replication_bootstrap_attempt_count, kCounter,
     "karma_replication_bootstrap_attempts_total"},
    {"replication_bootstrap_success_count", &Stats::replication_bootstrap_success_count, kCounter,
     "karma_replication_bootstrap_success_total"},
    {"replication_bootstrap_error_count", &Stats::replication_bootstrap_error_count, kCounter,
     "karma_replication_bootstrap_errors_total"},
    {"replication_last_bootstrap_attempt_unix", &Stats::replication_last_bootstrap_attempt_unix, kGauge,
     "karma_replication_last_bootstrap_attempt_unix"},
    {"replication_last_bootstrap_success_unix", &Stats::replication_last_bootstrap_success_unix, kGauge,
     "karma_replication_last_bootstrap_success_unix"},
    {"replication_last_bootstrap_error_unix", &Stats::replication_last_bootstrap_error_unix, kGauge,
     "karma_replication_last_bootstrap_error_unix"},
    {"replication_last_bootstrap_error", &Stats::replication_last_bootstrap_error},
    {"memory_bytes", &Stats::memory_bytes, kGauge, "karma_memory_bytes"},
    {"command_count", &Stats::command_count, kCounter, "karma_commands_total"},
    {"error_count", &Stats::error_count, kCounter, "karma_errors_total"},
    {"query_timeout_count", &Stats::query_timeout_count, kCounter, "karma_query_timeouts_total"},
    {"batch_read_count", &Stats::batch_read_count, kCounter, "karma_batch_reads_total"},
    {"batch_read_key_count", &Stats::batch_read_key_count, kCounter, "karma_batch_read_keys_total"},
    {"batch_write_count", &Stats::batch_write_count, kCounter, "karma_batch_writes_total"},
    {"batch_write_item_count", &Stats::batch_write_item_count, kCounter, "karma_batch_write_items_total"},
    {"retention_count", &Stats::retention_count, kCounter, "karma_retention_operations_total"},
    {"compact_count", &Stats::compact_count, kCounter, "karma_compactions_total"},
    {"reconciliation_run_count", &Stats::reconciliation_run_count, kCounter, "karma_reconciliation_runs_total"},
    {"reconciliation_checked_points", &Stats::reconciliation_checked_points, kCounter,
     "karma_reconciliation_checked_points_total"},
    {"reconciliation_mismatch_count", &Stats::reconciliation_mismatch_count, kCounter,
     "karma_reconciliation_mismatches_total"},
    {"reconciliation_absolute_drift", &Stats::reconciliation_absolute_drift, kCounter,
     "karma_reconciliation_absolute_drift_total"},
    {"reconciliation_last_run_unix", &Stats::reconciliation_last_run_unix, kGauge,
     "karma_reconciliation_last_run_unix"},
    {"reconciliation_last_checked_points", &Stats::reconciliation_last_checked_points, kGauge,
     "karma_reconciliation_last_checked_points"},
    {"reconciliation_last_mismatch_count", &Stats::reconciliation_last_mismatch_count, kGauge,
     "karma_reconciliation_last_mismatches"},
    {"reconciliation_last_absolute_drift", &Stats::reconciliation_last_absolute_drift, kGauge,
     "karma_reconciliation_last_absolute_drift"},
    {"reconciliation_last_max_abs_delta", &Stats::reconciliation_last_max_abs_delta, kGauge,
     "karma_reconciliation_last_max_abs_delta"},
    {"recovery_checkpoint_count", &Stats::recovery_checkpoint_count, kGauge, "karma_recovery_checkpoints"},
    {"recovery_last_checkpoint_unix", &Stats::recovery_last_checkpoint_unix, kGauge,
     "karma_recovery_last_checkpoint_unix"},
    {"latency_ms_avg", &Stats::latency_ms_avg, kGauge, "karma_command_latency_ms_average"},
    {"latency_ms_last", &Stats::latency_ms_last, kGauge, "karma_command_latency_ms"},
    {"ingest_active_streams", &Stats::ingest_active_streams, kGauge, "karma_ingest_active_streams"},
    {"ingest_chunks_applied", &Stats::ingest_chunks_applied, kCounter, "karma_ingest_chunks_applied_total"},
    {"ingest_chunks_skipped", &Stats::ingest_chunks_skipped, kCounter, "karma_ingest_chunks_skipped_total"},
    {"ingest_chunks_rejected", &Stats::ingest_chunks_rejected, kCounter, "karma_ingest_chunks_rejected_total"},
    {"ingest_items_applied", &Stats::ingest_items_applied, kCounter, "karma_ingest_items_applied_total"},
    {"ingest_latency_ms_last", &Stats::ingest_latency_ms_last, kGauge, "karma_ingest_chunk_latency_ms"},
    {"ingest_latency_ms_avg", &Stats::ingest_latency_ms_avg, kGauge, "karma_ingest_chunk_latency_ms_average"},
    {"idempotency_record_count", &Stats::idempotency_record_count, kGauge, "karma_idempotency_records"},
    {"idempotency_hits", &Stats::idempotency_hits, kCounter, "karma_idempotency_hits_total"},
    {"idempotency_conflicts", &Stats::idempotency_conflicts, kCounter, "karma_idempotency_conflicts_total"},
    {"idempotency_pruned", &Stats::idempotency_pruned, kCounter, "karma_idempotency_pruned_total"},
    {"idempotency_write_count", &Stats::idempotency_write_count, kCounter, "karma_idempotency_writes_total"},
    {"idempotency_write_latency_ms_last", &Stats::idempotency_write_latency_ms_last, kGauge,
     "karma_idempotency_write_latency_ms"},
    {"idempotency_write_latency_ms_avg", &Stats::idempotency_write_latency_ms_avg, kGauge,
     "karma_idempotency_write_latency_ms_average"},
    {"idempotency_committed_stream_count", &Stats::idempotency_committed_stream_count, kGauge,
     "karma_idempotency_committed_streams"},
    {"connections", &Stats::connections, kGauge, "karma_connections"},
    {"wal_write_count", &Stats::wal_write_count, kCounter, "karma_wal_writes_total"},
    {"wal_sync_count", &Stats::wal_sync_count, kCounter, "karma_wal_syncs_total"},
    {"wal_failure_count", &Stats::wal_failure_count, kCounter, "karma_wal_failures_total"},
    {"replay_refused_entries", &Stats::replay_refused_entries, kGauge, "karma_replay_refused_entries"},
    {"writes_stopped", &Stats::writes_stopped, kGauge, "karma_writes_stopped"},
    {"snapshot_failure_count", &Stats::snapshot_failure_count, kCounter, "karma_snapshot_failures_total"},
    {"snapshot_last_unix", &Stats::snapshot_last_unix, kGauge, "karma_snapshot_last_unix"},
    {"snapshot_age_seconds", &Stats::snapshot_age_seconds, kGauge, "karma_snapshot_age_seconds"},
    {"snapshot_duration_seconds", &Stats::snapshot_duration_seconds, kGauge, "karma_snapshot_duration_seconds"},
    {"open_to_network", &Stats::open_to_network, kGauge, "karma_open_to_network"},
    {"max_connections", &Stats::max_connections, kGauge, "karma_max_connections"},
    {"client_memory_limit_bytes", &Stats::client_memory_limit_bytes, kGauge, "karma_client_memory_limit_bytes"},
    {"client_memory_bytes", &Stats::client_memory_bytes, kGauge, "karma_client_memory_bytes"},
    {"client_memory_request_bytes", &Stats::client_memory_request_bytes, kGauge, "karma_client_memory_request_bytes"},
    {"client_memory_buffer_bytes", &Stats::client_memory_buffer_bytes, kGauge, "karma_client_memory_buffer_bytes"},
    {"client_memory_staged_bytes", &Stats::client_memory_staged_bytes, kGauge, "karma_client_memory_staged_bytes"},
    {"client_memory_paused_connections", &Stats::client_memory_paused_connections, kGauge,
     "karma_client_memory_paused_connections"},
    {"replicas", &Stats::replicas, kGauge, "karma_replicas"},
    {"replicas_confirmed_lsn", &Stats::replicas_confirmed_lsn, kGauge, "karma_replicas_confirmed_lsn"},
    {"replicas_ack_waiting", &Stats::replicas_ack_waiting, kGauge, "karma_replicas_ack_waiting"},
    {"replicas_ack_timeouts", &Stats::replicas_ack_timeouts, kCounter, "karma_replicas_ack_timeouts_total"},
    {"replicas_ack_degraded", &Stats::replicas_ack_degraded, kGauge, "karma_replicas_ack_degraded"},
    {"log_lost_lines", &Stats::log_lost_lines, kCounter, "karma_log_lost_lines_total"},
    {"wal_held_bytes", &Stats::wal_held_bytes, kGauge, "karma_wal_held_bytes"},
    {"digest_check_result", &Stats::digest_check_result},
    {"digest_check_reason", &Stats::digest_check_reason},
    {"digest_check_lsn", &Stats::digest_check_lsn, kGauge, "karma_digest_check_lsn"},
    {"digest_check_age_seconds", &Stats::digest_check_age_seconds, kGauge, "karma_digest_check_age_seconds"},
    {"digest_check_equal_count", &Stats::digest_check_equal_count, kCounter, "karma_digest_check_equal_total"},
    {"digest_check_different_count", &Stats::digest_check_different_count, kCounter,
     "karma_digest_check_different_total"},
    {"digest_check_not_compared_count", &Stats::digest_check_not_compared_count, kCounter,
     "karma_digest_check_not_compared_total"},
    {"diverged", &Stats::replication_diverged, kGauge, "karma_replication_diverged"},
    {kLagMs, &Stats::replication_lag_ms, kGauge, "karma_replication_lag_ms"},
    {"snapshot_next_unix", &Stats::snapshot_next_unix, kGauge, "karma_snapshot_next_unix"},
    {"snapshot_under_way", &Stats::snapshot_under_way, kGauge, "karma_snapshot_under_way"},
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
