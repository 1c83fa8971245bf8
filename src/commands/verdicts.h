// Verdicts that several mutations share: may this be logged, given the state and what is pending before it?
#pragma once

#include <span>
#include <string_view>

#include "commands/op.h"

namespace karma::commands {

// For ops that create the series if it is missing. They may take something from its counters.
inline Verdict admit_creating(const store::Store& store, std::string_view series, Pending& pending) {
  if (store.find(series) == nullptr) pending.creates_series = true;
  pending.lowers = true;
  return Verdict::log;
}

// For ops that need the series, likewise.
inline Verdict admit_existing(const store::Store& store, std::string_view series, Pending& pending, Outcome& outcome) {
  if (store.find(series) != nullptr) {
    if (pending.removes_series) return Verdict::flush_first;
    pending.lowers = true;
    return Verdict::log;
  }
  if (pending.creates_series) return Verdict::flush_first;
  outcome.fail(no_such_series(series));
  return Verdict::answered;
}

// For ops that remove days from all counters of a series, besides the other verdict. That is done little by little
// after it was acknowledged, and so the number under way is bounded.
inline Verdict admit_removal(const store::Store& store, std::string_view name, Pending& pending, Outcome& outcome) {
  const store::Series* series = store.find(name);
  if ((series == nullptr ? 0 : series->removal_count()) + ++pending.removals <= store::kMaxRemovals)
    return Verdict::log;
  if (pending.any) return Verdict::flush_first;
  outcome.fail(ErrorCode::internal_error, "Too many ranges of this series are being deleted; try again shortly");
  return Verdict::answered;
}

// For ops that add `sum` in all to counters of a series, which is null if it does not exist. Cheap bounds first:
// `largest(series)` is a bound of the counters concerned alone, so that one counter near the end holds up only those
// who write to it; `overflows(series, outcome)` decides exactly, but knows nothing of what is pending.
enum class Adds { to_one_counter, to_several };

template <class Largest, class Overflows>
Verdict admit_sum(const store::Series* series, std::uint64_t sum, Adds adds, Pending& pending, Outcome& outcome,
                  Largest&& largest, Overflows&& overflows) {
  // Whatever takes the place of the series may hold more than this one does.
  if (pending.removes_series) return Verdict::flush_first;
  const unsigned __int128 added = static_cast<unsigned __int128>(pending.added) + sum;
  const auto fits = [added](std::uint64_t bound) { return bound + added <= UINT64_MAX; };
  if (!fits(series == nullptr ? 0 : series->largest_total()) && !fits(series == nullptr ? 0 : largest(*series))) {
    // If nothing is pending but additions, what overflows now does so then; of several counters another one may then be
    // the first, which the refusal names.
    const bool decided = !pending.any || (adds == Adds::to_one_counter && !pending.lowers);
    if (decided && overflows(series, outcome)) return Verdict::answered;
    if (pending.any) return Verdict::flush_first;
  }
  pending.add(sum);
  return Verdict::log;
}

template <class Largest, class Overflows>
Verdict admit_adding(const store::Store& store, std::string_view name, std::uint64_t sum, Adds adds, Pending& pending,
                     Outcome& outcome, Largest&& largest, Overflows&& overflows) {
  const store::Series* series = store.find(name);
  const Verdict verdict = admit_sum(series, sum, adds, pending, outcome, largest, overflows);
  if (verdict == Verdict::log && series == nullptr) pending.creates_series = true;
  return verdict;
}

inline std::string overflow_text(std::string_view what, Key key, Bucket bucket) {
  return std::string(what) + " key=" + std::to_string(key.value) + " bucket=" + std::to_string(bucket.number());
}

}  // namespace karma::commands
