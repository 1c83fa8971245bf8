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

void SnapshotWatch::taken(bool whole, std::chrono::duration<double> took, std::int64_t now_unix, Time now) {
  const MutexLock lock(mutex_);
  failure_.clear();
  if (!whole) return;
  last_unix_ = now_unix;
  last_seconds_ = took.count();
  since_ = now;
  not_before_ = {};
}

void SnapshotWatch::failed(const std::string& why, Time now) {
  const MutexLock lock(mutex_);
  ++failures_;
  failure_ = why;
  not_before_ = now + kRetryPause;
}

bool SnapshotWatch::is_due(Time now, std::uint64_t log_bytes, bool anything_new) {
  const MutexLock lock(mutex_);
  if (!anything_new || now < not_before_) return false;
  const bool large = schedule_.log_bytes != 0 && log_bytes >= schedule_.log_bytes;
  const bool late = schedule_.interval.count() != 0 && now - since_ >= schedule_.interval;
  if (!large && !late) return false;
  not_before_ = now + kRetryPause;
  return true;
}

std::string SnapshotWatch::problem() const {
  const MutexLock lock(mutex_);
  return failure_.empty() ? std::string() : "the last snapshot failed: " + failure_;
}

std::string SnapshotWatch::warning(Time now, std::uint64_t log_bytes) const {
  const MutexLock lock(mutex_);
  if (log_bytes < kLargeLogBytes) return {};
  return "the log has grown to " + gigabytes(log_bytes) + ", " +
         (last_unix_ != 0 ? "the last snapshot is " + duration(seconds_between(since_, now)) + " old"
                          : std::string("there is no snapshot")) +
         "; a restart would take about " + duration(log_bytes / kReplayBytesPerSecond) +
         ": take one with snapshot.create_all, or see --snapshot-interval and --snapshot-wal-bytes";
}

void SnapshotWatch::add_to(ops::Stats& stats, Time now) const {
  const MutexLock lock(mutex_);
  stats.snapshot_failure_count = failures_;
  stats.snapshot_last_unix = static_cast<std::uint64_t>(std::max<std::int64_t>(last_unix_, 0));
  stats.snapshot_age_seconds = seconds_between(since_, now);
  stats.snapshot_duration_seconds = last_seconds_;
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
