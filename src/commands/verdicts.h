// Verdicts that several mutations share: may this be logged, given the state and what is pending before it?
#pragma once

#include <span>
#include <string_view>

#include "commands/op.h"

namespace karma::commands {

// For ops that create the series if it is missing.
inline Verdict admit_creating(const store::Store& store, std::string_view series, Pending& pending) {
  if (store.find(series) == nullptr) pending.creates_series = true;
  return Verdict::log;
}

// For ops that need the series.
inline Verdict admit_existing(const store::Store& store, std::string_view series, const Pending& pending,
                              Outcome& outcome) {
  if (store.find(series) != nullptr) return pending.removes_series ? Verdict::flush_first : Verdict::log;
  if (pending.creates_series) return Verdict::flush_first;
  outcome.fail(no_such_series(series));
  return Verdict::refuse;
}

// For ops that add `sum` in all to counters of the series. `overflows(series)` decides exactly, and is asked only when
// the bounds cannot rule an overflow out.
template <class Overflows>
Verdict admit_adding(const store::Store& store, std::string_view name, std::uint64_t sum, Pending& pending,
                     Outcome& outcome, Overflows&& overflows) {
  const store::Series* series = store.find(name);
  const std::uint64_t largest = series == nullptr ? 0 : series->largest_total();
  const unsigned __int128 bound = static_cast<unsigned __int128>(largest) + pending.added + sum;
  if (bound > UINT64_MAX) {
    if (pending.any) return Verdict::flush_first;
    if (overflows(series, outcome)) return Verdict::refuse;
  }
  pending.add(sum);
  if (series == nullptr) pending.creates_series = true;
  return Verdict::log;
}

inline std::string overflow_text(std::string_view what, Key key, Bucket bucket) {
  return std::string(what) + " key=" + std::to_string(key.value) + " bucket=" + std::to_string(bucket.number());
}

}  // namespace karma::commands
