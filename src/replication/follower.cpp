#include "replication/follower.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "commands/entry_chain.h"
#include "engine/replica_id.h"
#include "io/replace_file.h"
#include "replication/rewind.h"
#include "snapshot/adoption.h"

namespace karma::replication {
namespace {

using namespace std::chrono_literals;

// Between two attempts, at random up to a bound that doubles with each failure.
constexpr std::chrono::milliseconds kFirstPause = 100ms;
constexpr std::chrono::milliseconds kLongestPause = 2000ms;
// A question to the master stands so long, if it knows how to wait, and never longer than half of what is waited for
// it.
constexpr std::chrono::milliseconds kLongPoll = 1000ms;
// A connection that is idle for longer would be closed by the master sooner or later.
constexpr std::chrono::milliseconds kKeptIdle = 2000ms;
constexpr int kDefaultTimeoutSeconds = 30;  // where the node waits for its clients without a limit
// At each connection; fewer, if a log does not have so many.
constexpr std::uint64_t kEntriesCompared = 10000;
constexpr std::size_t kBytesCompared = std::size_t{16} << 20;  // or fewer: both have read them before a reply times out
constexpr const char* kIsToCome = ", and is to come there";
// While a check of digests goes on there may soon be more to ask.
constexpr std::chrono::milliseconds kWaitWhileChecking = 50ms;
// Whoever asks for fewer entries at a time holds the slave back on purpose: then full pages have a pause between them.
constexpr int kThrottledPage = 100;
// karma.replication.lsn is for Karma 1.0 and for people: not written more often while there is more to come.
constexpr std::chrono::milliseconds kNoteEvery = 50ms;
constexpr std::uint64_t kWarnings = 100;  // about entries without effect; the rest is only counted

protocol::Endpoint endpoint_of(const Config& config) {
  return {.host = *config.replication_source_host,
          .port = config.replication_source_port,
          .token = config.replication_token.value_or(""),
          .timeout_seconds = config.read_timeout > 0 ? config.read_timeout : kDefaultTimeoutSeconds};
}

std::string ends_below(Lsn source, Lsn own) {
  return "the master's log ends at " + std::to_string(source.value) + ", this node is at " + std::to_string(own.value);
}

template <class Function>
Status run_without_throwing(const Function& function) {
  try {
    return function();
  } catch (const std::exception& failure) {
    return internal_error(failure.what());
  }
}

bool out_of_reach(const Error& error) { return error.code == ErrorCode::replication_gap; }

}  // namespace

Follower::Follower(engine::Engine& engine, FileSystem& files, EventLog& log)
    : engine_(engine),
      files_(files),
      config_(engine.config()),
      log_(log),
      status_(engine.follow_status()),
      submitter_(engine),
      source_(endpoint_of(engine.config())),
      digest_check_(engine, source_),
      checkpoints_(engine, source_, log),
      random_(std::random_device{}()),
      copy_wanted_(engine.awaits_data()),
      difference_(engine::read_difference(files, config_.directory)) {
  if (difference_ && !copy_wanted_) {
    copy_wanted_ = true;
    keep_old_as_ = difference_->keep_as ? *difference_->keep_as
                                        : snapshot::diverged_name(files, config_.directory, {}, engine_.position());
    status_.diverged(difference_->what);
  }
  thread_ = std::thread([this] { run(); });
  engine_.set_following(this);
}

Follower::~Follower() {
  engine_.set_following(nullptr);
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  source_.interrupt();
  thread_.join();
}

void Follower::run() {
  while (hold()) {
    Status ended;
    try {
      ended = copy_wanted_ ? copy() : follow();
    } catch (const std::exception& failure) {
      ended = internal_error(failure.what());
    }
    if (ended || stopping()) continue;
    source_.close();
    digest_check_.give_up(ended.error().message);
    if (!copy_wanted_ && out_of_reach(ended.error())) {
      begin_anew(ended.error());
    } else {
      report(ended.error());
    }
    ++failures_;
    pause(retry_pause());
  }
}

Status Follower::end_with(const std::function<Status()>& change) {
  {
    const MutexLock lock(mutex_);
    // It waits for the workers, of which one waits here.
    if (adopting_)
      return internal_error(
          "This slave cannot be promoted: a copy of its master's data is taking its place; try again");
    ending_ = true;
    changed_.notify_all();
  }
  source_.interrupt();
  {
    const MutexLock lock(mutex_);
    while (!held_) changed_.wait(mutex_);
  }
  const Status changed = run_without_throwing(change);  // or it would be held for ever
  const MutexLock lock(mutex_);
  ended_ = changed.ok();
  ending_ = false;
  changed_.notify_all();
  return changed;
}

// Between two things to do: waits while a promotion is made. False: nothing is to be done any more.
bool Follower::hold() {
  bool was_held = false;
  {
    const MutexLock lock(mutex_);
    while (ending_) {
      held_ = was_held = true;
      changed_.notify_all();
      changed_.wait(mutex_);
    }
    held_ = false;
    if (stopping_ || ended_) return false;
  }
  if (was_held) source_.resume();
  return true;
}

// Both ends of a failure: counters for machines, a line for people, once for each reason.
void Follower::report(const Error& error) {
  const std::int64_t now = engine_.unix_seconds();
  copy_wanted_ ? status_.bootstrap_failed(now, error.message)
               : status_.poll_failed(now, engine_.position(), error.message);
  if (error.message == last_error_) return;
  last_error_ = error.message;
  log_.error(copy_wanted_ ? "replication.bootstrap_failed" : "replication.poll_failed", error.message);
}

// What is here is no beginning of what the master has.
void Follower::begin_anew(const Error& why) {
  status_.poll_failed(engine_.unix_seconds(), engine_.position(), why.message);
  status_.diverged(why.message);
  engine_.data_is_stale();
  const char* const next = snapshot::tells_epoch(keep_old_as_) && !difference_
                               ? "; going back to where the histories part, or copying the master's data anew"
                               : "; copying the master's data anew";
  log_.error("replication.out_of_reach", why.message + next);
  copy_wanted_ = true;
}

Status Follower::connect() {
  if (source_.connected()) return {};
  return source_.connect();
}

Status Follower::copy() {
  status_.bootstrap_begins(engine_.unix_seconds());
  if (Status connected = connect(); !connected) return connected;
  BootstrapOptions options;
  options.reach = [this](const engine::History& its) -> Result<Lsn> {
    const engine::Relation relation = engine::relation(engine_.history(), its, engine_.position());
    if (relation == engine::Relation::outdated) return outdated(its);
    // What is here is confirmed, so the master's clients know it to be on two nodes: if the copy ended below, a
    // promotion of this node could lose it.
    return difference_ && relation == engine::Relation::same ? engine_.position() : Lsn{};
  };
  options.page_entries = config_.replication_batch_size;
  options.stopped = [this] { return stopping(); };
  options.on_progress = [this](const std::string& text) {
    status_.set_progress(text);
    log_.info("replication.bootstrap", text);
  };
  const auto begun = engine_.clock().steady();
  const Result<bool> rewound = rewind_instead(options);
  if (!rewound) return rewound.error();
  const Result<bool> fetched = *rewound ? rewound : bootstrap(source_, files_, config_.directory, options);
  if (!fetched) return fetched.error();
  // A master without snapshots has all in its log. What is here, if anything, gives way to nothing.
  if (*fetched || engine_.position() != Lsn{}) {
    source_.close();  // what follows may take longer than a connection may be idle
    if (!begin_adopting()) return internal_error("the copy was given up");
    const Status taken = run_without_throwing([this] { return engine_.adopt_bootstrap(keep_old_as_, rewound_); });
    adopted();
    cannot_rewind_ |= *rewound && !taken;
    if (!taken) return taken;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(engine_.clock().steady() - begun);
    log_.info(*rewound ? "replication.rewound" : "replication.snapshot_bootstrap",
              "lsn=" + std::to_string(engine_.position().value) + " ms=" + std::to_string(took.count()));
  }
  status_.bootstrap_succeeded(engine_.unix_seconds(), engine_.position());
  copy_wanted_ = false;
  difference_.reset();
  noted_ = {};  // the file went with the old ones
  rewound_ = *rewound;
  keep_old_as_.clear();
  copies_told_ = false;
  cannot_rewind_ = false;
  digest_check_.copied();
  return {};
}

// Where the epochs tell that the histories part, and only there: what is here up to the fork is the master's, too.
// False: the master's data is to be copied.
Result<bool> Follower::rewind_instead(const BootstrapOptions& options) {
  if (cannot_rewind_ || difference_ || !snapshot::tells_epoch(keep_old_as_)) return false;
  const Result<engine::History> its = source_.history();
  if (!its) return its.error();
  const engine::History own = engine_.history();
  const Lsn last = engine_.position();
  if (engine::relation(own, *its, last) != engine::Relation::diverged) return false;
  const std::optional<Lsn> parted = engine::fork(own, last, *its);
  const Status done = parted ? rewind(engine_, files_, *its, *parted, options)
                             : Status(internal_error("it is not known where the histories part"));
  if (done) return true;
  if (stopping()) return done.error();
  cannot_rewind_ = true;
  log_.warn("replication.not_rewound", done.error().message + "; the master's data is copied");
  return false;
}

Status Follower::follow() {
  if (Status connected = connect(); !connected) return connected;
  waits_ = false;  // the first answer tells where the master is
  if (Status same = compare_histories(); !same) return same;
  digest_check_.connected(tells_id_);
  checkpoints_.connected();
  Lsn after = engine_.position();
  for (bool asked = false; !stopping() && source_.connected();) {
    if (Status polled = poll(after, asked); !polled) return polled;
  }
  return {};
}

// Is what comes next the continuation of what is here? The answer holds as long as the connection: a master that lost
// something has started anew.
Status Follower::compare_histories() {
  Result<engine::History> its = source_.history();
  if (!its) return its.error();
  const Lsn last = engine_.position();
  if (!source_.keeps_log())
    return Error{ErrorCode::replication_error,
                 "the master keeps no log (it runs with --wal=false), so there is nothing to follow"};
  switch (engine::relation(engine_.history(), *its, last)) {
    case engine::Relation::same:
      if (Status same = compare_last_entries(); !same) return same;
      break;
    case engine::Relation::unknown:
      if (Status same = compare_last_entry(); !same) return same;
      break;
    case engine::Relation::diverged:
      return no_continuation("entry " + std::to_string(last.value) + " is of another history than the master's");
    case engine::Relation::outdated:
      return outdated(*its);
  }
  const auto timeout = std::chrono::milliseconds(std::chrono::seconds(endpoint_of(config_).timeout_seconds));
  wait_ = its->empty() ? 0ms : std::min(kLongPoll, timeout / 2);
  tells_id_ = !its->empty();
  if (tells_id_) learn_own_id();
  its->follow();
  return engine_.keep_history(std::move(*its));
}

// An epoch is the work of one process: one whose machine was put back to an earlier state goes on in it, and gives the
// same numbers to other entries. So the last entries are compared as well, as many as both logs have.
Status Follower::compare_last_entries() {
  const Lsn last = engine_.position();
  if (last == Lsn{}) return {};
  for (std::uint64_t count = kEntriesCompared; count != 0; count /= 10) {
    const std::uint64_t wanted = std::min(count, last.value);
    const Lsn after{last.value - wanted};
    commands::EntryChain own;
    std::uint64_t left = wanted;
    std::size_t bytes = 0;
    const Status read = engine_.read_log(after, [&](Lsn, std::string_view entry) {
      own.add(entry);
      bytes += entry.size();
      return --left != 0 && (bytes < kBytesCompared || wanted == 1);
    });
    if (!read && !out_of_reach(read.error())) return read;
    if (!read || left != 0) continue;
    const Result<Source::Chain> its = source_.chain(after, wanted);
    if (!its && its.error().code == ErrorCode::replication_gap) continue;
    if (!its && its.error().code == ErrorCode::unknown_command) return {};  // an earlier version
    if (!its) return its.error();
    if (its->count < wanted)
      return Error{ErrorCode::replication_error, ends_below(Lsn{after.value + its->count}, last) + kIsToCome};
    if (its->value == own.value()) return {};
    return no_continuation("the chain of entries " + std::to_string(after.next().value) + " to " +
                               std::to_string(last.value) + " is " + own.value().text() + " here and " +
                               its->value.text() + " on the master",
                           {});
  }
  return {};
}

// Where histories do not tell: the last entry that both have must be the same one. If it is only in the snapshots of
// one of them, there is nothing to compare.
Status Follower::compare_last_entry() {
  const Lsn last = engine_.position();
  if (last == Lsn{}) return {};
  std::string own;
  const Status read = engine_.read_log(Lsn{last.value - 1}, [&](Lsn, std::string_view entry) {
    own = entry;
    return false;
  });
  if (!read && !out_of_reach(read.error())) return read;
  status_.poll_begins(engine_.unix_seconds());
  if (Status asked = source_.ask_for_page(Lsn{last.value - 1}, 1); !asked) return asked;
  Page page;
  const Status taken = source_.take_page(Lsn{last.value - 1}, 1, page);
  if (!taken) return out_of_reach(taken.error()) ? Status() : taken;
  if (page.source < last) return no_continuation(ends_below(page.source, last));
  if (!own.empty() && (page.entries.empty() || page.entries.front().text != own))
    return no_continuation("the master has another entry " + std::to_string(last.value) + " than this node");
  return {};
}

Error Follower::outdated(const engine::History& its) const {
  return {ErrorCode::replication_error,
          "the master has been superseded: this node has followed a later one, of term " +
              std::to_string(engine_.history().term()) + " (this one's is " + std::to_string(its.term()) +
              "). Give it the right one with --replication-source-host, or empty its directory"};
}

Error Follower::no_continuation(const std::string& difference) {
  return no_continuation(difference, engine_.epoch_at(engine_.position()));
}

Error Follower::no_continuation(const std::string& difference, std::string_view epoch) {
  keep_old_as_ = snapshot::diverged_name(files_, config_.directory, epoch, engine_.position());
  return {ErrorCode::replication_gap, "the master's data is not the continuation of what is here: " + difference +
                                          "; what is here is kept in " + keep_old_as_};
}

// Compares states, if that is due, between two pages.
Status Follower::check_digest(Lsn position) {
  const Result<std::optional<std::string>> difference = digest_check_.step(position);
  if (!difference) return difference.error();
  if (digest_check_.is_equal()) rewound_ = false;
  if (!*difference) return {};
  // The first copy that is kept tells enough.
  Error error = digest_check_.differs_again()
                    ? Error{ErrorCode::replication_gap, "the copy of the master's data differs again: " + **difference}
                    : no_continuation(**difference, {});
  remember({error.message, keep_old_as_});
  return error;
}

void Follower::remember(engine::Difference difference) {
  if (Status written = engine::write_difference(files_, config_.directory, difference); !written)
    log_.warn("replication.difference_not_written",
              written.error().message + "; a restart before the copy is complete forgets that the data differs");
  difference_ = std::move(difference);
}

// The question also tells what this node has on its disk, which is less than what it asks after while a page is
// applied.
Status Follower::ask(Lsn after, std::chrono::milliseconds wait) {
  status_.poll_begins(engine_.unix_seconds());
  Self self;
  if (tells_id_ && !id_.empty()) {
    const Lsn position = engine_.position();
    const bool syncs = config_.wal && config_.wal_fsync;
    self = {id_, syncs ? std::optional(position) : std::nullopt, engine_.epoch_at(syncs ? position : after)};
  }
  asked_for_ = digest_check_.most_entries(after, config_.replication_batch_size);
  return source_.ask_for_page(after, asked_for_, wait, self);
}

// Without it the slave follows all the same, and confirms nothing.
void Follower::learn_own_id() {
  if (!id_.empty()) return;
  Result<std::string> id = engine::own_replica_id(files_, config_.directory);
  if (id) {
    id_ = std::move(*id);
  } else {
    log_.warn("replication.no_id", id.error().message + "; the master is not told which slave this is");
  }
}

// One page: it is applied while the next one is on its way, where there is more.
Status Follower::poll(Lsn& after, bool& asked) {
  const int limit = config_.replication_batch_size;
  if (!asked) {
    if (Status checked = check_digest(after); !checked) return checked;
    auto wait = digest_check_.under_way() ? std::min(wait_, kWaitWhileChecking) : wait_;
    if (!waits_ || checkpoints_.waits_for_page()) wait = 0ms;
    if (Status sent = ask(after, wait); !sent) return sent;
  }
  asked = false;
  Page page;
  if (Status taken = source_.take_page(after, asked_for_, page); !taken) return taken;
  const auto answered = engine_.clock().steady();
  if (page.source < after) {
    const std::string difference = ends_below(page.source, after);
    // It has lost nothing if it is of the same epoch still: a start after a loss would have begun another one. So it is
    // a slave itself, and comes later.
    if (!page.epoch_after.empty() && is_of_history(page, after))
      return Error{ErrorCode::replication_error, difference + kIsToCome};
    return no_continuation(difference);
  }
  if (!is_of_history(page, after)) {
    source_.close();  // and the histories are compared again
    return {};
  }
  if (!page.entries.empty()) after = page.entries.back().lsn;
  if (page.more && limit >= kThrottledPage && !digest_check_.wants_step()) {
    if (Status sent = ask(after, 0ms); !sent) return sent;
    asked = true;
  }
  if (Status applied = apply(page); !applied) return applied;
  digest_check_.applied(after);
  note_position(after >= page.source);
  failures_ = 0;
  last_error_.clear();
  const std::chrono::milliseconds interval(config_.replication_poll_interval_ms);
  status_.poll_succeeded(engine_.unix_seconds(), engine_.position(),
                         {.source = page.source,
                          .entries = page.entries.size(),
                          .came = answered,
                          .next_age = page.next_age,
                          .good_for = engine::FollowStatus::kAnswersWithin + (wait_.count() == 0 ? interval : 0ms)});
  waits_ = true;
  engine_.has_data();
  if (!page.more && !copies_told_) copies_told_ = engine_.tell_only_here();
  if (Status copied = checkpoints_.after(page, asked); !copied) return copied;
  const bool throttled = page.more && limit < kThrottledPage;
  if (!asked && (wait_.count() == 0 || throttled)) {
    if (interval > kKeptIdle) source_.close();
    pause(interval);
  }
  return {};
}

// A node that is itself a slave may get another history under a kept connection.
bool Follower::is_of_history(const Page& page, Lsn after) {
  const auto fits = [&](const std::string& id, Lsn lsn) {
    return id.empty() || lsn == Lsn{} || engine_.epoch_at(lsn) == id;
  };
  return fits(page.epoch_after, after) && fits(page.epoch_last, page.entries.empty() ? after : page.entries.back().lsn);
}

Status Follower::apply(const Page& page) {
  return submitter_.replicate(page.entries, [this](Lsn lsn, std::string_view reason) {
    if (++without_effect_ <= kWarnings)
      log_.warn("wal.entry_without_effect", "lsn=" + std::to_string(lsn.value) + " reason=" + std::string(reason));
  });
}

// Without a log of its own a restart begins where the snapshots end, and what the file says would be too much.
void Follower::note_position(bool caught_up) {
  const Lsn position = engine_.position();
  const auto now = engine_.clock().steady();
  // Nor with one that is not synced: after a power failure the file could be ahead of it.
  if (!config_.wal || !config_.wal_fsync || position == noted_ || (!caught_up && now - noted_at_ < kNoteEvery)) return;
  const Status written = replace_file(files_, config_.directory, std::string(snapshot::kReplicationLsnName),
                                      std::to_string(position.value) + "\n");
  if (!written) return log_.warn("replication.position_not_written", written.error().message);
  noted_ = position;
  noted_at_ = now;
}

void Follower::pause(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopping_ && !ending_ && changed_.wait_until(mutex_, until)) {
  }
}

// What is being done is to end: for good, or for a promotion.
bool Follower::stopping() {
  const MutexLock lock(mutex_);
  return stopping_ || ending_;
}

bool Follower::begin_adopting() {
  const MutexLock lock(mutex_);
  adopting_ = !stopping_ && !ending_;
  return adopting_;
}

void Follower::adopted() {
  const MutexLock lock(mutex_);
  adopting_ = false;
}

std::chrono::milliseconds Follower::retry_pause() {
  const auto most = std::min(kLongestPause, kFirstPause * (1 << std::min(failures_, 10)));
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, most.count())(random_));
}

}  // namespace karma::replication
