#include "engine/replicas.h"

#include <algorithm>
#include <functional>

namespace karma::engine {

void Replicas::asked(const commands::ReplicaPoll& poll, std::optional<bool> of_history, Time now,
                     std::int64_t unix_seconds) {
  const MutexLock lock(mutex_);
  Known& replica = find_or_add(poll.id, now);
  replica.position = poll.durable.value_or(poll.after);
  replica.durable = poll.durable;
  replica.epoch = poll.epoch;
  replica.of_history = of_history;
  replica.last_contact = now;
  replica.last_contact_unix = unix_seconds;
}

Replicas::Known& Replicas::find_or_add(std::string_view id, Time now) {
  std::erase_if(known_,
                [&](const Known& replica) { return replica.id != id && now - replica.last_contact > kForgottenAfter; });
  const auto before = [](const Known& replica, std::string_view wanted) { return replica.id < wanted; };
  auto place = std::lower_bound(known_.begin(), known_.end(), id, before);
  if (place != known_.end() && place->id == id) return *place;
  if (known_.size() >= kMaxReplicas) {
    known_.erase(std::min_element(known_.begin(), known_.end(),
                                  [](const Known& a, const Known& b) { return a.last_contact < b.last_contact; }));
    place = std::lower_bound(known_.begin(), known_.end(), id, before);
  }
  Known replica;
  replica.id = id;
  return *known_.insert(place, std::move(replica));
}

void Replicas::forget_all() {
  const MutexLock lock(mutex_);
  known_.clear();
}

Lsn Replicas::confirmed_by(std::size_t count) const {
  if (count == 0) return {};
  std::vector<Lsn> confirmed;
  {
    const MutexLock lock(mutex_);
    confirmed.reserve(known_.size());
    for (const Known& replica : known_)
      if (replica.durable && replica.of_history == true) confirmed.push_back(*replica.durable);
  }
  if (confirmed.size() < count) return {};
  const auto nth = confirmed.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(confirmed.begin(), nth, confirmed.end(), std::greater<>());
  return *nth;
}

std::optional<Lsn> Replicas::lowest_position(Time since) const {
  const MutexLock lock(mutex_);
  std::optional<Lsn> lowest;
  for (const Known& replica : known_)
    if (replica.last_contact >= since && replica.of_history != false && (!lowest || replica.position < *lowest))
      lowest = replica.position;
  return lowest;
}

std::size_t Replicas::count(Time since) const {
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(known_.begin(), known_.end(), [&](const Known& replica) { return replica.last_contact >= since; }));
}

std::vector<commands::Replica> Replicas::list(Time now) const {
  const MutexLock lock(mutex_);
  std::vector<commands::Replica> list;
  for (const Known& replica : known_) {
    if (now - replica.last_contact > kForgottenAfter) continue;
    list.push_back({.id = replica.id,
                    .position = replica.position,
                    .durable = replica.durable,
                    .epoch = replica.epoch,
                    .of_history = replica.of_history,
                    .silent = std::chrono::duration_cast<std::chrono::milliseconds>(now - replica.last_contact),
                    .last_contact_unix = replica.last_contact_unix});
  }
  return list;
}

}  // namespace karma::engine
