#include "engine/follow_status.h"

#include <algorithm>
#include <utility>

namespace karma::engine {
namespace {

constexpr const char* kNotCompared = "not_compared";

std::uint64_t unix_time(std::int64_t now) { return now < 0 ? 0 : static_cast<std::uint64_t>(now); }

}  // namespace

void FollowStatus::poll_begins(std::int64_t now) {
  const MutexLock lock(mutex_);
  ++stats_.replication_poll_attempt_count;
  stats_.replication_last_poll_attempt_unix = unix_time(now);
}

void FollowStatus::poll_succeeded(std::int64_t now, Lsn own, const Answer& answer) {
  const MutexLock lock(mutex_);
  ++stats_.replication_poll_success_count;
  stats_.replication_last_poll_success_unix = unix_time(now);
  stats_.replication_last_poll_error.clear();
  stats_.replication_entries_applied += answer.entries;
  if (answer.entries != 0) stats_.replication_last_received_unix = unix_time(now);
  answer_ = answer;
  own_ = own;
}

void FollowStatus::poll_failed(std::int64_t now, Lsn own, std::string message) {
  const MutexLock lock(mutex_);
  if (own_ && own > *own_) stats_.replication_entries_applied += own.value - own_->value;
  own_ = own;
  ++stats_.replication_poll_error_count;
  stats_.replication_last_poll_error_unix = unix_time(now);
  stats_.replication_last_poll_error = std::move(message);
  answer_.reset();
}

void FollowStatus::bootstrap_begins(std::int64_t now) {
  const MutexLock lock(mutex_);
  ++stats_.replication_bootstrap_attempt_count;
  stats_.replication_last_bootstrap_attempt_unix = unix_time(now);
  answer_.reset();
}

void FollowStatus::bootstrap_succeeded(std::int64_t now, Lsn own) {
  const MutexLock lock(mutex_);
  own_ = own;
  ++stats_.replication_bootstrap_success_count;
  stats_.replication_last_bootstrap_success_unix = unix_time(now);
  stats_.replication_last_bootstrap_error.clear();
  stats_.replication_diverged = false;
  progress_.clear();
  diverged_.clear();
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

void FollowStatus::digests_compared(Lsn lsn, bool equal, Time now) {
  const MutexLock lock(mutex_);
  ++(equal ? stats_.digest_check_equal_count : stats_.digest_check_different_count);
  stats_.digest_check_result = equal ? "equal" : "different";
  stats_.digest_check_reason.clear();
  compared_ = {lsn, now};
}

void FollowStatus::digests_not_compared(std::string reason) {
  const MutexLock lock(mutex_);
  ++stats_.digest_check_not_compared_count;
  stats_.digest_check_result = kNotCompared;
  stats_.digest_check_reason = std::move(reason);
}

void FollowStatus::diverged(std::string how) {
  const MutexLock lock(mutex_);
  diverged_ = std::move(how);
  stats_.replication_diverged = true;
}

void FollowStatus::add_to(ops::ReplicationStats& stats, Lsn own, Time now) const {
  const MutexLock lock(mutex_);
  stats = stats_;
  if (stats.digest_check_result.empty()) stats.digest_check_result = kNotCompared;
  stats.digest_check_lsn.reset();
  stats.digest_check_age_seconds.reset();
  if (compared_) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - compared_->time);
    stats.digest_check_lsn = compared_->lsn.value;
    stats.digest_check_age_seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(age.count(), 0));
  }
  own = own_.value_or(own);
  stats.replication_replayed_lsn = own.value;
  stats.replication_lag_entries.reset();
  stats.replication_lag_ms.reset();
  if (!answer_) return;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - answer_->came);
  if (answer_->source <= own) {
    if (since > answer_->good_for) return;
    stats.replication_lag_entries = 0;
    stats.replication_lag_ms = 0;
  } else {
    stats.replication_lag_entries = answer_->source.value - own.value;
    if (answer_->next_age) stats.replication_lag_ms = static_cast<std::uint64_t>((*answer_->next_age + since).count());
  }
}

std::string FollowStatus::problem() const {
  const MutexLock lock(mutex_);
  const auto [what, cause] = following_problem();
  const std::string problem = cause.empty() ? what : what + ": " + cause;
  return diverged_.empty() ? problem : "diverged: " + diverged_ + (problem.empty() ? "" : "; " + problem);
}

std::string FollowStatus::problem_in_brief() const {
  const MutexLock lock(mutex_);
  return following_problem().what;
}

FollowStatus::Problem FollowStatus::following_problem() const {
  if (!progress_.empty()) return {"copying the master's data: " + progress_, ""};
  if (!stats_.replication_last_bootstrap_error.empty())
    return {"the master's data could not be copied", stats_.replication_last_bootstrap_error};
  if (!stats_.replication_last_poll_error.empty())
    return {"cannot follow the master", stats_.replication_last_poll_error};
  if (!answer_) return {"the master has not answered yet", ""};
  return {};
}

}  // namespace karma::engine
