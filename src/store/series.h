// One series: a map from key to counter, a counter being its days and their sum.
//
// Layout. A directory of pages, found by the top bits of the key's seeded hash (extendible hashing: a full page splits
// into two, the directory doubles when it must), each page an open-addressing table of counters. A counter is 32 bytes:
// key, total, and its days as a single value in place, as a dense block (first day, one value of 1, 2, 4 or 8 bytes a
// day, widened on demand) or as sorted pairs (bucket, value) where days are sparse or buckets are no dates.
//
// Copy-on-write. view() pins the directory with a reference count; a writer that meets a pinned directory or page
// clones it first. So a view costs one increment and stays what it was.
//
// Removing a range of days from all counters is entered in one step and done later, a few pages at a time, as reading
// and changing know of it (removals.h): with millions of counters nobody waits for it. Only the counts of the whole
// series are too high until it is done.
//
// Invariants (check_invariants): a counter's total is the sum of its days and above 0; no day holds 0; a counter
// without days does not exist; key_count, bucket_count and total are the sums over all counters; every key is in the
// page that its hash selects, once; largest_total() is no smaller than any counter's total.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <karma/types.h>

#include "core/ref.h"

namespace karma::store {

class Digest;     // digest.h
class Directory;  // pages of counters, reference-counted; directory.h
class Page;
struct Removals;  // removals.h
struct DayPlace;
struct Day;
struct DayRange;
class DayRanges;

// Removals under way in a series; one more would cost reads too much.
inline constexpr std::size_t kMaxRemovals = 256;

using Total = unsigned __int128;  // of a whole series: saturates only on the wire

struct Point {
  Bucket bucket;
  std::uint64_t value = 0;
  friend bool operator==(Point, Point) = default;
};

struct KeyTotal {
  Key key;
  std::uint64_t total = 0;
  friend bool operator==(KeyTotal, KeyTotal) = default;
};

// What a counter has in a range, and what it has in another to which that is compared.
struct KeyChange {
  Key key;
  std::uint64_t value = 0;
  std::uint64_t previous = 0;
  __int128 delta() const { return static_cast<__int128>(value) - static_cast<__int128>(previous); }
  friend bool operator==(KeyChange, KeyChange) = default;
};

// Of changes: by value, or by delta, the largest first.
enum class ChangeOrder : std::uint8_t { value, delta };

struct RangeSummary {
  Total total = 0;
  std::uint64_t active_keys = 0;   // with a value above 0 in the range
  std::uint64_t bucket_count = 0;  // days of all keys in the range
};

// Asked every few thousand counters of a long read; returning true ends the read early (its result is then void).
using Interrupt = std::function<bool()>;

// Reads that Series and SeriesView share. Thread-safe as long as nothing changes the object.
class SeriesReads {
 public:
  std::uint64_t total(Key key) const;  // 0 if there is no such counter
  std::uint64_t sum(Key key, BucketRange range) const;
  // sums[i] belongs to keys[i]; fetches ahead, so much faster than one by one.
  void totals(std::span<const Key> keys, std::span<std::uint64_t> sums) const;
  void sums(std::span<const Key> keys, BucketRange range, std::span<std::uint64_t> sums) const;
  // Of several ranges in one pass over each counter: ranges.size() sums for each key, one key's after the other's.
  void sums(std::span<const Key> keys, const DayRanges& ranges, std::span<std::uint64_t> sums) const;
  // Points of one counter inside the range, buckets ascending, appended to `points`.
  void points(Key key, BucketRange range, std::vector<Point>& points) const;
  // visit(i, points of keys[i]), one after the other, until it returns false; fetches ahead, too.
  using VisitPoints = std::function<bool(std::size_t i, std::span<const Point> points)>;
  void points(std::span<const Key> keys, BucketRange range, const VisitPoints& visit) const;

  // Exact if counted(); too high while a removal is under way.
  std::uint64_t key_count() const { return key_count_; }
  std::uint64_t bucket_count() const { return bucket_count_; }
  Total total() const { return total_; }
  bool counted() const { return !removals_; }
  // Which series this is: another one for each, also of the same name.
  std::uint64_t identity() const { return identity_; }
  // How many counters have been added so far.
  std::uint64_t added() const { return added_; }
  // An upper bound of every counter's total, to prove that an addition cannot overflow. It rises with the counters and
  // falls only when the series becomes empty: after the largest counter shrinks it stays too large, which costs
  // first_overflow() its shortcut and nothing else.
  std::uint64_t largest_total() const { return largest_total_; }

