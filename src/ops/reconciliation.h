// What programs that compare Karma with another source have reported since the start.
#pragma once

#include <cstdint>

#include "core/mutex.h"
#include "ops/stats.h"

namespace karma::ops {

struct ReconciliationReport {
  std::uint64_t checked_points = 0;
  std::uint64_t mismatch_count = 0;
  std::uint64_t absolute_drift = 0;
  std::uint64_t max_abs_delta = 0;
};

// Thread-safe. Sums saturate.
class Reconciliation {
 public:
  void add(const ReconciliationReport& report, std::int64_t now) {
    const MutexLock lock(mutex_);
    ++runs_;
    add_up(sum_.checked_points, report.checked_points);
    add_up(sum_.mismatch_count, report.mismatch_count);
    add_up(sum_.absolute_drift, report.absolute_drift);
    last_ = report;
    last_run_ = now;
  }
  void add_to(Stats& stats) const {
    const MutexLock lock(mutex_);
    stats.reconciliation_run_count = runs_;
    stats.reconciliation_checked_points = sum_.checked_points;
    stats.reconciliation_mismatch_count = sum_.mismatch_count;
    stats.reconciliation_absolute_drift = sum_.absolute_drift;
    stats.reconciliation_last_run_unix = static_cast<std::uint64_t>(last_run_);
    stats.reconciliation_last_checked_points = last_.checked_points;
    stats.reconciliation_last_mismatch_count = last_.mismatch_count;
    stats.reconciliation_last_absolute_drift = last_.absolute_drift;
    stats.reconciliation_last_max_abs_delta = last_.max_abs_delta;
  }

 private:
  static void add_up(std::uint64_t& sum, std::uint64_t value) {
    sum = sum > UINT64_MAX - value ? UINT64_MAX : sum + value;
  }

  mutable Mutex mutex_;
  std::uint64_t runs_ KARMA_GUARDED_BY(mutex_) = 0;
  ReconciliationReport sum_ KARMA_GUARDED_BY(mutex_);
  ReconciliationReport last_ KARMA_GUARDED_BY(mutex_);
  std::int64_t last_run_ KARMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace karma::ops
