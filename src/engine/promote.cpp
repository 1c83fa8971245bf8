// A slave becomes master while it runs. Until the new epoch is on the disk it is a slave and refuses writes; from then
// on each write is of that epoch.
#include <algorithm>
#include <string>
#include <utility>

#include "engine/difference.h"
#include "engine/engine.h"
#include "snapshot/adoption.h"

namespace karma::engine {
namespace {

Error not_now(ErrorCode code, const std::string& why) { return {code, "This slave cannot be promoted: " + why}; }

}  // namespace

std::string Engine::source_name() const {
  if (!config_.replication_source_host) return {};
  return *config_.replication_source_host + ":" + std::to_string(config_.replication_source_port);
}

// Before the first epoch of the start: the settings tell, unless the node was promoted since they were written. Another
// master in them than then means that somebody has written them anew; a later master, that its own time is over.
Status Engine::find_role(const LaterMaster& later_master) {
  if (Status read = read_history(); !read) {
    const bool given_up = std::ranges::count(config_.recover, kHistoryName) != 0;
    if (is_slave() && !given_up)
      return internal_error(read.error().message +
                            ". It may say that this slave was promoted: then start it with --role=master; else give "
                            "the file up with --recover=" +
                            std::string(kHistoryName));
    log_.warn("replication.history_lost", read.error().message + "; slaves will copy all data anew");
  }
  History history = this->history();
  const bool promoted = history.promoted_from() == source_name();
  std::optional<std::string> later;
  if (promoted && is_slave() && later_master) later = later_master(history.term());
  if (config_.role == Role::master) {
    history.forget_promotion();
  } else if (promoted && !later) {
    log_.warn("replication.promoted_before",
              "this node was promoted and starts as master, whatever its settings say: change them to --role=master; "
              "to make it a slave, name its new master, or empty the directory");
    duty_ = Duty::master;
  } else {
    if (later)
      log_.warn("replication.no_master_any_more",
                "this node was promoted, and since then " + *later + ": it is the slave that its settings say");
    // It is a slave again, whose settings may later name the first master, too.
    history.forget_promotion();
    return keep_history(std::move(history));
  }
  const MutexLock lock(history_mutex_);
  history_ = std::move(history);
  return {};
}

// Its data is the right one from now on, whatever a master had otherwise.
void Engine::follows_nobody() {
  const std::optional<Difference> difference = read_difference(files_, directory_);
  if (!difference) return;
  log_.warn("replication.promoted", "what is served from now on was known to differ: " + difference->what);
  if (Status forgotten = forget_difference(files_, directory_); !forgotten)
    log_.warn("replication.promoted", forgotten.error().message);
}

void Engine::set_following(Following* following) {
  const MutexLock lock(promotion_mutex_);
  following_ = following;
}

void Engine::supersede(std::string why) {
  const MutexLock lock(peers_mutex_);
  Duty expected = Duty::master;
  why_superseded_.swap(why);
  if (duty_.compare_exchange_strong(expected, Duty::superseded, std::memory_order_acq_rel)) {
    log_.error("replication.superseded", why_superseded_);
  } else {
    why_superseded_.swap(why);
  }
}

Error Engine::superseded() const {
  const MutexLock lock(peers_mutex_);
  return {ErrorCode::superseded, why_superseded_};
}

void Engine::set_peer_notes(PeerNotes notes) {
  const MutexLock lock(peers_mutex_);
  peer_notes_ = std::move(notes);
}

Result<commands::Promotion> Engine::promote() {
  const MutexLock lock(promotion_mutex_);
  if (is_superseded()) return superseded();
  const bool was_slave = is_slave();
  if (was_slave) {
    const auto change = [this] { return become_master(); };
    if (Status changed = following_ == nullptr ? change() : following_->end_with(change); !changed)
      return changed.error();
  }
  return commands::Promotion{.done_now = was_slave, .position = wal_->last(), .history = history_json()};
}

// Nothing is applied meanwhile.
Status Engine::become_master() {
  if (awaits_data()) return not_now(ErrorCode::stale_replica, "it does not have its master's data yet");
  if (wal_->stopped())
    return not_now(ErrorCode::internal_error, "its log takes no writes; check the disk and restart it");
  // The next start would put that copy in the place of what is written now.
  if (snapshot::has_complete_bootstrap(files_, directory_))
    return not_now(ErrorCode::internal_error, "a copy of its master's data waits for a restart to take its place");
  Status written;
  const auto change = [&] {
    const History before = this->history();
    History history = before;
    history.promote(wal_->last(), source_name());
    written = write_history(files_, directory_, history);
    if (!written) {
      // It may be there all the same, where only the sync of the directory failed.
      const Status restored = write_history(files_, directory_, before);
      if (!restored) written = internal_error(written.error().message + "; a restart may still make it master");
      const MutexLock lock(history_mutex_);
      file_may_promote_ = !restored;
      return;
    }
    const MutexLock lock(history_mutex_);
    history_ = std::move(history);
    file_may_promote_ = false;
  };
  if (!writer_->run(change)) return shutting_down();
  if (!written) return not_now(ErrorCode::internal_error, written.error().message);
  // It is master from here on, whatever becomes of what a load has left.
  try {
    abort_unfinished_loads();
  } catch (const std::exception& failure) {
    log_.warn("replication.promoted", std::string("a load that was under way is not aborted: ") + failure.what());
  }
  follows_nobody();
  has_data();
  replicated_.store(wal_->last().value, std::memory_order_relaxed);
  duty_.store(Duty::master, std::memory_order_release);
  log_.info("replication.promoted",
            "lsn=" + std::to_string(wal_->last().value) + " term=" + std::to_string(this->history().term()));
  return {};
}

}  // namespace karma::engine
