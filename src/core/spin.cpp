#include "core/spin.h"

#include <sys/resource.h>

#include <algorithm>

namespace karma {
namespace {

// A thread looks at the system's count of its preemptions after so many spins, and gives way if it has lost the core in
// one of eight.
constexpr int kSpinsPerLook = 64;
constexpr int kPreemptedShare = 8;

long preemptions() {
  rusage usage{};
  return ::getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

}  // namespace

void SpinBudget::paid() {
  if (misses_ > 0) {
    --misses_;
  } else {
    watch_ = std::max(watch_ / 2, kShortestWatch);
  }
}

void SpinBudget::in_vain() {
  if (++misses_ >= kMisses) watch();
}

void SpinBudget::slept(Duration gap) {
  if (to_watch_ == 0) return;
  if (gap <= longest_ * kSleptFactor) {
    --to_watch_;
  } else {
    to_watch_ = std::min(to_watch_ + 1, watch_);
  }
}

void SpinBudget::give_way() {
  watch_ = kLongestWatch;
  watch();
}

// What follows is a try: one spin in vain ends it.
void SpinBudget::watch() {
  misses_ = kMisses - 1;
  to_watch_ = watch_;
  watch_ = std::min(watch_ * 2, kLongestWatch);
}

SpinPlaces::SpinPlaces(std::chrono::microseconds longest, int cores)
    : longest_(cores > 0 ? longest : std::chrono::microseconds(0)), free_(cores > 1 ? cores - 1 : cores) {}

bool SpinPlaces::take() {
  if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
  leave();
  return false;
}

SpinPlaces::Counts SpinPlaces::counts(Thread thread) const {
  const Tally& tally = tallies_[static_cast<int>(thread)];
  return {tally.paid.load(std::memory_order_relaxed), tally.in_vain.load(std::memory_order_relaxed)};
}

Spinner::Spinner(SpinPlaces* places, SpinPlaces::Thread thread)
    : places_(places != nullptr && places->longest().count() > 0 ? places : nullptr),
      thread_(thread),
      budget_(places_ != nullptr ? places_->longest() : std::chrono::microseconds(0)) {}

void Spinner::note(bool paid) {
  places_->count(thread_, paid);
  if (paid) {
    budget_.paid();
  } else {
    budget_.in_vain();
  }
  if (++spins_ < kSpinsPerLook) return;
  spins_ = 0;
  const long now = preemptions();
  if (now - preemptions_.value_or(now) > kSpinsPerLook / kPreemptedShare) budget_.give_way();
  preemptions_ = now;
}

}  // namespace karma
