// Changing a series. Reading: series_reads.cpp; whole scans: series_scan.cpp.
#include "store/series.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <limits>
#include <memory>

#include "core/check.h"
#include "core/prefetch.h"
#include "store/directory.h"
#include "store/key_windows.h"
#include "store/removals.h"

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
constexpr std::uint64_t kKeysPerRecent = 16;
constexpr std::uint64_t kMostRecent = 1 << 20;
constexpr std::size_t kLooksPerClone = 8;  // at all counters of a page

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

Series::Series(std::uint64_t hash_seed) : SeriesReads(Ref<Directory>(new Directory(hash_seed))) {
  static std::atomic<std::uint64_t> next{1};
  identity_ = next.fetch_add(1, std::memory_order_relaxed);
}

Directory& Series::own_directory() {
  if (!directory_.unique()) directory_ = Ref<Directory>(new Directory(*directory_));
  return *directory_;
}

std::size_t Series::pages_cloned() { return Directory::pages_cloned(); }

std::vector<Ref<Page>> Series::clone_ahead(std::span<const Item> items) const {
  const bool all = !directory_.unique();
  std::vector<std::uint64_t> hashes;  // the first of each page
  hashes.reserve(items.size());
  for (const Item& item : items) {
    const std::uint64_t hash = directory_->hash(item.key);
    if (all || directory_->shares(hash)) hashes.push_back(directory_->page(hash).first_hash());
  }
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  std::vector<Ref<Page>> clones;
  clones.reserve(hashes.size());
  for (const std::uint64_t hash : hashes) clones.push_back(directory_->clone_page(hash));
  return clones;
}

bool Series::is_ready(std::span<const Item> items, std::size_t& few) const {
  const bool all = !directory_.unique();
  for (const Item& item : items) {
    const std::uint64_t hash = directory_->hash(item.key);
    const bool ready = !all && !directory_->shares(hash) && (!removals_ || removals_->seen_by(directory_->page(hash)));
    if (ready) continue;
    if (few == 0) return false;
    --few;
  }
  return true;
}

void Series::put_clones(std::vector<Ref<Page>> clones) {
  Directory& directory = own_directory();
  for (Ref<Page>& clone : clones) directory.put_clone(std::move(clone));
}

void Series::add_to(Key key, const DayPlace& place, std::uint64_t value) {
  if (value == 0) return;
  purge(place.hash);
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
    note_added(key);
  }
  bucket_count_ += old == 0;
  total_ += value;
  largest_total_ = std::max(largest_total_, counter->total);
}

void Series::set_to(Key key, const DayPlace& place, std::uint64_t value) {
  purge(place.hash);
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
  purge(place.hash);
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
  purge(hash);
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

std::size_t Series::removal_count() const { return removals_ ? removals_->entries.size() : 0; }

void Series::begin_removal(BucketRange range) {
  const DayRange days(range);
  if (days.from > days.to || key_count_ == 0) return;
  if (removal_count() >= kMaxRemovals) {
    for (std::size_t all = SIZE_MAX; purge_some(all);) all = SIZE_MAX;
  }
  auto* removals = new Removals;
  Ref<const Removals> holder(removals);
  if (removals_) {
    // What lies inside the new range goes with it.
    for (const Removals::Entry& entry : removals_->entries)
      if (entry.range.from < days.from || entry.range.to > days.to) removals->entries.push_back(entry);
  } else {
    cursor_ = 0;
  }
  removals->entries.push_back({++generation_, days});
  removals_ = std::move(holder);
  stop_ = cursor_;  // all pages once more, from here on
}

bool Series::purge_some(std::size_t& slots) {
  while (removals_ && slots != 0) {
    const Page& page = directory_->page(cursor_);
    const std::uint64_t end = page.end_hash();
    slots -= std::min<std::size_t>(slots, page.slots() * removals_->entries.size());
    purge_page(cursor_);
    cursor_ = end;
    if (cursor_ == stop_) removals_ = {};
  }
  return static_cast<bool>(removals_);
}

std::size_t Series::purge_pages(std::span<const Item> items, std::size_t slots) {
  std::size_t done = 0;
  while (removals_ && done < items.size() && slots != 0) {
    const std::uint64_t hash = directory_->hash(items[done++].key);
    const Page& page = directory_->page(hash);
    if (removals_->seen_by(page)) continue;
    slots -= std::min<std::size_t>(slots, page.slots() * removals_->entries.size());
    purge_page(hash);
  }
  return removals_ ? done : items.size();
}

// Pages in which nothing changes stay shared with the views.
void Series::purge_page(std::uint64_t hash) {
  const Ref<const Removals> removals = removals_;
  const Page* page = &directory_->page(hash);
  if (removals->seen_by(*page)) return;
  Directory::count_as_cloned(1 + removals->entries.size() / kLooksPerClone);
  const std::uint64_t seen = page->generation();
  for (const Removals::Entry& entry : removals->entries) {
    if (entry.generation <= seen) continue;
    const bool affected =
        std::any_of(page->begin(), page->end(), [&](const Counter& c) { return c.sum(entry.range).nonzero != 0; });
    if (!affected) continue;
    remove_from_page(hash, entry.range);
    if (key_count_ == 0) return;  // cleared
    page = &directory_->page(hash);
  }
  directory_->set_generation(hash, removals->newest());
}

void Series::remove_range(BucketRange range) {
  begin_removal(range);
  std::size_t all = SIZE_MAX;
  purge_some(all);
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

BucketRange Series::range_before(Bucket bucket) {
  if (bucket.number() == 0) return {Bucket::of_number(1), Bucket::of_number(0)};
  return {Bucket::of_number(0), Bucket::of_number(bucket.number() - 1)};
}

void Series::clear() {
  std::vector<Series>* const deferred_free = deferred_free_;
  Series cleared(directory_->seed());
  std::swap(*this, cleared);
  deferred_free_ = deferred_free;
  if (deferred_free != nullptr) deferred_free->push_back(std::move(cleared));
}

std::size_t Series::page_count() const { return directory_->page_count(); }

// Its memory is not touched before it is used: the system would have to find millions of bytes at once, for 12 ms.
void Series::note_added(Key key) {
  if (key_count_ >= kWindowedKeys) {
    const std::uint64_t wanted = std::min(key_count_ / kKeysPerRecent, kMostRecent);
    if (recent_size_ < wanted / 2 || recent_size_ == 0) {
      recent_size_ = std::bit_floor(wanted);
      recent_ = std::make_unique_for_overwrite<std::uint64_t[]>(recent_size_);
      recent_from_ = added_;
    }
    recent_[added_ & (recent_size_ - 1)] = key.value;
  } else if (recent_size_ != 0) {
    recent_.reset();
    recent_size_ = 0;
  }
  ++added_;
}

bool Series::added_since(std::uint64_t added, std::vector<Key>& keys) const {
  if (added == added_) return true;
  if (recent_size_ == 0 || added < recent_from_ || added_ - added > recent_size_) return false;
  for (; added != added_; ++added) keys.push_back({recent_[added & (recent_size_ - 1)]});
  return true;
}

bool Series::load(Key key, std::span<const Point> points) {
  if (points.empty()) return true;
  std::uint64_t hash = directory_->hash(key);
  purge(hash);
  if (directory_->page(hash).find(key, hash)) return false;
  Page& page = own_directory().own_page_with_room(hash);  // before there is a block that would be lost if it failed
  Counter loaded;
  if (!loaded.assign(points)) return false;
  loaded.key = key.value;
  page.empty_slot(hash) = loaded;
  page.slot_filled();
  ++key_count_;
  note_added(key);
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
