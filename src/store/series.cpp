// Changing a series. Reading: series_reads.cpp; whole scans: series_scan.cpp.
#include "store/series.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/check.h"
#include "core/prefetch.h"
#include "store/directory.h"

namespace karma::store {

// Of a day of a counter.
struct DayPlace {
  DayPlace() = default;
  DayPlace(std::uint64_t hash_of_key, Bucket bucket) : hash(hash_of_key), day(bucket) {}

  std::uint64_t hash = 0;
  Day day;
  std::uint32_t slot = UINT32_MAX;  // of the counter in its page, when somebody looked
};

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kAhead = Series::kFetchedAhead;

// Where at most kAhead items belong, found in steps: while one is on its way into the cache, so are the others.
struct Ahead {
  std::array<DayPlace, kAhead> places;
  std::array<Page* const*, kAhead> pages;

  void fetch(const Directory& directory, std::span<const Item> items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      places[i] = DayPlace(directory.hash(items[i].key), items[i].bucket);
      __builtin_prefetch(pages[i] = directory.place(places[i].hash));
    }
    for (std::size_t i = 0; i < items.size(); ++i) __builtin_prefetch(*pages[i]);
    for (std::size_t i = 0; i < items.size(); ++i) (*pages[i])->prefetch(places[i].hash);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Counter* counter = (*pages[i])->find(items[i].key, places[i].hash);
      if (counter == nullptr) continue;
      counter->prefetch(places[i].day);
      places[i].slot = (*pages[i])->slot_of(*counter);
    }
  }
};

// Calls change(item, place) for all items in order, with the memory each will touch on its way into the cache.
template <class Change>
void for_items(const Ref<Directory>& directory, std::span<const Item> items, Change change) {
  Ahead ahead;
  while (!items.empty()) {
    const std::span<const Item> group = items.first(std::min(items.size(), kAhead));
    ahead.fetch(*directory, group);
    for (std::size_t i = 0; i < group.size(); ++i) change(group[i], ahead.places[i]);
    items = items.subspan(group.size());
  }
}

}  // namespace

Series::Series(std::uint64_t hash_seed) : SeriesReads(Ref<Directory>(new Directory(hash_seed))) {}

Directory& Series::own_directory() {
  if (!directory_.unique()) directory_ = Ref<Directory>(new Directory(*directory_));
  return *directory_;
}

void Series::add_to(Key key, const DayPlace& place, std::uint64_t value) {
  if (value == 0) return;
  Directory& directory = own_directory();
  Page& page = directory.own_page(place.hash);
  std::uint64_t old = 0;
  Counter* counter = page.find(key, place.hash, place.slot);
  if (counter) {
    KARMA_CHECK(value <= kMax - counter->total);
    old = counter->add(place.day, value);
  } else {
    Page& roomy = directory.own_page_with_room(place.hash);
    counter = &roomy.empty_slot(place.hash);
    counter->key = key.value;
    counter->put(place.day, value);
    roomy.slot_filled();
    ++key_count_;
  }
  bucket_count_ += old == 0;
  total_ += value;
  largest_total_ = std::max(largest_total_, counter->total);
}

void Series::set_to(Key key, const DayPlace& place, std::uint64_t value) {
  const Counter* existing = directory_->page(place.hash).find(key, place.hash);
  std::uint64_t old = existing ? existing->value(place.day) : 0;
  if (value == old) return;
  if (old == 0) return add_to(key, place, value);
  Page& page = own_directory().own_page(place.hash);
  Counter* counter = page.find(key, place.hash, place.slot);
  KARMA_CHECK(value <= kMax - (counter->total - old));
  counter->put(place.day, value);
  bucket_count_ -= value == 0;
  total_ = total_ - old + value;
  largest_total_ = std::max(largest_total_, counter->total);
  if (!counter->empty()) return;
  page.slot_emptied(*counter, directory_->seed());
  --key_count_;
  give_memory_back(place.hash);
}

void Series::add(Key key, Bucket bucket, std::uint64_t value) {
  add_to(key, DayPlace(directory_->hash(key), bucket), value);
}

void Series::add(std::span<const Item> items) {
  for_items(directory_, items, [&](const Item& item, const DayPlace& place) { add_to(item.key, place, item.value); });
}

void Series::fetch_ahead(std::span<const Item> items) const {
  fetches_ahead();
  Ahead ahead;
  ahead.fetch(*directory_, items.first(std::min(items.size(), kAhead)));
}

