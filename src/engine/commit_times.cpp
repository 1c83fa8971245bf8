#include "engine/commit_times.h"

#include <algorithm>

namespace karma::engine {

void CommitTimes::want(Lsn last) {
  if (wanted()) return;
  const MutexLock lock(mutex_);
  if (wanted()) return;
  known_after_ = last;
  wanted_.store(true, std::memory_order_relaxed);
}

void CommitTimes::note(Lsn last, Time now) {
  if (now >= open_until_) {
    const MutexLock lock(mutex_);
    if (open_since_) samples_.push_back({open_last_, *open_since_});
    open_since_ = now;
    open_until_ = now + kSample;
    if (samples_.size() >= kMaxSamples) thin_out(now);
  }
  open_last_ = last;
}

void CommitTimes::forget(Lsn last) {
  const MutexLock lock(mutex_);
  known_after_ = last;
  samples_.clear();
  open_since_.reset();
  open_until_ = {};
}

// A sample that goes leaves its entries to the one after it. Two that are far apart have nothing between them, so both
// ends of a pause stay. So does the oldest sample: how old its entries are is not known any more.
void CommitTimes::thin_out(Time now) {
  std::vector<Sample> kept;
  kept.reserve(kMaxSamples);
  Time after = now;
  for (std::size_t i = samples_.size(); i-- > 0;) {
    if (i != 0 && after - samples_[i - 1].first <= (now - samples_[i].first) / 16) continue;
    kept.push_back(samples_[i]);
    after = samples_[i].first;
  }
  // Only after very many pauses.
  if (kept.size() > kMaxSamples / 2) {
    known_after_ = kept[kMaxSamples / 2].last;
    kept.resize(kMaxSamples / 2);
  }
  samples_.assign(kept.rbegin(), kept.rend());
}

std::optional<CommitTimes::Milliseconds> CommitTimes::age(Lsn lsn, Time now) const {
  const MutexLock lock(mutex_);
  if (!wanted() || lsn <= known_after_ || !open_since_) return {};
  const auto reaches = [](const Sample& sample, Lsn wanted) { return sample.last < wanted; };
  const auto sample = std::lower_bound(samples_.begin(), samples_.end(), lsn, reaches);
  const Time committed = sample == samples_.end() ? *open_since_ : sample->first;
  return std::max(std::chrono::duration_cast<Milliseconds>(now - committed), Milliseconds(0));
}

std::size_t CommitTimes::samples() const {
  const MutexLock lock(mutex_);
  return samples_.size();
}

}  // namespace karma::engine
