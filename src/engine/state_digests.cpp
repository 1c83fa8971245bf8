#include "engine/state_digests.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/engine.h"
#include "engine/freeze.h"

namespace karma::engine {

std::optional<commands::DigestAt> StateDigests::find(Lsn after, Time now) {
  const MutexLock lock(mutex_);
  std::erase_if(kept_, [&](const Kept& kept) { return kept.at.digest != nullptr && now - kept.counted > kKeptFor; });
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.at.lsn >= after; });
  return found == kept_.end() ? std::nullopt : std::optional(found->at);
}

bool StateDigests::claim() {
  const MutexLock lock(mutex_);
  return !std::exchange(counting_, true);
}

void StateDigests::begin(Lsn lsn) {
  const MutexLock lock(mutex_);
  // Somebody else was first.
  std::erase_if(kept_, [&](const Kept& kept) { return kept.at.lsn == lsn; });
  if (kept_.size() >= kMaxKept) kept_.erase(kept_.begin());
  kept_.push_back({{lsn, nullptr}, {}});
}

void StateDigests::finish(commands::StateDigest digest, Time now) {
  const MutexLock lock(mutex_);
  counting_ = false;
  if (kept_.empty()) return;
  kept_.back().at.digest = std::make_shared<const commands::StateDigest>(std::move(digest));
  kept_.back().counted = now;
}

void StateDigests::give_up() {
  const MutexLock lock(mutex_);
  counting_ = false;
  std::erase_if(kept_, [](const Kept& kept) { return kept.at.digest == nullptr; });
}

void StateDigests::forget() {
  const MutexLock lock(mutex_);
  kept_.clear();
}

// The writer pins the state as for a snapshot; the rest is the snapshot worker's.
Result<commands::DigestAt> Engine::state_digest(Lsn after) {
  if (const std::optional<commands::DigestAt> known = digests_.find(after, clock_.steady())) return *known;
  if (!digests_.claim())
    return internal_error("Another digest of this node's state is being counted; try again shortly");
  struct Pinned {
    Lsn lsn;
    std::vector<std::pair<std::string, store::SeriesView>> series;
  };
  const auto pinned = std::make_shared<Pinned>();
  const bool ran = writer_->run([&] {
    pinned->lsn = wal_->last();
    if (pinned->lsn >= after) pinned->series = pin_series(store_);
  });
  if (!ran || pinned->lsn < after) {
    digests_.give_up();
    if (!ran) return shutting_down();
    return Error{ErrorCode::not_found, "This node's log ends at LSN " + std::to_string(pinned->lsn.value)};
  }
  digests_.begin(pinned->lsn);
  const auto count = [this, pinned] {
    try {
      commands::StateDigest digest;
      digest.epoch = epoch_at(pinned->lsn);
      for (auto& [name, view] : pinned->series) {
        store::Digest of_series;
        if (!view.add_to(of_series, [this] { return jobs_abandoned_.load(std::memory_order_relaxed); }))
          return digests_.give_up();
        digest.all.add(name, of_series);
        digest.series.emplace_back(std::move(name), of_series);
      }
      digests_.finish(std::move(digest), clock_.steady());
    } catch (const std::exception&) {
      digests_.give_up();  // no memory
    }
    pinned->series.clear();
  };
  if (!snapshot_worker_->submit(count, [this] { digests_.give_up(); })) {
    digests_.give_up();
    return internal_error("Too much is waiting for the snapshot worker; try again shortly");
  }
  return commands::DigestAt{pinned->lsn, nullptr};
}

}  // namespace karma::engine
