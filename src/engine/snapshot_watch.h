// How snapshots went, for health and metrics, and whether one is due.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <karma/error.h>

#include "core/mutex.h"
#include "ops/stats.h"

namespace karma::engine {

// When snapshots are to be taken without being asked for; 0: never for that reason.
struct SnapshotSchedule {
  std::chrono::seconds interval{0};
  std::uint64_t log_bytes = 0;
};

// Thread-safe. Times are the caller's.
class SnapshotWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // From here on a restart takes long enough for a warning.
  static constexpr std::uint64_t kLargeLogBytes = std::uint64_t{1} << 30;
  // The least that a start reads, checks and applies; see docs/performance.md.
  static constexpr std::uint64_t kReplayBytesPerSecond = std::uint64_t{100} << 20;
  // After one that failed; twice as long after each further failure.
  static constexpr std::chrono::seconds kRetryPause{60};
  static constexpr std::chrono::seconds kMaxRetryPause{3600};
  // The last snapshot is this many intervals old: nobody knows why it is late.
  static constexpr int kOldIntervals = 3;

  explicit SnapshotWatch(SnapshotSchedule schedule) : schedule_(schedule) {}

  // A start: when the last snapshot of everything was taken, Unix seconds; 0: never.
  void started(std::int64_t last_unix, std::int64_t now_unix, Time now);
  // A snapshot begins; then it has been taken, of everything if `whole`, or it failed.
  void begun();
  void taken(bool whole, std::chrono::duration<double> took, std::int64_t now_unix, Time now);
  void failed(const std::string& why, Time now);
  // One that was to be taken could not even begin.
  void not_begun(const std::string& why, Time now);
  // It did not begin, and that is no failure: to be tried again after a while.
  void refused(Time now);

  // Whether one should be taken now. Then, and while one is under way, none is due.
  // `anything_new`: since the last whole one.
  bool is_due(Time now, std::uint64_t log_bytes, bool anything_new);

  // What is wrong, or an empty text.
  std::string problem() const;
  // What is about to go wrong: a start would take long, or too much depends on the log.
  std::vector<std::string> warnings(Time now, std::uint64_t log_bytes, bool anything_new) const;
  void add_to(ops::Stats& stats, std::int64_t now_unix, Time now) const;

 private:
  std::string age(Time now) const KARMA_REQUIRES(mutex_);

  const SnapshotSchedule schedule_;
  mutable Mutex mutex_;
  std::uint64_t failures_ KARMA_GUARDED_BY(mutex_) = 0;
  std::string failure_ KARMA_GUARDED_BY(mutex_);  // of the last one
  std::int64_t last_unix_ KARMA_GUARDED_BY(mutex_) = 0;
  double last_seconds_ KARMA_GUARDED_BY(mutex_) = 0;
  Time since_ KARMA_GUARDED_BY(mutex_){};  // of the last whole one, or of the start
  Time not_before_ KARMA_GUARDED_BY(mutex_){};
  std::chrono::seconds retry_pause_ KARMA_GUARDED_BY(mutex_) = kRetryPause;
  bool asked_ KARMA_GUARDED_BY(mutex_) = false;  // one is due, and has not begun
  int under_way_ KARMA_GUARDED_BY(mutex_) = 0;
};

// Calls `tick` every second on a thread of its own until it is destroyed.
class Ticker {
 public:
  explicit Ticker(std::function<void()> tick);
  ~Ticker();

 private:
  bool wait_for_next();  // false: stop

  Mutex mutex_;
  Condition changed_;
  bool stopping_ KARMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace karma::engine
