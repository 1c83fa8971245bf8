// Work that the writer does ahead of a write, so that applying it is quick. In a series that has views or removals
// every changed page costs extra work, and a write on thousands of its counters would hold the lock, and with it
// everybody else, for as long. None of this work has a visible effect.
#include <array>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "store/page.h"

namespace karma::engine {
namespace {

constexpr std::size_t kPart = 64;             // counters that are examined in one piece
constexpr std::size_t kPreparedCounters = 8;  // fewer are handled when they are changed
constexpr std::size_t kFewPages = 64;         // are cloned with the lock held, if need be
constexpr std::size_t kFewRemovals = 8;       // cost a write on one counter little
// If a view is taken in the middle of it, preparation starts again, this often at most: a client that takes views all
// the time would hold up others.
constexpr int kPreparations = 4;
constexpr std::size_t kFetchedAhead = store::Series::kFetchedAhead;

// The counters that a write changes.
class ChangedCounters {
 public:
  explicit ChangedCounters(const Mutation& mutation) {
    const commands::Op& op = *mutation.op;
    if (op.items != nullptr) items_ = op.items(mutation.command);
    if (op.keys != nullptr) keys_ = op.keys(mutation.command);
    if (op.target != nullptr) items_ = {&(only_ = op.target(mutation.command)), 1};
  }
  ChangedCounters(const ChangedCounters&) = delete;
  ChangedCounters& operator=(const ChangedCounters&) = delete;
  std::size_t size() const { return items_.size() + keys_.size(); }

  using Part = std::array<Item, kPart>;
  // Some of them, from number `from` on; only their keys are valid. They are put into `made` if need be.
  std::span<const Item> part(std::size_t from, Part& made) const {
    const std::size_t count = std::min(size() - from, made.size());
    if (keys_.empty()) return items_.subspan(from, count);
    for (std::size_t i = 0; i < count; ++i) made[i].key = keys_[from + i];
    return {made.data(), count};
  }

 private:
  std::span<const Item> items_;
  std::span<const Key> keys_;
  Item only_;
};

bool wants_preparation(const store::Series* series) {
  return series != nullptr && (series->shares_pages() || !series->counted());
}

bool is_ready(const store::Series& series, const ChangedCounters& counters) {
  ChangedCounters::Part made;
  std::size_t few = kFewPages;
  for (std::size_t done = 0; done < counters.size();) {
    const std::span<const Item> part = counters.part(done, made);
    if (!series.is_ready(part, few)) return false;
    done += part.size();
  }
  return true;
}

}  // namespace

// While days are being deleted, each page that a write changes is gone through first.
bool Engine::is_slow(const wal::Write& write) const {
  const Mutation& mutation = static_cast<const Mutation&>(write);
  if (mutation.rides || mutation.op->target == nullptr) return false;
  const store::Series* const series = store_.find(mutation.op->series(mutation.command));
  return series != nullptr && series->removal_count() > kFewRemovals;
}

bool Engine::prepare(wal::Write& write, std::size_t& work) {
  Mutation& mutation = static_cast<Mutation&>(write);
  if (mutation.rides) return true;
  store::Series* const series = mutation.op->changed(mutation.command, store_);
  if (!wants_preparation(series)) return true;
  const ChangedCounters counters(mutation);
  ChangedCounters::Part made;
  // After that many vain attempts the write is as ready as it gets, also if admission sends it back and asks again.
  for (; mutation.preparations < kPreparations; ++mutation.preparations, mutation.prepared = 0) {
    while (mutation.prepared < counters.size()) {
      if (work == 0) return false;
      mutation.prepared += prepare_part(*series, counters.part(mutation.prepared, made), work);
    }
    if (is_ready(*series, counters)) return true;
  }
  return true;
}

// Takes the lock for each piece. Returns how many counters are done, and lowers `work` accordingly.
std::size_t Engine::prepare_part(store::Series& series, std::span<const Item> items, std::size_t& work) {
  const std::size_t before = store::Series::pages_cloned();
  std::size_t cloned = 1;
  if (!series.counted()) {
    std::lock_guard lock(store_.lock());
    items = items.first(series.purge_pages(items, kSlotsPerLock));
  }
  if (series.shares_pages()) {
    std::vector<Ref<store::Page>> clones = series.clone_ahead(items);
    cloned += clones.size();
    if (!clones.empty()) {
      std::lock_guard lock(store_.lock());
      series.put_clones(std::move(clones));
    }
  }
  cloned += store::Series::pages_cloned() - before;
  work -= std::min(work, cloned);
  return items.size();
}

// A write on many counters that comes after the begin of a removal has to be prepared now.
bool Engine::wants_next_lock(const wal::Write& write) {
  if (store_.purged() || write.points < kPreparedCounters) return false;
  const Mutation& mutation = static_cast<const Mutation&>(write);
  const store::Series* const series = mutation.op->changed(mutation.command, store_);
  return series != nullptr && !series->counted();
}

// Of the writes that come under the next lock, those that have not been prepared, or in vain.
void Engine::prepare_next(std::span<wal::Write* const> writes) {
  std::size_t points = 0;
  for (const wal::Write* write : writes) {
    if (points >= kPointsPerLock) return;
    points += write->points;
    if (write->points < kPreparedCounters) continue;
    const Mutation& mutation = static_cast<const Mutation&>(*write);
    store::Series* const series = mutation.op->changed(mutation.command, store_);
    if (!wants_preparation(series)) continue;
    const ChangedCounters counters(mutation);
    ChangedCounters::Part made;
    for (std::size_t done = 0, all = SIZE_MAX; done < counters.size(); all = SIZE_MAX)
      done += prepare_part(*series, counters.part(done, made), all);
  }
}

// Counters of single writes lie anywhere in memory: the next few are fetched at the same time.
void Engine::fetch_ahead(std::span<wal::Write* const> writes) const {
  std::array<Item, kFetchedAhead> items;
  std::size_t count = 0;
  const store::Series* series = nullptr;
  std::string_view name;
  const auto fetch = [&] {
    if (series != nullptr && count > 1) series->fetch_ahead({items.data(), count});
    count = 0;
  };
  for (const wal::Write* write : writes.first(std::min(writes.size(), kFetchedAhead))) {
    const Mutation& mutation = static_cast<const Mutation&>(*write);
    if (mutation.op->target == nullptr) continue;
    if (const std::string_view its = mutation.op->series(mutation.command); count == 0 || its != name) {
      fetch();
      name = its;
      series = store_.find(name);
    }
    items[count++] = mutation.op->target(mutation.command);
  }
  fetch();
}

}  // namespace karma::engine
