// May a mutation be logged, given the state and what is pending before it? Verdicts that several of them share, and
// what they come to.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/types.h>

#include "commands/pending_keys.h"
#include "commands/pending_streams.h"
#include "commands/reads.h"
#include "core/arena.h"
#include "store/store.h"
#include "wal/verdict.h"

namespace karma::commands {

using wal::Verdict;

// What applying a mutation came to. Lives in the arena of its request.
struct Outcome {
  Arena* arena = nullptr;
  bool failed = false;
  ErrorCode code = ErrorCode::internal_error;
  std::string_view message;  // in the arena
  std::uint64_t first = 0;   // what the op answers, by op
  std::uint64_t second = 0;

  void fail(ErrorCode error_code, std::string_view text) {
    failed = true;
    code = error_code;
    message = arena->copy(text);
  }
  void fail(const Error& error) { fail(error.code, error.message); }
};

// The writes to a series that are logged in this batch but not yet applied, as far as they can change a verdict.
struct PendingSeries {
  std::uint64_t added = 0;   // sum of all values to be added, saturating
  std::size_t removals = 0;  // of ranges of days from all counters
  bool created = false;
  bool removed = false;  // dropped or replaced
  bool lowered = false;  // something is taken from a counter

  void add(std::uint64_t value) { added = added > UINT64_MAX - value ? UINT64_MAX : added + value; }
};

// All writes of that kind.
class Pending {
 public:
  bool any = false;           // something is
  bool forgets_keys = false;  // of idempotency
  PendingStreams streams;
  PendingKeys keys;

  // `series` is null for every one that does not exist yet. Some series share a place, so that no search is needed:
  // then a verdict is more careful than it had to be.
  PendingSeries& of(const store::Series* series) {
    const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(series));
    const std::size_t place = address * 0x9E3779B97F4A7C15U >> (64 - kPlaceBits);
    noted_ |= std::uint64_t{1} << place;
    return series_[place];
  }

  // Nothing is pending. Keeps the memory of the last batch.
  void reset() {
    any = forgets_keys = false;
    for (; noted_ != 0; noted_ &= noted_ - 1) series_[static_cast<std::size_t>(std::countr_zero(noted_))] = {};
    streams.clear();
    keys.clear();
  }

 private:
  static constexpr int kPlaceBits = 6;

  std::array<PendingSeries, 1 << kPlaceBits> series_{};
  std::uint64_t noted_ = 0;  // a bit for each place in use
};

// For ops that remove days from all counters of a series, besides the other verdict. That is done little by little
// after it was acknowledged, and so the number under way is bounded.
inline Verdict admit_removal(const store::Store& store, std::string_view name, Pending& pending, Outcome& outcome) {
  const store::Series* series = store.find(name);
  if ((series == nullptr ? 0 : series->removal_count()) + ++pending.of(series).removals <= store::kMaxRemovals)
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
  PendingSeries& ahead = pending.of(series);
  if (ahead.removed) return Verdict::flush_first;
  const unsigned __int128 added = static_cast<unsigned __int128>(ahead.added) + sum;
  const auto fits = [added](std::uint64_t bound) { return bound + added <= UINT64_MAX; };
  if (!fits(series == nullptr ? 0 : series->largest_total()) && !fits(series == nullptr ? 0 : largest(*series))) {
    // If nothing is pending but additions, what overflows now does so then; of several counters another one may then be
    // the first, which the refusal names.
    const bool any = ahead.added != 0 || ahead.lowered;
    const bool decided = !any || (adds == Adds::to_one_counter && !ahead.lowered);
    if (decided && overflows(series, outcome)) return Verdict::answered;
    if (any) return Verdict::flush_first;
  }
  ahead.add(sum);
  return Verdict::log;
}

template <class Largest, class Overflows>
Verdict admit_adding(const store::Store& store, std::string_view name, std::uint64_t sum, Adds adds, Pending& pending,
                     Outcome& outcome, Largest&& largest, Overflows&& overflows) {
  const store::Series* series = store.find(name);
  const Verdict verdict = admit_sum(series, sum, adds, pending, outcome, largest, overflows);
  if (verdict == Verdict::log && series == nullptr) pending.of(series).created = true;
  return verdict;
}

inline std::string overflow_text(std::string_view what, Key key, Bucket bucket) {
  return std::string(what) + " key=" + std::to_string(key.value) + " bucket=" + std::to_string(bucket.number());
}

// Of many items the first that does not fit, if there is one.
inline bool refuse_overflow(const Item* item, Outcome& outcome) {
  if (item == nullptr) return false;
  outcome.fail(ErrorCode::validation_error, overflow_text("Counter overflow in batch item", item->key, item->bucket));
  return true;
}

}  // namespace karma::commands
