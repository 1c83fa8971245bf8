#include "engine/follow_status.h"

#include <utility>

namespace karma::engine {
namespace {

std::uint64_t unix_time(std::int64_t now) { return now < 0 ? 0 : static_cast<std::uint64_t>(now); }

}  // namespace

void FollowStatus::poll_begins(std::int64_t now) {
  const MutexLock lock(mutex_);
  ++stats_.replication_poll_attempt_count;
  stats_.replication_last_poll_attempt_unix = unix_time(now);
}

void FollowStatus::poll_succeeded(std::int64_t now, Lsn source, Lsn own, std::uint64_t entries) {
  const MutexLock lock(mutex_);
  ++stats_.replication_poll_success_count;
  stats_.replication_last_poll_success_unix = unix_time(now);
  stats_.replication_last_poll_error.clear();
  stats_.replication_entries_applied += entries;
  if (entries != 0) stats_.replication_last_received_unix = unix_time(now);
  source_ = source;
  own_ = own;
}

void FollowStatus::poll_failed(std::int64_t now, std::string message) {
  const MutexLock lock(mutex_);
  ++stats_.replication_poll_error_count;
  stats_.replication_last_poll_error_unix = unix_time(now);
  stats_.replication_last_poll_error = std::move(message);
  source_.reset();
}

void FollowStatus::bootstrap_begins(std::int64_t now) {
  const MutexLock lock(mutex_);
  ++stats_.replication_bootstrap_attempt_count;
  stats_.replication_last_bootstrap_attempt_unix = unix_time(now);
  source_.reset();
}

void FollowStatus::bootstrap_succeeded(std::int64_t now, Lsn own) {
  const MutexLock lock(mutex_);
  own_ = own;
  ++stats_.replication_bootstrap_success_count;
  stats_.replication_last_bootstrap_success_unix = unix_time(now);
  stats_.replication_last_bootstrap_error.clear();
  progress_.clear();
}

void FollowStatus::bootstrap_failed(std::int64_t now, std::string message) {
  const MutexLock lock(mutex_);
  ++stats_.replication_bootstrap_error_count;
  stats_.replication_last_bootstrap_error_unix = unix_time(now);
  stats_.replication_last_bootstrap_error = std::move(message);
  progress_.clear();
}

void FollowStatus::set_progress(std::string progress) {
  const MutexLock lock(mutex_);
  progress_ = std::move(progress);
}

void FollowStatus::add_to(ops::ReplicationStats& stats, Lsn own) const {
  const MutexLock lock(mutex_);
  stats = stats_;
  own = own_.value_or(own);
  stats.replication_replayed_lsn = own.value;
  stats.replication_lag_entries.reset();
  if (source_) stats.replication_lag_entries = source_->value > own.value ? source_->value - own.value : 0;
}

std::string FollowStatus::problem() const {
  const MutexLock lock(mutex_);
  if (!progress_.empty()) return "copying the master's data: " + progress_;
  if (!stats_.replication_last_bootstrap_error.empty())
    return "the master's data could not be copied: " + stats_.replication_last_bootstrap_error;
  if (!stats_.replication_last_poll_error.empty())
    return "cannot follow the master: " + stats_.replication_last_poll_error;
  if (!source_) return "the master has not answered yet";
  return {};
}

}  // namespace karma::engine
