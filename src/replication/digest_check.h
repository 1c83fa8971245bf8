// Is the slave's state its master's? Both count a digest of all counters as they are at one LSN, which the slave
// compares now and then. Epochs and LSNs tell whether the logs are the same; this tells whether what came of them is.
//
//   due        the master is asked for a digest of any LSN from the slave's position on: it pins its state and names it
//   reaching   pages end at that LSN, where the slave pins its own
//   counting   each node counts, while following goes on; then they are compared
//
// Whatever comes in between ends it without a result, and that is what is told: not compared.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <karma/error.h>
#include <karma/types.h>

#include "engine/engine.h"
#include "replication/source.h"

namespace karma::replication {

// For the thread that follows.
class DigestCheck {
 public:
  DigestCheck(engine::Engine& engine, Source& source);

  // A connection to a master that knows of digests, or does not: then none is compared.
  void connected(bool master_knows);
  // No question is under way, everything up to `position` is applied: does what is next. A text: how they differ.
  // Error: the connection is lost.
  Result<std::optional<std::string>> step(Lsn position);
  // The master has something to be asked now.
  bool wants_step() const;
  // How many entries after `after` may be applied at once.
  int most_entries(Lsn after, int limit) const;
  // Everything up to there is applied.
  void applied(Lsn position);
  // One is under way: the slave should not wait for long.
  bool under_way() const { return stage_ != Stage::none; }
  // The connection is lost, or there is none when a check is due.
  void give_up(const std::string& why);
  // The state is a copy of the master's: checked at once, but not for ever.
  void copied();
  // The copy that was made because they differed differs as well.
  // The last comparison since the data was copied.
  bool is_equal() const { return equal_; }
  bool differs_again() const { return differences_ > 1; }

 private:
  enum class Stage { none, reaching, counting };
  using Time = std::chrono::steady_clock::time_point;

  Time now() const { return engine_.clock().steady(); }
  void again_after(std::chrono::seconds time);
  void not_compared(const std::string& why, std::chrono::seconds again);
  Status ask(Lsn after, std::optional<MasterDigest>& answer);
  void look_at_own();
  std::optional<std::string> compare(const MasterDigest& master);
  std::string difference(const MasterDigest& master) const;

  engine::Engine& engine_;
  Source& source_;
  const std::chrono::seconds interval_;
  bool master_knows_ = false;
  Stage stage_ = Stage::none;
  Time due_;     // the next check
  Time ask_at_;  // the master, for what it has counted
  Lsn lsn_;
  int differences_ = 0;  // in a row
  bool equal_ = false;
  std::shared_ptr<const commands::StateDigest> own_;
};

}  // namespace karma::replication
