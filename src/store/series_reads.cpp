// Short reads of a series: single counters, and batches of keys.
#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "store/directory.h"
#include "store/removals.h"
#include "store/series.h"

namespace karma::store {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kAhead = 32;      // keys under way at once
constexpr std::size_t kDaysAhead = 16;  // counters whose days are under way at once
// Up to so many points days are in the cache anyway: asking for them takes a tenth of a sum's time and brings nothing.
constexpr std::uint64_t kPointsInCache = std::uint64_t{1} << 20;

// Finds up to kAhead keys. Each step needs what the step before fetched, so one key alone would wait for memory at
// every step; together they wait once.
void find_together(const Directory& directory, std::span<const Key> keys, std::array<const Counter*, kAhead>& found) {
  std::array<std::uint64_t, kAhead> hashes;
  std::array<Page* const*, kAhead> places;
  std::array<const Page*, kAhead> pages;
  for (std::size_t i = 0; i < keys.size(); ++i)
    __builtin_prefetch(places[i] = directory.place(hashes[i] = directory.hash(keys[i])));
  for (std::size_t i = 0; i < keys.size(); ++i) __builtin_prefetch(pages[i] = *places[i]);
  for (std::size_t i = 0; i < keys.size(); ++i) pages[i]->prefetch(hashes[i]);
  for (std::size_t i = 0; i < keys.size(); ++i) found[i] = pages[i]->find(keys[i], hashes[i]);
}

}  // namespace

SeriesReads::SeriesReads(Ref<Directory> directory) : pin_(new Pin), directory_(std::move(directory)) {}
SeriesReads::SeriesReads(const SeriesReads&) = default;
SeriesReads::SeriesReads(SeriesReads&&) noexcept = default;
SeriesReads& SeriesReads::operator=(const SeriesReads&) = default;
SeriesReads& SeriesReads::operator=(SeriesReads&&) noexcept = default;
SeriesReads::~SeriesReads() = default;

template <class Use>
auto SeriesReads::with_counter(Key key, Use&& use) const {
  const std::uint64_t hash = directory_->hash(key);
  const Page& page = directory_->page(hash);
  const Counter* counter = page.find(key, hash);
  if (!removals_) return use(counter);
  Purged purged(*removals_);
  return use(purged(page, counter));
}

std::uint64_t SeriesReads::total(Key key) const {
  return with_counter(key, [](const Counter* counter) { return counter ? counter->total : 0; });
}

std::uint64_t SeriesReads::sum(Key key, BucketRange range) const {
  return with_counter(key, [&](const Counter* counter) { return counter ? counter->total_in(DayRange(range)) : 0; });
}

template <class Prefetch, class Use>
void SeriesReads::with_counters(std::span<const Key> keys, Prefetch&& prefetch, Use&& use) const {
  if (removals_) {
    for (std::size_t i = 0; i < keys.size(); ++i)
      with_counter(keys[i], [&](const Counter* counter) { use(i, counter); });
    return;
  }
  std::array<const Counter*, kAhead> found;
  const bool large = bucket_count_ > kPointsInCache;
  for (std::size_t at = 0; at < keys.size(); at += kAhead) {
    const auto part = keys.subspan(at, std::min(kAhead, keys.size() - at));
    find_together(*directory_, part, found);
    const auto fetch = [&](std::size_t i) {
      if (large && i < part.size() && found[i]) prefetch(*found[i]);
    };
    // Days take several cache lines each; more of them at once than the processor can wait for would only stall it.
    for (std::size_t i = 0; i < kDaysAhead; ++i) fetch(i);
    for (std::size_t i = 0; i < part.size(); ++i) {
      fetch(i + kDaysAhead);
      use(at + i, found[i]);
    }
  }
}

void SeriesReads::totals(std::span<const Key> keys, std::span<std::uint64_t> sums) const {
  with_counters(
      keys, [](const Counter&) {},
      [&](std::size_t i, const Counter* counter) { sums[i] = counter ? counter->total : 0; });
}

void SeriesReads::sums(std::span<const Key> keys, BucketRange range, std::span<std::uint64_t> sums) const {
  const DayRange days(range);
  with_counters(
      keys, [&](const Counter& counter) { counter.prefetch(days); },
      [&](std::size_t i, const Counter* counter) { sums[i] = counter ? counter->total_in(days) : 0; });
}