  // Long reads: use them on a view. They replace `result`, and return false if interrupted.
  // The first `limit` counters with a key above `after` (all from the smallest key without it), keys ascending;
  // one more than `limit` tells nothing: ask for limit + 1 to learn whether more remain.
  bool keys(const Key* after, std::size_t limit, std::vector<KeyTotal>& result, const Interrupt& interrupt) const;
  // The `limit` largest totals or, with a range, sums; value descending, key ascending; zeros left out.
  bool top(const BucketRange* range, std::size_t limit, std::vector<KeyTotal>& result,
           const Interrupt& interrupt) const;
  // The same beside sums of a second range. By value, those of top(); by delta, of all that have something in either.
  bool top_changes(BucketRange range, BucketRange previous, ChangeOrder order, std::size_t limit,
                   std::vector<KeyChange>& result, const Interrupt& interrupt) const;
  bool summary(BucketRange range, RangeSummary& result, const Interrupt& interrupt) const;
  // The first `limit` keys above `after`, or of all, ascending.
  bool next_keys(const Key* after, std::size_t limit, std::vector<Key>& result, const Interrupt& interrupt) const;
  // Adds all counters to the digest.
  bool add_to(Digest& digest, const Interrupt& interrupt) const;
  // All keys, ascending.
  bool all_keys(std::vector<Key>& result, const Interrupt& interrupt) const;
  // Every counter once, in storage order: key, total, points ascending (valid during the call only).
  bool for_each(const std::function<void(Key, std::uint64_t total, std::span<const Point>)>& visit,
                const Interrupt& interrupt = {}) const;
  // The same, sorted by key % divisor: begin(count) comes before the counters of each remainder, also if there are
  // none. Takes 8 bytes a counter. `divisor` is at least 1.
  bool for_each_by_remainder(std::uint64_t divisor, const std::function<void(std::uint64_t count)>& begin,
                             const std::function<void(Key, std::uint64_t total, std::span<const Point>)>& visit,
                             const Interrupt& interrupt = {}) const;

 protected:
  explicit SeriesReads(Ref<Directory> directory);
  SeriesReads(const SeriesReads&);
  SeriesReads(SeriesReads&&) noexcept;
  SeriesReads& operator=(const SeriesReads&);
  SeriesReads& operator=(SeriesReads&&) noexcept;
  ~SeriesReads();

  // use(counter) with what the counter is now, or nullptr.
  template <class Use>
  auto with_counter(Key key, Use&& use) const;
  // use(i, counter or nullptr) for each of the keys, in their order. Fetches the counters ahead and, by
  // prefetch(counter), what `use` reads of them.
  template <class Prefetch, class Use>
  void with_counters(std::span<const Key> keys, Prefetch&& prefetch, Use&& use) const;

  struct Pin : RefCounted {};
  Ref<Pin> pin_;  // a view has it until it has let go of its pages: before the directory, so that it goes after it
  Ref<Directory> directory_;
  Ref<const Removals> removals_;  // under way, if any
  std::uint64_t key_count_ = 0;
  std::uint64_t bucket_count_ = 0;
  Total total_ = 0;
  std::uint64_t largest_total_ = 0;
  std::uint64_t identity_ = 0;
  std::uint64_t added_ = 0;
};

// What a series was when the view was taken. Copyable; thread-safe to read.
class SeriesView : public SeriesReads {
 public:
  // Makes the counts exact, by a long read if need be; false if interrupted.
  bool count(const Interrupt& interrupt);

 private:
  friend class Series;
  explicit SeriesView(const SeriesReads& reads) : SeriesReads(reads) {}
};

// Changed by one thread at a time, which holds the store's lock. What was moved from may only be assigned or destroyed.
class Series : public SeriesReads {
 public:
  explicit Series(std::uint64_t hash_seed);
  Series(Series&&) noexcept = default;
  Series& operator=(Series&&) noexcept = default;

  SeriesView view() const { return SeriesView(*this); }

  // So many changes are fetched ahead at once: more than the processor keeps under way, few enough for the first-level
  // cache.
  static constexpr std::size_t kFetchedAhead = 32;
  // Brings the memory that changing these counters will touch on its way into the cache: for single changes that come
  // one after the other. At most kFetchedAhead items; the values do not matter.
  void fetch_ahead(std::span<const Item> items) const;

