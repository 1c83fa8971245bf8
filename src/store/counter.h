// One counter: its key, its total and its days. 32 bytes, and a block of memory unless it has a single calendar day.
//
// Forms. `single`: one calendar day, whose value is the total; no block. `dense`: one value of `width` bytes for each
// of `length` days from first_day on, 0 meaning no such day; blocks fill their malloc size class, so both ends may hold
// zeros to grow into. `sparse`: `length` pairs (bucket number, value), ascending, for days far apart and for buckets
// that are no dates. Whichever takes less memory is chosen when a block has to grow, a factor of two apart in the two
// directions, so that a counter near the border does not go back and forth.
//
// Invariants: total is the sum of all values, and 0 means that the slot is empty (no block); a sparse value is never 0;
// a dense block has a value above 0, and no such value outside the years 0001 to 9999.
//
// A counter is plain memory that its page moves about as bytes; the page calls release() for what it drops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "store/day_range.h"
#include "store/dense_sum.h"
#include "store/series.h"

namespace karma::store {

enum class CounterForm : std::uint32_t { single, dense_1, dense_2, dense_4, dense_8, sparse };

class Counter {
 public:
  std::uint64_t key = 0;
  std::uint64_t total = 0;

  bool empty() const { return total == 0; }
  CounterForm form() const { return form_; }

  std::uint64_t value(const Day& day) const;
  DenseSum sum(const DayRange& range) const;            // also counts the days
  std::uint64_t total_in(const DayRange& range) const;  // sum().total, at once where the range covers all days
  // total_in() of each range; totals[i] belongs to range i.
  void totals_in(const DayRanges& ranges, std::span<std::uint64_t> totals) const;
  void points(const DayRange& range, std::vector<Point>& points) const;  // appends
  std::uint64_t bucket_count() const;

  // Puts `value`, also 0, in place of the day's and corrects the total, which must not pass 2^64-1. The counter may be
  // empty afterwards.
  void put(const Day& day, std::uint64_t value);
  // Adds a value above 0 under the same condition. Returns what the day had before.
  std::uint64_t add(const Day& day, std::uint64_t value);
  DenseSum remove(const DayRange& range);  // returns what was removed
  // For an empty counter: takes over the points, and their sum as its total. False, and nothing changed, if they do not
  // ascend, one is 0, or the sum passes 2^64-1.
  bool assign(std::span<const Point> points);

  void release();              // frees the block and leaves the counter empty
  Counter clone() const;       // with a block of its own
  std::size_t memory() const;  // bytes of the block

  // Brings the memory that sum() will read on its way into the cache.
  void prefetch(const DayRange& range) const;
  void prefetch(const DayRanges& ranges) const;
  void prefetch(const Day& day) const;
  void prefetch() const {  // or clone()
    if (block_ != nullptr) __builtin_prefetch(block_);
  }

  void check_invariants() const;

 private:
  // What is in a dense block: the days of the first and the last value above 0, how many there are, and all bits that
  // are set in any of them.
  struct Extent {
    std::int32_t first_day;
    std::int32_t last_day;
    std::uint64_t count;
    std::uint64_t bits;
  };

  bool is_dense() const { return form_ != CounterForm::single && form_ != CounterForm::sparse; }
  unsigned width() const { return 1u << (static_cast<unsigned>(form_) - 1); }
  std::int32_t end_day() const { return first_day_ + static_cast<std::int32_t>(length_); }
  Point* pairs() const { return reinterpret_cast<Point*>(block_); }
  std::uint32_t lower_bound(std::uint64_t number) const;  // in pairs()
  std::uint64_t load(std::uint32_t index) const;          // a dense value
  void store(std::uint32_t index, std::uint64_t value);
  std::span<const std::byte> clip(const DayRange& range) const;  // the part of a dense block inside the range
  Extent extent() const;

  void free_days();
  void put_inside(std::uint32_t index, std::uint64_t value);
  void put_outside(const Day& day, std::uint64_t value);
  void put_sparse(const Day& day, std::uint64_t value);
  void insert_pair(std::uint32_t index, Point pair);
  void resize_pairs(std::size_t size);
  void erase_pairs(std::uint32_t from, std::uint32_t to);
  void make_dense(std::int32_t first_day, std::int32_t last_day, unsigned width, bool room_in_front);
  void make_sparse();
  void make_smallest();
  void make_dense_if_smaller();

  std::byte* block_ = nullptr;
  std::int32_t first_day_ = 0;
  CounterForm form_ : 3 = CounterForm::single;
  std::uint32_t length_ : 29 = 0;
};

static_assert(sizeof(Counter) == 32);

}  // namespace karma::store