void Series::subtract(Key key, Bucket bucket, std::uint64_t value) {
  const DayPlace place(directory_->hash(key), bucket);
  const Counter* counter = directory_->page(place.hash).find(key, place.hash);
  if (!counter) return;
  std::uint64_t old = counter->value(place.day);
  set_to(key, place, old - std::min(old, value));
}

void Series::set(Key key, Bucket bucket, std::uint64_t value) {
  set_to(key, DayPlace(directory_->hash(key), bucket), value);
}

void Series::set(std::span<const Item> items) {
  for_items(directory_, items, [&](const Item& item, const DayPlace& place) { set_to(item.key, place, item.value); });
}

// After counters of the page were removed.
void Series::give_memory_back(std::uint64_t hash) {
  if (key_count_ == 0) {
    clear();
  } else {
    directory_->shrink(hash);
  }
}

bool Series::reset(Key key) {
  return remove_range(key, {Bucket::of_number(0), Bucket::of_number(kMax)}) == Removed::some;
}

Series::Removed Series::remove_range(Key key, BucketRange range) {
  std::uint64_t hash = directory_->hash(key);
  const Counter* existing = directory_->page(hash).find(key, hash);
  if (!existing) return Removed::no_counter;
  DayRange days(range);
  if (existing->sum(days).nonzero == 0) return Removed::nothing_in_range;
  Page& page = own_directory().own_page(hash);
  Counter* counter = page.find(key, hash);
  DenseSum removed = counter->remove(days);
  total_ -= removed.total;
  bucket_count_ -= removed.nonzero;
  if (counter->empty()) {
    page.slot_emptied(*counter, directory_->seed());
    --key_count_;
    give_memory_back(hash);
  }
  return Removed::some;
}

void Series::remove_range(BucketRange range) {
  DayRange days(range);
  // Pages keep their hashes here; and clear() leaves one that is empty.
  std::uint64_t hash = 0;
  do {
    const Page& page = directory_->page(hash);
    const std::uint64_t next = page.end_hash();
    // Pages in which nothing changes stay shared with the views.
    bool affected = std::any_of(page.begin(), page.end(), [&](const Counter& c) { return c.sum(days).nonzero != 0; });
    if (affected) remove_from_page(hash, days);
    hash = next;
  } while (hash != 0 && key_count_ != 0);
}

void Series::remove_from_page(std::uint64_t hash, const DayRange& range) {
  Page& page = own_directory().own_page(hash);
  for (Counter* counter = page.begin(); counter != page.end();) {
    DenseSum removed = counter->remove(range);
    total_ -= removed.total;
    bucket_count_ -= removed.nonzero;
    if (removed.nonzero != 0 && counter->empty()) {
      // Another counter may have moved into this slot: look again. One that moves around the end was here already.
      page.slot_emptied(*counter, directory_->seed());
      --key_count_;
    } else {
      ++counter;
    }
  }
  give_memory_back(hash);
}

void Series::remove_before(Bucket bucket) {
  if (bucket.number() > 0) remove_range({Bucket::of_number(0), Bucket::of_number(bucket.number() - 1)});
}

void Series::clear() { *this = Series(directory_->seed()); }

bool Series::load(Key key, std::span<const Point> points) {
  if (points.empty()) return true;
  std::uint64_t hash = directory_->hash(key);
  if (directory_->page(hash).find(key, hash)) return false;
  Page& page = own_directory().own_page_with_room(hash);  // before there is a block that would be lost if it failed
  Counter loaded;
  if (!loaded.assign(points)) return false;
  loaded.key = key.value;
  page.empty_slot(hash) = loaded;
  page.slot_filled();
  ++key_count_;
  bucket_count_ += points.size();
  total_ += loaded.total;
  largest_total_ = std::max(largest_total_, loaded.total);
  return true;
}

void Series::check_invariants() const {
  directory_->check_invariants();
  std::uint64_t keys = 0;
  std::uint64_t buckets = 0;
  Total total = 0;
  directory_->for_each_page([&](const Page& page) {
    for (const Counter& counter : page) {
      keys += !counter.empty();
      buckets += counter.bucket_count();
      total += counter.total;
      KARMA_CHECK(counter.total <= largest_total_);
    }
    return true;
  });
  KARMA_CHECK(keys == key_count_ && buckets == bucket_count_ && total == total_);
}

}  // namespace karma::store
