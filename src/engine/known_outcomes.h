// Outcomes of entries above the exactly-once state's file that the log alone does not tell: a snapshot of one series
// takes them along (snapshot::KnownOutcome).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "commands/op.h"
#include "snapshot/manager.h"

namespace karma::engine {

// Used by the thread that has the writer's place.
class KnownOutcomes {
 public:
  static constexpr std::size_t kMax = 1 << 16;  // 2 MiB here, and less in the manifest

  // LSNs must rise.
  void add(const snapshot::KnownOutcome& outcome) {
    if (known_.size() < kMax) {
      known_.push_back(outcome);
    } else {
      last_lost_ = outcome.lsn;
    }
  }
  // An exactly-once state's file of that LSN has been written.
  void forget(Lsn lsn) {
    known_.erase(known_.begin(),
                 std::find_if(known_.begin(), known_.end(), [lsn](const auto& o) { return o.lsn > lsn; }));
    if (last_lost_ <= lsn) last_lost_ = Lsn();
  }
  // False: there were too many, and some are lost.
  bool complete() const { return last_lost_ == Lsn(); }
  const std::vector<snapshot::KnownOutcome>& all() const { return known_; }

 private:
  std::vector<snapshot::KnownOutcome> known_;
  Lsn last_lost_;
};

// Keeps the outcome of the entry if it will be needed: that of a write with a key, or of a refused chunk, whose number
// is not used up.
inline void note_outcome(KnownOutcomes& outcomes, const commands::Op& op, bool keyed, Lsn lsn,
                         const commands::Outcome& outcome) {
  const bool of_a_stream = op.replay != nullptr && outcome.failed;
  if (!of_a_stream && !(keyed && (outcome.failed || op.tells_state))) return;
  outcomes.add({lsn, outcome.failed, outcome.failed ? 0 : outcome.first, outcome.failed ? 0 : outcome.second});
}

}  // namespace karma::engine
