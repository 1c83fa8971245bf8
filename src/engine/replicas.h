// The slaves of this node, as their questions for entries tell of them: which there are, up to where each has
// everything, and how many have an entry on their disks. A Karma 1.0 does not say who it is, and is not among them.
//
// A slave that crashes goes on from what it has on its disk, so that is its position, whatever it asks for meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <karma/types.h>

#include "commands/services.h"
#include "core/mutex.h"

namespace karma::engine {

// Thread-safe. Times are the caller's.
class Replicas {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One more takes the place of the one that has been silent for the longest time.
  static constexpr std::size_t kMaxReplicas = 64;
  // After so long without a word.
  static constexpr std::chrono::hours kForgottenAfter{24};
  // Since it asked last, a slave that may be restarting finds the log after its position.
  static constexpr std::chrono::hours kWantsLogFor{1};
  // A slave that follows asks every second at least.
  static constexpr std::chrono::seconds kInContact{10};

  // A slave asks. `of_history`: whether it has this node's entry at its position; nothing where that is not known.
  void asked(const commands::ReplicaPoll& poll, std::optional<bool> of_history, Time now, std::int64_t unix_seconds);
  // Whose entries the log holds has changed.
  void forget_all();

  // Up to this LSN at least `count` slaves have on their disks what this node has.
  Lsn confirmed_by(std::size_t count) const;
  // From where on the log is wanted by slaves that have asked since then; nothing if there are none. One that is known
  // to have another history will not read it.
  std::optional<Lsn> lowest_position(Time since) const;
  // How many have asked since then.
  std::size_t count(Time since) const;
  // In the order of their names.
  std::vector<commands::Replica> list(Time now) const;

 private:
  struct Known {
    std::string id;
    Lsn position;
    std::optional<Lsn> durable;
    std::string epoch;
    std::optional<bool> of_history;
    Time last_contact;
    std::int64_t last_contact_unix = 0;
  };

  Known& find_or_add(std::string_view id, Time now) KARMA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<Known> known_ KARMA_GUARDED_BY(mutex_);  // ids ascending
};

}  // namespace karma::engine
