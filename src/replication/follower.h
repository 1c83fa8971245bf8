// A slave at work: one thread that asks the master for its log, page after page, and hands the entries to the writer.
//
//   no data yet    copy the master's snapshots; without any, its log is followed from the start
//   connect        is what comes next the continuation of what is here?
//   follow         while pages are full one is fetched as the one before is applied; else the master answers when there
//                  is an entry, or, if it is a Karma 1.0, is asked every poll interval
//   lost           again after a pause that grows, at random up to a cap
//   promoted       ends for good
//   out of reach   the master's log does not reach back to here, or is not a continuation: go back to where the
//                  histories part, or copy its data anew
//
// Position and data are one: entries are in the slave's own log, under the master's LSNs, before they are applied.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <thread>

#include <karma/config.h>
#include <karma/file_system.h>

#include "core/log.h"
#include "core/mutex.h"
#include "engine/difference.h"
#include "engine/engine.h"
#include "engine/submitter.h"
#include "replication/bootstrap.h"
#include "replication/checkpoint_copy.h"
#include "replication/digest_check.h"
#include "replication/source.h"

namespace karma::replication {

class Follower final : public engine::Following {
 public:
  // Starts the thread. For a node with a source; nobody else may write to the engine.
  Follower(engine::Engine& engine, FileSystem& files, EventLog& log);
  ~Follower() override;  // ends the thread, in the middle of what it does

  // From any thread: what the master wants to see from now on.
  void set_token(std::string token) { source_.set_token(std::move(token)); }
  // A copy that is under way is given up, except for one that is just taking its place: then it is refused.
  Status end_with(const std::function<Status()>& change) override;

 private:
  void run();
  // Each returns when something else is to be done, or with the failure that ended it.
  Status copy();
  Result<bool> rewind_instead(const BootstrapOptions& options);
  Status follow();

  Status connect();
  Status compare_histories();
  Status compare_last_entries();
  Status compare_last_entry();
  Error outdated(const engine::History& its) const;
  Error no_continuation(const std::string& difference);
  // `epoch`: of the data here; none where epochs do not tell what the master has otherwise.
  Error no_continuation(const std::string& difference, std::string_view epoch);
  Status check_digest(Lsn position);
  void remember(engine::Difference difference);
  Status ask(Lsn after, std::chrono::milliseconds wait);
  Status poll(Lsn& after, bool& asked);
  void learn_own_id();
  bool is_of_history(const Page& page, Lsn after);
  Status apply(const Page& page);
  void note_position(bool caught_up);
  void report(const Error& error);
  void begin_anew(const Error& why);
  void pause(std::chrono::milliseconds time);
  bool stopping();
  bool begin_adopting();
  void adopted();
  bool hold();
  std::chrono::milliseconds retry_pause();

  engine::Engine& engine_;
  FileSystem& files_;
  const Config& config_;
  EventLog& log_;
  engine::FollowStatus& status_;
  engine::Submitter submitter_;
  Source source_;
  DigestCheck digest_check_;
  int asked_for_ = 0;  // entries, at most
  CheckpointCopy checkpoints_;
  std::mt19937_64 random_;
  int failures_ = 0;                   // in a row
  std::chrono::milliseconds wait_{0};  // what the master is asked to wait for an entry; 0: it does not know how to
  bool waits_ = false;                 // it is asked to
  std::string id_;                     // this node's name for itself; empty: it is not told
  bool tells_id_ = false;              // the master understands it
  bool copy_wanted_;
  std::optional<engine::Difference> difference_;  // why, if it was found by digests
  std::string keep_old_as_;                       // of the data that a copy takes the place of; empty: it is not kept
  bool cannot_rewind_ = false;                    // was tried, for this copy
  // What was here before a rewind is kept, and nothing has shown yet that what it went back to is right: a copy in the
  // place of that must not remove it.
  bool rewound_ = false;
  bool copies_told_ = false;  // what is in diverged copies only
  Lsn noted_;                 // in karma.replication.lsn
  std::chrono::steady_clock::time_point noted_at_{};
  std::string last_error_;  // as logged
  std::uint64_t without_effect_ = 0;

  Mutex mutex_;
  Condition changed_;
  bool stopping_ KARMA_GUARDED_BY(mutex_) = false;
  bool ending_ KARMA_GUARDED_BY(mutex_) = false;    // end_with() waits, or makes its change
  bool held_ KARMA_GUARDED_BY(mutex_) = false;      // the thread waits for it
  bool ended_ KARMA_GUARDED_BY(mutex_) = false;     // it was made
  bool adopting_ KARMA_GUARDED_BY(mutex_) = false;  // a copy takes its place
  std::thread thread_;
};

}  // namespace karma::replication
