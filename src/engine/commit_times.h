// When entries of the log were committed, so that a slave can be told how old the first one is that it does not have.
// Samples, no more than one a millisecond: entries up to an LSN, and when the first of them that the sample before does
// not have was committed. Old samples are thinned out, so that an age is known to about a sixteenth of itself, or a
// millisecond, and the memory is bounded. Nothing is kept before somebody wants to know.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include <karma/types.h>

#include "core/mutex.h"

namespace karma::engine {

class CommitTimes {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Milliseconds = std::chrono::milliseconds;

  static constexpr Milliseconds kSample{1};
  static constexpr std::size_t kMaxSamples = 2048;

  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  // From the entry after `last` on. Any thread.
  void want(Lsn last);
  // For the writer: entries up to `last` are committed. Each call continues the one before.
  void note(Lsn last, Time now);
  // The log is another one: nothing is known. For the writer.
  void forget(Lsn last);

  // How long ago the entry was committed, which the log has; nothing where that is not known.
  std::optional<Milliseconds> age(Lsn lsn, Time now) const;
  std::size_t samples() const;

 private:
  struct Sample {
    Lsn last;
    Time first;
  };

  void thin_out(Time now) KARMA_REQUIRES(mutex_);

  std::atomic<bool> wanted_{false};
  // Of the writer: the sample that still grows.
  Lsn open_last_;
  Time open_until_{};
  mutable Mutex mutex_;
  Lsn known_after_ KARMA_GUARDED_BY(mutex_);              // nothing up to here
  std::vector<Sample> samples_ KARMA_GUARDED_BY(mutex_);  // LSNs and times ascending, but the one that still grows
  std::optional<Time> open_since_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::engine
