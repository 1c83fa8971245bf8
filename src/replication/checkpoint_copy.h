// The master's checkpoints of producers, on its slave. They are in no log: they are asked for when they change.
//
// A producer goes on after its checkpoint, so one must not be of a later moment than the data: what was asked for
// counts when the slave has all that the master had then, which the next page tells. It may be of an earlier moment:
// then a producer sends again what was counted, as after a crash of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <karma/error.h>
#include <karma/types.h>

#include "core/log.h"
#include "engine/engine.h"
#include "ops/checkpoints.h"
#include "replication/source.h"

namespace karma::replication {

// For the thread that follows.
class CheckpointCopy {
 public:
  CheckpointCopy(engine::Engine& engine, Source& source, EventLog& log) : engine_(engine), source_(source), log_(log) {}

  // Who answers may be another one now.
  void connected();
  // Some wait for a page that was not asked for yet: it need not wait for an entry.
  bool waits_for_page() const { return fetched_ && !counts_at_; }
  // A page was taken and applied. `more`: the next one is asked for already. An Error lost the connection.
  Status after(const Page& page, bool more);

 private:
  // Of a master that does not tell when they change: Karma 1.0.
  static constexpr std::chrono::seconds kAskAgain{10};
  // Of one where they change all the time.
  static constexpr std::chrono::seconds kNotMoreOften{1};

  bool is_due(const Page& page) const;
  void put_if_reached();
  void tell(const std::string& fault);

  engine::Engine& engine_;
  Source& source_;
  EventLog& log_;
  std::optional<ops::Checkpoints::Map> fetched_;
  std::optional<Lsn> counts_at_;           // from where on
  std::optional<std::uint64_t> revision_;  // that was asked for last
  std::optional<std::chrono::steady_clock::time_point> asked_at_;
  std::string last_fault_;
};

}  // namespace karma::replication
