// What a slave knows of its following: filled by whoever follows, read for stats and health. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <karma/types.h>

#include "core/mutex.h"
#include "ops/stats.h"

namespace karma::engine {

class FollowStatus {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A slave that had everything is known to have it for so long after the answer: one that follows is answered every
  // second, one of a Karma 1.0 every poll interval. A connection may fall silent without breaking.
  static constexpr std::chrono::seconds kAnswersWithin{3};

  // Times are Unix seconds.
  void poll_begins(std::int64_t now);
  struct Answer {
    Lsn source;                 // the master's LSN
    std::uint64_t entries = 0;  // of the page
    Time came{};
    // How long ago the entry after the page was committed by then; 0: there was none. Nothing: not known.
    std::optional<std::chrono::milliseconds> next_age{};
    std::chrono::milliseconds good_for = kAnswersWithin;
  };
  // A page was applied, or there was nothing new. `own`: up to where the slave has applied everything, and noted it.
  void poll_succeeded(std::int64_t now, Lsn own, const Answer& answer);
  // `own`: likewise, as a page may have been applied in part. The next question tells the master so, which acknowledges
  // writes up to there; and who is to be promoted is chosen by what the status tells. So it must not tell less.
  void poll_failed(std::int64_t now, Lsn own, std::string message);
  void bootstrap_begins(std::int64_t now);
  void bootstrap_succeeded(std::int64_t now, Lsn own);
  void bootstrap_failed(std::int64_t now, std::string message);
  // Of a bootstrap that goes on.
  void set_progress(std::string progress);

  // Digests of both states at that LSN were compared.
  void digests_compared(Lsn lsn, bool equal, Time now);
  // They could not be: that is no success, and whatever was found before may not hold any more.
  void digests_not_compared(std::string reason);
  // What is here is no beginning of what the master has; until the master's data is here.
  void diverged(std::string how);

  // `own`: the same at the start. What is told is of one moment: position, counters and lag.
  void add_to(ops::ReplicationStats& stats, Lsn own, Time now) const;
  // What is wrong with the following; empty if nothing is.
  std::string problem() const;
  // Without causes, which may name series: for those who have no token.
  std::string problem_in_brief() const;

 private:
  struct Problem {
    std::string what;
    std::string cause;
  };
  Problem following_problem() const KARMA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  ops::ReplicationStats stats_ KARMA_GUARDED_BY(mutex_);
  // Known as long as the master answers. A lag against an old value would be a guess.
  std::optional<Answer> answer_ KARMA_GUARDED_BY(mutex_);
  std::optional<Lsn> own_ KARMA_GUARDED_BY(mutex_);
  std::string progress_ KARMA_GUARDED_BY(mutex_);
  std::string diverged_ KARMA_GUARDED_BY(mutex_);
  struct Comparison {
    Lsn lsn;
    Time time;
  };
  std::optional<Comparison> compared_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::engine
