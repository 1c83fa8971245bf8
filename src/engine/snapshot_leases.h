// Copies of this node's snapshots that are being fetched: from where on each of them will want the log. Every piece
// that is fetched renews the lease; a slave that is not heard of any more loses it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include <karma/types.h>

#include "core/mutex.h"

namespace karma::engine {

// Thread-safe. Times are the caller's.
class SnapshotLeases {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // From the last piece: a slave has to load what it fetched before it asks for entries.
  static constexpr std::chrono::minutes kDuration{10};
  static constexpr std::size_t kMax = 64;  // one more takes the place of the one that would end first

  // The list of a set's files was fetched: the copy wants the log after `lsn`. Karma 1.0 has no such list, and who
  // fetches a single file is no slave.
  void began(Lsn lsn, Time now) {
    const MutexLock lock(mutex_);
    std::erase_if(leases_, [&](const Lease& lease) { return lease.end <= now; });
    const auto same = [lsn](const Lease& lease) { return lease.lsn == lsn; };
    auto lease = std::find_if(leases_.begin(), leases_.end(), same);
    if (lease == leases_.end()) {
      if (leases_.size() == kMax) leases_.erase(std::min_element(leases_.begin(), leases_.end(), ends_before));
      lease = leases_.insert(leases_.end(), Lease{lsn, now});
    }
    lease->end = now + kDuration;
  }
  // A piece of a file of `lsn` was fetched. It belongs to the copy from the greatest LSN that is not above it.
  void fetched(Lsn lsn, Time now) {
    const MutexLock lock(mutex_);
    Lease* found = nullptr;
    for (Lease& lease : leases_) {
      if (lease.end <= now || lease.lsn > lsn) continue;
      if (found == nullptr || found->lsn < lease.lsn) found = &lease;
    }
    if (found != nullptr) found->end = now + kDuration;
  }
  // After which entry the log is wanted; nothing if no copy is under way.
  std::optional<Lsn> lowest(Time now) const {
    const MutexLock lock(mutex_);
    std::optional<Lsn> lowest;
    for (const Lease& lease : leases_)
      if (lease.end > now && (!lowest || lease.lsn < *lowest)) lowest = lease.lsn;
    return lowest;
  }

 private:
  struct Lease {
    Lsn lsn;
    Time end;
  };

  static bool ends_before(const Lease& a, const Lease& b) { return a.end < b.end; }

  mutable Mutex mutex_;
  std::vector<Lease> leases_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::engine
