#include "engine/replica_acks.h"

#include <algorithm>
#include <utility>

namespace karma::engine {
namespace {

using namespace std::chrono_literals;

// How often the clock is looked at while somebody waits; it need not be that of the system.
constexpr std::chrono::milliseconds kLook = 20ms;

}  // namespace

ReplicaAcks::ReplicaAcks(const Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)), thread_([this] { run(); }) {}

ReplicaAcks::~ReplicaAcks() { end(); }

void ReplicaAcks::hold(Mutation& answered) {
  answered.confirmed_at = {};
  // A refusal tells of nothing that could be lost, nor does a read.
  if (!answered.outcome.failed && !answered.rides)
    answered.confirmed_at = answered.lsn != Lsn{} ? answered.lsn : options_.position();
  answered.next_answered = nullptr;
  (gathered_.last == nullptr ? gathered_.first : gathered_.last->next_answered) = &answered;
  gathered_.last = &answered;
  gathered_.writes += !answered.rides;
}

void ReplicaAcks::commit() {
  if (gathered_.first == nullptr) return;
  Batch batch = std::exchange(gathered_, {});
  batch.until = clock_.steady() + options_.timeout;
  const MutexLock lock(mutex_);
  const bool was_idle = waiting_.empty();
  waiting_.push_back(batch);
  state_.waiting += batch.writes;
  ended_ ? time_out_late(Time::max()) : release();
  staged_.publish();
  if (was_idle && !waiting_.empty()) woken_.notify_one();
}

// What a slave said while the log was that of another history may be more than there is now.
void ReplicaAcks::confirmed(Lsn lsn) {
  const MutexLock lock(mutex_);
  lsn = std::min(lsn, options_.position());
  state_.confirmed = std::max(state_.confirmed, lsn);
  if (state_.degraded && state_.confirmed >= missed_ &&
      options_.position().value - state_.confirmed.value <= kCaughtUp) {
    state_.degraded = false;
    options_.changed(false);
  }
  release();
  staged_.publish();
}

void ReplicaAcks::forget() {
  const MutexLock lock(mutex_);
  state_.confirmed = missed_ = {};
}

void ReplicaAcks::end() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    time_out_late(Time::max());
    staged_.publish();
    woken_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

ReplicaAcks::State ReplicaAcks::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

void ReplicaAcks::run() {
  const MutexLock lock(mutex_);
  while (!ended_) {
    if (waiting_.empty()) {
      woken_.wait(mutex_);
      continue;
    }
    const Time now = clock_.steady();
    time_out_late(now);
    staged_.publish();
    if (waiting_.empty()) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(waiting_.front().until - now);
    (void)woken_.wait_until(mutex_, std::chrono::steady_clock::now() + std::clamp(left, 1ms, kLook));
  }
}

bool ReplicaAcks::may_go(const Mutation& mutation) const {
  const bool gives_up = ended_ && options_.on_timeout == OnAckTimeout::degrade;
  return state_.degraded || gives_up || mutation.confirmed_at <= state_.confirmed;
}

// In order: nothing overtakes what waits.
void ReplicaAcks::release() {
  while (!waiting_.empty()) {
    Batch& batch = waiting_.front();
    while (batch.first != nullptr && may_go(*batch.first)) release_first(batch);
    if (batch.first != nullptr) return;
    waiting_.pop_front();
  }
}

void ReplicaAcks::release_first(Batch& batch) {
  Mutation& mutation = *batch.first;
  batch.first = mutation.next_answered;
  state_.waiting -= !mutation.rides;
  staged_.add(mutation);
}

void ReplicaAcks::time_out_late(Time now) {
  release();
  while (!waiting_.empty() && waiting_.front().until <= now) {
    time_out(waiting_.front());
    release();
  }
}

// What is left of it has waited in vain.
void ReplicaAcks::time_out(Batch& batch) {
  if (options_.on_timeout == OnAckTimeout::degrade) {
    state_.timeouts += state_.waiting;
    missed_ = options_.position();
    if (!std::exchange(state_.degraded, true)) options_.changed(true);
    return;
  }
  while (batch.first != nullptr) {
    commands::Outcome& outcome = batch.first->outcome;
    if (!may_go(*batch.first)) {
      // The words are found where they are written: the arena of the request may be in use.
      outcome.failed = true;
      outcome.code = ErrorCode::not_confirmed;
      outcome.message = {};
      ++state_.timeouts;
    }
    release_first(batch);
  }
}

}  // namespace karma::engine
