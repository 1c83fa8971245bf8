// The state that the log rebuilds: series by name, and the exactly-once state beside them.
//
// One thread (the writer) changes the store; it holds StoreLock exclusively while it does. Any registered reader thread
// may look at it while it holds its own side of the lock. Long reads take a SeriesView under the lock, let go of the
// lock, and read the view: it never changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/exactly_once.h"
#include "store/hash.h"
#include "store/key_windows.h"
#include "store/series.h"
#include "store/store_lock.h"

namespace karma::store {

class Store {
 public:
  // `hash_seed` keeps clients from choosing keys that collide; random per process.
  explicit Store(std::uint64_t hash_seed);

  Series* find(std::string_view name);
  const Series* find(std::string_view name) const;
  Series& find_or_create(std::string_view name);
  // False if there is none. Like clear() and replace(), it does not free the old content, which may take long, but
  // keeps it for the deferred-free list.
  bool drop(std::string_view name);
  // Empties the series. False if there is none.
  bool clear(std::string_view name);
  // Creates the series or puts `series` in its place.
  void replace(std::string_view name, Series series);
  // Begins to remove the range from all counters of the series, which exists. It is gone at once; the pages are gone
  // through by purge_some().
  void remove_range(std::string_view name, BucketRange range);
  // Goes on with that for about `slots` counters. For the writer, which holds the lock.
  void purge_some(std::size_t slots);
  void purge_all();
  bool purged() const { return unpurged_.empty(); }

  // What drop(), clear(), replace() and free_later() left. To be freed without the lock, and not by the writer if that
  // takes long; readers may be inside. Without it nothing is lost but memory.
  std::vector<Series> take_deferred_free() { return std::exchange(deferred_free_, {}); }
  bool has_deferred_free() const { return !deferred_free_.empty(); }
  // Keeps a series that nobody needs any more.
  void free_later(Series series) { deferred_free_.push_back(std::move(series)); }
  // An empty series that hashes like the ones of this store: what replace() wants.
  Series make_series() const;

  // Changes all content with another store of the same seed: how a slave gets its master's data at once. For the
  // writer, which holds the lock; nobody else uses the other one.
  void swap(Store& other);
  std::uint64_t hash_seed() const { return hash_seed_; }

  std::vector<std::string> names() const;           // ascending by bytes
  std::vector<std::string> unsorted_names() const;  // for callers that sort them without the lock
  std::size_t series_count() const;
  std::uint64_t key_count() const;  // over all series

  ExactlyOnceState& exactly_once() { return exactly_once_; }
  const ExactlyOnceState& exactly_once() const { return exactly_once_; }

  StoreLock& lock() const { return lock_; }
  KeyWindows& key_windows() const { return key_windows_; }

  // Aborts with a message if an invariant is broken (see series.h). For tests.
  void check_invariants() const;

 private:
  using SeriesByName = std::unordered_map<std::string, Series, TextHash, std::equal_to<>>;
  const SeriesByName::value_type* look_up(std::string_view name) const;
  Series make_own_series();  // which clears into the deferred-free list

  std::uint64_t hash_seed_;
  SeriesByName series_;
  // The one that was written to last, which is mostly the next one that is asked for. Elements of the map stay in their
  // place until they are erased.
  SeriesByName::value_type* latest_ = nullptr;
  ExactlyOnceState exactly_once_;
  // Both are the writer's alone; readers never look.
  std::vector<Series> deferred_free_;
  std::vector<std::string> unpurged_;  // series with removals under way
  mutable StoreLock lock_;
  mutable KeyWindows key_windows_;
};

}  // namespace karma::store