void SeriesReads::sums(std::span<const Key> keys, const DayRanges& ranges, std::span<std::uint64_t> sums) const {
  with_counters(
      keys, [&](const Counter& counter) { counter.prefetch(ranges); },
      [&](std::size_t i, const Counter* counter) {
        const std::span<std::uint64_t> own = sums.subspan(i * ranges.size(), ranges.size());
        if (counter) return counter->totals_in(ranges, own);
        std::fill(own.begin(), own.end(), 0);
      });
}

void SeriesReads::points(Key key, BucketRange range, std::vector<Point>& points) const {
  with_counter(key, [&](const Counter* counter) {
    if (counter) counter->points(DayRange(range), points);
  });
}

void SeriesReads::points(std::span<const Key> keys, BucketRange range, const VisitPoints& visit) const {
  const DayRange days(range);
  std::vector<Point> found;
  std::array<const Counter*, kAhead> counters;
  for (std::size_t at = 0; at < keys.size(); at += kAhead) {
    const auto part = keys.subspan(at, std::min(kAhead, keys.size() - at));
    if (!removals_) {
      find_together(*directory_, part, counters);
      for (std::size_t i = 0; i < part.size(); ++i)
        if (counters[i]) counters[i]->prefetch(days);
    }
    for (std::size_t i = 0; i < part.size(); ++i) {
      found.clear();
      if (removals_) {
        points(part[i], range, found);
      } else if (counters[i]) {
        counters[i]->points(days, found);
      }
      if (!visit(at + i, found)) return;
    }
  }
}

namespace {

// Calls fits(item, is_first_of_its_key) for each key's items in their order, until it says no for that key. Returns the
// earliest item that was refused. Sorting, unlike a hash table, has no worst case that a client could choose.
template <class Fits>
const Item* first_refused(std::span<const Item> items, Fits fits) {
  std::vector<const Item*> order;
  order.reserve(items.size());
  for (const Item& item : items) order.push_back(&item);
  std::sort(order.begin(), order.end(),
            [](const Item* a, const Item* b) { return std::pair(a->key, a) < std::pair(b->key, b); });
  const Item* refused = nullptr;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t next = i;
    bool fitting = true;
    for (; next < order.size() && order[next]->key == order[i]->key; ++next) {
      if (!fitting || fits(*order[next], next == i)) continue;
      fitting = false;
      if (!refused || order[next] < refused) refused = order[next];
    }
    i = next;
  }
  return refused;
}

// Whatever their keys are, the values cannot take any counter past the end.
bool surely_fits(const SeriesReads& series, std::span<const Item> items) {
  Total sum = 0;
  for (const Item& item : items) sum += item.value;
  return series.largest_total() + sum <= kMax || largest_total(series, items) + sum <= kMax;
}

}  // namespace

std::uint64_t largest_total(const SeriesReads& series, std::span<const Item> items) {
  std::array<Key, kAhead> keys;
  std::array<std::uint64_t, kAhead> totals;
  std::uint64_t largest = 0;
  while (!items.empty()) {
    const std::span<const Item> part = items.first(std::min(items.size(), kAhead));
    for (std::size_t i = 0; i < part.size(); ++i) keys[i] = part[i].key;
    series.totals({keys.data(), part.size()}, {totals.data(), part.size()});
    for (std::size_t i = 0; i < part.size(); ++i) largest = std::max(largest, totals[i]);
    items = items.subspan(part.size());
  }
  return largest;
}

const Item* first_overflow(const SeriesReads& series, std::span<const Item> items) {
  if (surely_fits(series, items)) return nullptr;
  std::uint64_t total = 0;
  return first_refused(items, [&](const Item& item, bool is_first) {
    if (is_first) total = series.total(item.key);
    if (item.value > kMax - total) return false;
    total += item.value;
    return true;
  });
}

const Item* first_set_overflow(const SeriesReads& series, std::span<const Item> items) {
  if (surely_fits(series, items)) return nullptr;
  std::uint64_t total = 0;
  std::map<Bucket, std::uint64_t> changed;
  return first_refused(items, [&](const Item& item, bool is_first) {
    if (is_first) {
      total = series.total(item.key);
      changed.clear();
    }
    auto [bucket, is_new] = changed.try_emplace(item.bucket);
    if (is_new) bucket->second = series.sum(item.key, {item.bucket, item.bucket});
    if (item.value > kMax - (total - bucket->second)) return false;
    total = total - bucket->second + item.value;
    bucket->second = item.value;
    return true;
  });
}

}  // namespace karma::store