  // Changing pages that views have, too, takes clones of them. For many items at once these are made before, without
  // the lock, a few at a time: clone_ahead() by the thread that changes the series, then put_clones() with the lock
  // held.
  bool shares_pages() const { return !pin_.unique(); }  // there are views
  std::vector<Ref<Page>> clone_ahead(std::span<const Item> items) const;
  void put_clones(std::vector<Ref<Page>> clones);
  // Is there nothing left to clone or to take off for these, with `few` exceptions, which it counts down?
  bool is_ready(std::span<const Item> items, std::size_t& few) const;
  // Of all series, by this thread, so far: a measure of what single changes cost beside themselves. A page that takes
  // off what removals want of it counts, too.
  static std::size_t pages_cloned();

  // Adds; a value of 0 changes nothing. Precondition (asserted): the counter's total does not pass 2^64-1.
  void add(Key key, Bucket bucket, std::uint64_t value);
  void add(std::span<const Item> items);  // the same for many, fetching ahead
  // Takes at most what the bucket holds; other buckets are untouched.
  void subtract(Key key, Bucket bucket, std::uint64_t value);
  // Puts the value in place of the bucket's; 0 removes the bucket. Precondition as for add.
  void set(Key key, Bucket bucket, std::uint64_t value);
  void set(std::span<const Item> items);  // one after the other, so later items win

  enum class Removed { no_counter, nothing_in_range, some };
  bool reset(Key key);  // false if there was no such counter
  Removed remove_range(Key key, BucketRange range);
  void clear();

  // Of all counters: begins it, and the range is gone for whoever looks. purge_some() goes through the pages, about
  // `slots` counters' worth, and takes off what it did; true: there is more to do. remove_range() does all at once.
  void begin_removal(BucketRange range);
  bool purge_some(std::size_t& slots);
  // The same for the pages of these items, which changing them would do at once. Returns how many items are done, at
  // least one if there are any and `slots` is not 0.
  std::size_t purge_pages(std::span<const Item> items, std::size_t slots);
  void remove_range(BucketRange range);
  static BucketRange range_before(Bucket bucket);  // may be empty
  // Removals under way; at kMaxRemovals the next one does them all at once.
  std::size_t removal_count() const;

  // Appends the keys of the counters that were added after the first `added`, in any order; false if that is not known
  // any more. A large series knows the last sixteenth of its keys, or the last million.
  bool added_since(std::uint64_t added, std::vector<Key>& keys) const;

  // Where clear() puts what there was, which may take long to be freed.
  void clear_into(std::vector<Series>* deferred_free) { deferred_free_ = deferred_free; }
  // A measure of how long that takes.
  std::size_t page_count() const;

  // Loading a snapshot: one whole counter, points with ascending buckets and values above 0. False, and nothing
  // changed, if the points are not so, the key exists already, or the total passes 2^64-1. No points: true, and nothing
  // is stored.
  bool load(Key key, std::span<const Point> points);

  // Aborts with a message if an invariant is broken. For tests.
  void check_invariants() const;

 private:
  Directory& own_directory();
  void add_to(Key key, const DayPlace& place, std::uint64_t value);
  void set_to(Key key, const DayPlace& place, std::uint64_t value);
  void give_memory_back(std::uint64_t hash);
  void remove_from_page(std::uint64_t hash, const DayRange& range);
  void purge_page(std::uint64_t hash);
  void purge(std::uint64_t hash) {
    if (removals_) purge_page(hash);
  }

  void note_added(Key key);

  std::vector<Series>* deferred_free_ = nullptr;
  // The keys that were added last, number n in place n % size; those before recent_from_ are not there.
  std::unique_ptr<std::uint64_t[]> recent_;
  std::uint64_t recent_size_ = 0;
  std::uint64_t recent_from_ = 0;
  std::uint64_t generation_ = 0;  // of the last removal
  // Where the pages are gone through next, and where that ends.
  std::uint64_t cursor_ = 0;
  std::uint64_t stop_ = 0;
};

// The largest total of the counters of `items`.
std::uint64_t largest_total(const SeriesReads& series, std::span<const Item> items);

// Would adding all `items` (whatever their order) take any counter past 2^64-1? Returns the first item, in order, at
// which it happens, or nullptr. Costs little when the largest total and the sum of the values prove that it cannot.
const Item* first_overflow(const SeriesReads& series, std::span<const Item> items);
// The same for setting them one after the other.
const Item* first_set_overflow(const SeriesReads& series, std::span<const Item> items);

}  // namespace karma::store
