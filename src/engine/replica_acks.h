// Answers to writes that wait until enough slaves have the entry on their disks. Only on a node with
// --min-replicas-ack.
//
//   answered by the writer -> hold() -> commit() -> [waits] -> released: confirmed, or its time is up
//
// They wait in the order in which the writer answered, and go on in that order, so that each connection gets its
// replies in the order of its requests. What they hold counts in the budget of clients as long as they are not
// answered. An answer that tells of no entry of its own, a repeat for instance, waits for all entries that were there.
//
// A write whose time is up is answered with not_confirmed. Or, if the node is to degrade, it is answered as usual, and
// so are all after it, without waiting, until the slaves have caught up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include <karma/clock.h>
#include <karma/config.h>

#include "core/mutex.h"
#include "engine/mutation.h"

namespace karma::engine {

class ReplicaAcks {
 public:
  // So few entries behind, slaves have caught up.
  static constexpr std::uint64_t kCaughtUp = 1024;

  struct Options {
    std::chrono::milliseconds timeout{1000};
    OnAckTimeout on_timeout = OnAckTimeout::error;
    std::function<Lsn()> position;               // up to where the log reaches
    std::function<void(bool degraded)> changed;  // with a lock held: for the log
  };
  struct State {
    Lsn confirmed;
    std::size_t waiting = 0;     // writes
    std::uint64_t timeouts = 0;  // writes that were answered without being confirmed, except while degraded
    bool degraded = false;
  };

  ReplicaAcks(const Clock& clock, Options options);
  ~ReplicaAcks();  // end()

  // For the thread that has the writer's place: gathers an answer; then all that were gathered begin to wait.
  void hold(Mutation& answered);
  void commit();

  // For any thread. Enough slaves have everything up to there.
  void confirmed(Lsn lsn);
  // The log holds another history.
  void forget();
  // Whoever waits is answered, and nobody waits any more.
  void end();
  State state() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  // Linked by next_answered.
  struct Batch {
    Mutation* first = nullptr;
    Mutation* last = nullptr;
    std::size_t writes = 0;
    Time until{};
  };

  void run();
  bool may_go(const Mutation& mutation) const KARMA_REQUIRES(mutex_);
  void release() KARMA_REQUIRES(mutex_);
  void release_first(Batch& batch) KARMA_REQUIRES(mutex_);
  void time_out_late(Time now) KARMA_REQUIRES(mutex_);
  void time_out(Batch& batch) KARMA_REQUIRES(mutex_);

  const Clock& clock_;
  const Options options_;
  Batch gathered_;  // used by the thread that has the writer's place

  mutable Mutex mutex_;
  Condition woken_;
  std::deque<Batch> waiting_ KARMA_GUARDED_BY(mutex_);
  StagedAnswers staged_ KARMA_GUARDED_BY(mutex_);
  State state_ KARMA_GUARDED_BY(mutex_);
  Lsn missed_ KARMA_GUARDED_BY(mutex_);  // degraded: the last entry whose time was up
  bool ended_ KARMA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace karma::engine
