#include "engine/snapshot_watch.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace karma::engine {
namespace {

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / static_cast<double>(1 << 30));
  return text;
}

std::string duration(std::uint64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86400) + " days";
}

std::uint64_t seconds_between(SnapshotWatch::Time from, SnapshotWatch::Time to) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(to - from).count(), 0));
}

}  // namespace

void SnapshotWatch::started(std::int64_t last_unix, std::int64_t now_unix, Time now) {
  const MutexLock lock(mutex_);
  last_unix_ = last_unix;
  since_ = now;
  // A wall clock may have been set back meanwhile.
  if (last_unix != 0) since_ -= std::chrono::seconds(std::max<std::int64_t>(now_unix - last_unix, 0));
}

void SnapshotWatch::begun() {
  const MutexLock lock(mutex_);
  asked_ = false;
  ++under_way_;
}

void SnapshotWatch::taken(bool whole, std::chrono::duration<double> took, std::int64_t now_unix, Time now) {
  const MutexLock lock(mutex_);
  --under_way_;
  failure_.clear();
  if (!whole) return;
  retry_pause_ = kRetryPause;
  last_unix_ = now_unix;
  last_seconds_ = took.count();
  since_ = now;
  not_before_ = {};
}

void SnapshotWatch::failed(const std::string& why, Time now) {
  {
    const MutexLock lock(mutex_);
    --under_way_;
  }
  not_begun(why, now);
}

void SnapshotWatch::not_begun(const std::string& why, Time now) {
  const MutexLock lock(mutex_);
  asked_ = false;
  ++failures_;
  failure_ = why;
  not_before_ = now + retry_pause_;
  retry_pause_ = std::min(2 * retry_pause_, kMaxRetryPause);
}

void SnapshotWatch::refused(Time now) {
  const MutexLock lock(mutex_);
  asked_ = false;
  not_before_ = std::max(not_before_, now + kRetryPause);
}

bool SnapshotWatch::is_due(Time now, std::uint64_t log_bytes, bool anything_new) {
  const MutexLock lock(mutex_);
  if (!anything_new || asked_ || under_way_ > 0 || now < not_before_) return false;
  const bool large = schedule_.log_bytes != 0 && log_bytes >= schedule_.log_bytes;
  const bool late = schedule_.interval.count() != 0 && now - since_ >= schedule_.interval;
  asked_ = large || late;
  return asked_;
}

std::string SnapshotWatch::problem() const {
  const MutexLock lock(mutex_);
  return failure_.empty() ? std::string() : "the last snapshot failed: " + failure_;
}

std::string SnapshotWatch::age(Time now) const {
  if (last_unix_ == 0) return "there is no snapshot";
  return "the last snapshot is " + duration(seconds_between(since_, now)) + " old";
}

std::vector<std::string> SnapshotWatch::warnings(Time now, std::uint64_t log_bytes, bool anything_new) const {
  const MutexLock lock(mutex_);
  std::vector<std::string> found;
  if (log_bytes >= kLargeLogBytes)
    found.push_back("the log has grown to " + gigabytes(log_bytes) + ", " + age(now) + "; a restart would take about " +
                    duration(log_bytes / kReplayBytesPerSecond) +
                    ": take one with snapshot.create_all, or see --snapshot-interval and --snapshot-wal-bytes");
  const bool late = schedule_.interval.count() != 0 && now - since_ > kOldIntervals * schedule_.interval;
  if (late && anything_new)
    found.push_back(age(now) + ", although one is due every " +
                    duration(static_cast<std::uint64_t>(schedule_.interval.count())) +
                    " (--snapshot-interval): see backup.failed in the log");
  return found;
}

void SnapshotWatch::add_to(ops::Stats& stats, std::int64_t now_unix, Time now) const {
  const MutexLock lock(mutex_);
  stats.snapshot_failure_count = failures_;
  stats.snapshot_last_unix = static_cast<std::uint64_t>(std::max<std::int64_t>(last_unix_, 0));
  stats.snapshot_age_seconds = seconds_between(since_, now);
  stats.snapshot_duration_seconds = last_seconds_;
  stats.snapshot_under_way = under_way_ > 0 || asked_;
  stats.snapshot_next_unix.reset();
  if (schedule_.interval.count() == 0) return;
  const std::uint64_t wait = seconds_between(now, std::max(since_ + schedule_.interval, not_before_));
  stats.snapshot_next_unix = static_cast<std::uint64_t>(now_unix) + wait;
}

Ticker::Ticker(std::function<void()> tick) {
  thread_ = std::thread([this, tick = std::move(tick)] {
    while (wait_for_next()) tick();
  });
}

bool Ticker::wait_for_next() {
  const auto next = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  MutexLock lock(mutex_);
  while (!stopping_ && changed_.wait_until(mutex_, next)) {
  }
  return !stopping_;
}

Ticker::~Ticker() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

}  // namespace karma::engine
