// Digests of this node's state that were counted lately, for the slaves that ask for them: those that ask at the same
// time share one.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <karma/types.h>

#include "commands/services.h"
#include "core/mutex.h"

namespace karma::engine {

// Thread-safe.
class StateDigests {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Since it was counted. A new one looks at the memory again, even if nothing was written.
  static constexpr std::chrono::seconds kKeptFor{60};
  static constexpr std::size_t kMaxKept = 4;

  // The one of the lowest LSN from `after` on.
  std::optional<commands::DigestAt> find(Lsn after, Time now);
  // One is counted at a time. Whoever has claimed that either begins and finishes it, or gives it up.
  bool claim();
  void begin(Lsn lsn);
  void finish(commands::StateDigest digest, Time now);
  void give_up();
  // The state is another one; none is being counted.
  void forget();

 private:
  struct Kept {
    commands::DigestAt at;
    Time counted;
  };

  Mutex mutex_;
  bool counting_ KARMA_GUARDED_BY(mutex_) = false;
  std::vector<Kept> kept_ KARMA_GUARDED_BY(mutex_);  // LSNs ascending; the last one may be without its digest
};

}  // namespace karma::engine
