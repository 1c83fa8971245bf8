// Changing a counter, and choosing its form.
#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "core/check.h"
#include "store/block.h"
#include "store/counter.h"

namespace karma::store {
namespace {

unsigned width_of(std::uint64_t value) {
  if (value <= 0xFF) return 1;
  if (value <= 0xFFFF) return 2;
  return value <= 0xFFFFFFFF ? 4 : 8;
}

CounterForm form_of(unsigned width) { return static_cast<CounterForm>(1 + std::countr_zero(width)); }

std::size_t dense_size(std::int32_t first_day, std::int32_t last_day, unsigned width) {
  return block_size((static_cast<std::size_t>(last_day - first_day) + 1) * width);
}

std::size_t sparse_size(std::uint64_t count) { return block_size(count * sizeof(Point)); }

std::byte* zeroed_block(std::size_t size) {
  std::byte* const block = allocate_block(size);
  std::memset(block, 0, size);
  return block;
}

// Calls place(day, value) for the points (buckets ascending), as long as they are dates; false at the first month with
// one that is none. If the last point of a month is a date, so are the others: one look at the calendar a month.
template <class Place>
bool for_days(std::span<const Point> points, Place place) {
  for (auto from = points.begin(); from != points.end();) {
    const std::uint64_t first = from->bucket.number();
    const std::uint64_t month = first - first % 100;
    auto to = from + 1;
    while (to != points.end() && to->bucket.number() - month < 100) ++to;
    const Bucket last = to[-1].bucket;
    const std::optional<std::int32_t> day = last.day();
    if (!day || first == month) return false;
    for (; from != to; ++from)
      place(*day - static_cast<std::int32_t>(last.number() - from->bucket.number()), from->value);
  }
  return true;
}

// How the points would lie in a dense block if all are dates; width 0 if they cannot, or if it would be larger than
// pairs. `bits`: all that are set in any value.
struct DenseFit {
  std::int32_t first_day = 0;
  std::int32_t last_day = 0;
  unsigned width = 0;
};

DenseFit dense_fit(std::span<const Point> points, std::uint64_t bits) {
  auto first = points.front().bucket.day();
  auto last = points.back().bucket.day();
  if (!first || !last || dense_size(*first, *last, width_of(bits)) > sparse_size(points.size())) return {};
  return DenseFit{*first, *last, width_of(bits)};
}

// False if one of the points is no date.
bool fill_dense(std::span<const Point> points, const DenseFit& fit, std::byte* block) {
  return with_values_of(fit.width, [&](auto value) {
    return for_days(points, [&](std::int32_t day, std::uint64_t wide) {
      value = static_cast<decltype(value)>(wide);
      std::memcpy(block + static_cast<std::size_t>(day - fit.first_day) * sizeof value, &value, sizeof value);
    });
  });
}

}  // namespace

void Counter::store(std::uint32_t index, std::uint64_t value) {
  with_values_of(width(), [&](auto narrow) {
    narrow = static_cast<decltype(narrow)>(value);
    std::memcpy(block_ + index * sizeof narrow, &narrow, sizeof narrow);
  });
}

// Precondition: form and length are those that the block was made for.
void Counter::free_days() {
  const std::size_t size = memory();
  free_block(std::exchange(block_, nullptr), size);
}

void Counter::release() {
  free_days();
  std::uint64_t same_key = key;
  *this = Counter();
  key = same_key;
}

// Precondition: dense, and not empty. A block is made of whole words, whatever the width of its values.
Counter::Extent Counter::extent() const {
  std::size_t words = memory() / 8;
  auto word = [&](std::size_t i) {
    std::uint64_t values;
    std::memcpy(&values, block_ + 8 * i, 8);
    return values;
  };
  std::size_t first = 0;
  std::size_t last = words - 1;
  while (word(first) == 0) ++first;
  while (word(last) == 0) --last;
  std::uint64_t bits = 0;
  for (std::size_t i = first; i <= last; ++i) bits |= word(i);
  // Fold the values of a word upon each other.
  for (unsigned bytes = 4; bytes >= width(); bytes /= 2) bits |= bits >> (8 * bytes);
  if (width() < 8) bits &= (std::uint64_t{1} << (8 * width())) - 1;
  auto first_byte = 8 * first + static_cast<unsigned>(std::countr_zero(word(first))) / 8;
  auto last_byte = 8 * last + 7 - static_cast<unsigned>(std::countl_zero(word(last))) / 8;
  return {first_day_ + static_cast<std::int32_t>(first_byte / width()),
          first_day_ + static_cast<std::int32_t>(last_byte / width()),
          dense_sum(block_ + 8 * first, 8 * (last - first + 1) / width(), width()).nonzero, bits};
}

void Counter::put(const Day& day, std::uint64_t value) {
  if (form_ == CounterForm::sparse) return put_sparse(day, value);
  if (is_dense() && day.is_date && day.day >= first_day_ && day.day < end_day()) {
    return put_inside(static_cast<std::uint32_t>(day.day - first_day_), value);
  }
  if (form_ == CounterForm::single && day.is_date && (empty() || day.day == first_day_)) {
    first_day_ = day.day;
    total = value;
    return;
  }
  if (value != 0) put_outside(day, value);
}

std::uint64_t Counter::add(const Day& day, std::uint64_t value) {
  if (is_dense() && day.is_date && day.day >= first_day_ && day.day < end_day()) {
    auto index = static_cast<std::uint32_t>(day.day - first_day_);
    std::uint64_t old = load(index);
    if (width_of(old + value) <= width()) {
      store(index, old + value);
      total += value;
      return old;
    }
  }
  std::uint64_t old = this->value(day);
  put(day, old + value);
  return old;
}

void Counter::put_inside(std::uint32_t index, std::uint64_t value) {
  std::uint64_t old = load(index);
  if (width_of(value) > width()) {  // too large for the block: like a day outside, once the old value is gone
    Day day(Bucket::of_day(first_day_ + static_cast<std::int32_t>(index)));
    store(index, 0);
    total -= old;
    if (total == 0) {
      release();
      return put(day, value);
    }
    return put_outside(day, value);
  }
  store(index, value);
  total += value - old;
  if (total == 0) return release();
  if (value == 0 && old != 0) make_smallest();
}

// A value above 0 on a day that the counter has no place for.
void Counter::put_outside(const Day& day, std::uint64_t value) {
  if (empty() || !day.is_date) {
    if (!empty()) make_sparse();
    form_ = CounterForm::sparse;
    return put_sparse(day, value);
  }
  bool was_single = form_ == CounterForm::single;
  Extent now = was_single ? Extent{first_day_, first_day_, 1, total} : extent();
  std::int32_t first = std::min(now.first_day, day.day);
  std::int32_t last = std::max(now.last_day, day.day);
  unsigned width = width_of(now.bits | value);
  std::size_t most = sparse_size(now.count + 1) * (was_single ? 1 : 2);
  if (dense_size(first, last, width) > most) {
    make_sparse();
    return put_sparse(day, value);
  }
  make_dense(first, last, width, day.day < now.first_day);
  store(static_cast<std::uint32_t>(day.day - first_day_), value);
  total += value;
}

void Counter::put_sparse(const Day& day, std::uint64_t value) {
  std::uint32_t index = lower_bound(day.number);
  bool found = index < length_ && pairs()[index].bucket.number() == day.number;
  if (!found) {
    if (value == 0) return;
    total += value;
    return insert_pair(index, {Bucket::of_number(day.number), value});
  }
  total += value - pairs()[index].value;
  pairs()[index].value = value;
  if (total == 0) return release();
  if (value == 0) {
    erase_pairs(index, index + 1);
    make_smallest();
  }
}

void Counter::insert_pair(std::uint32_t index, Point pair) {
  std::size_t size = sparse_size(length_ + 1);
  bool grows = !block_ || size != sparse_size(length_);
  if (grows) resize_pairs(size);
  std::memmove(pairs() + index + 1, pairs() + index, (length_ - index) * sizeof(Point));
  pairs()[index] = pair;
  ++length_;
  KARMA_CHECK(length_ != 0);
  // Looking costs as much as the counter has points, so it is done when the block grows, not at every point.
  if (grows) make_dense_if_smaller();
}

// To a block of another size, which holds all pairs, or those that are left.
void Counter::resize_pairs(std::size_t size) {
  std::byte* const resized = allocate_block(size);
  if (block_ != nullptr) std::memcpy(resized, block_, std::min(size, length_ * sizeof(Point)));
  free_days();
  block_ = resized;
}

// Precondition: some pair remains.
void Counter::erase_pairs(std::uint32_t from, std::uint32_t to) {
  std::memmove(pairs() + from, pairs() + to, (length_ - to) * sizeof(Point));
  const std::size_t size = sparse_size(length_ - (to - from));
  if (size != sparse_size(length_)) resize_pairs(size);
  length_ -= to - from;
}

// Precondition: all days that have a value lie between the two, all values fit the width.
void Counter::make_dense(std::int32_t first_day, std::int32_t last_day, unsigned width, bool room_in_front) {
  std::size_t size = dense_size(first_day, last_day, width);
  Counter dense;
  dense.block_ = zeroed_block(size);
  dense.form_ = form_of(width);
  dense.length_ = static_cast<std::uint32_t>(size / width);
  dense.first_day_ = room_in_front ? last_day + 1 - static_cast<std::int32_t>(dense.length_) : first_day;
  auto place = [&](std::int32_t day, std::uint64_t value) {
    dense.store(static_cast<std::uint32_t>(day - dense.first_day_), value);
  };
  if (form_ == CounterForm::single) {
    place(first_day_, total);
  } else if (form_ == CounterForm::sparse) {
    for (std::uint32_t i = 0; i < length_; ++i) place(*pairs()[i].bucket.day(), pairs()[i].value);
  } else {
    std::int32_t from = std::max(first_day_, first_day);
    std::int32_t to = std::min(end_day() - 1, last_day);
    if (form_ == dense.form_) {
      std::memcpy(dense.block_ + static_cast<std::size_t>(from - dense.first_day_) * width,
                  block_ + static_cast<std::size_t>(from - first_day_) * width,
                  static_cast<std::size_t>(to - from + 1) * width);
    } else {
      for (std::int32_t day = from; day <= to; ++day) place(day, load(static_cast<std::uint32_t>(day - first_day_)));
    }
  }
  free_days();
  block_ = dense.block_;
  form_ = dense.form_;
  length_ = dense.length_;
  first_day_ = dense.first_day_;
}

void Counter::make_sparse() {
  std::vector<Point> all;
  points(DayRange({Bucket::of_number(0), Bucket::of_number(~std::uint64_t{0})}), all);
  std::byte* block = allocate_block(sparse_size(all.size()));
  std::memcpy(block, all.data(), all.size() * sizeof(Point));
  free_days();
  block_ = block;
  form_ = CounterForm::sparse;
  length_ = static_cast<std::uint32_t>(all.size());
}

void Counter::make_dense_if_smaller() {
  const std::span<const Point> all(pairs(), length_);
  std::uint64_t bits = 0;
  for (const Point& point : all) bits |= point.value;
  const DenseFit fit = dense_fit(all, bits);
  const bool all_dates = fit.width != 0 && for_days(all, [](std::int32_t, std::uint64_t) {});
  if (length_ > 1 && all_dates) make_dense(fit.first_day, fit.last_day, fit.width, false);
}

// After a removal. Precondition: not empty, not single.
void Counter::make_smallest() {
  if (form_ == CounterForm::sparse) {
    Day only(pairs()[0].bucket);
    if (length_ > 1) return make_dense_if_smaller();
    if (!only.is_date) return;
    free_days();
    first_day_ = only.day;
    form_ = CounterForm::single;
    length_ = 0;
    return;
  }
  Extent now = extent();
  std::size_t size = dense_size(now.first_day, now.last_day, width_of(now.bits));
  if (now.count == 1) {
    free_days();
    first_day_ = now.first_day;
    form_ = CounterForm::single;
    length_ = 0;
  } else if (size > 2 * sparse_size(now.count)) {
    make_sparse();
  } else if (size < memory()) {
    make_dense(now.first_day, now.last_day, width_of(now.bits), false);
  }
}

DenseSum Counter::remove(const DayRange& range) {
  DenseSum removed = sum(range);
  if (removed.nonzero == 0) return removed;
  total -= removed.total;
  if (total == 0) {
    release();
    return removed;
  }
  if (is_dense()) {
    auto values = clip(range);
    std::memset(block_ + (values.data() - block_), 0, values.size());
  } else {
    std::uint32_t from = lower_bound(range.from);
    erase_pairs(from, from + static_cast<std::uint32_t>(removed.nonzero));
  }
  make_smallest();
  return removed;
}

bool Counter::assign(std::span<const Point> points) {
  if (points.empty()) return true;
  std::uint64_t sum = 0;
  std::uint64_t bits = 0;
  bool good = true;
  for (std::size_t i = 0; i < points.size(); ++i) {
    good &= points[i].value != 0;
    good &= i == 0 || points[i - 1].bucket < points[i].bucket;
    good &= !__builtin_add_overflow(sum, points[i].value, &sum);
    bits |= points[i].value;
  }
  if (!good) return false;
  const Day first(points.front().bucket);
  if (points.size() == 1 && first.is_date) {
    first_day_ = first.day;
    total = sum;
    return true;
  }
  const DenseFit fit = points.size() > 1 ? dense_fit(points, bits) : DenseFit();
  if (fit.width != 0) {
    const std::size_t size = dense_size(fit.first_day, fit.last_day, fit.width);
    block_ = zeroed_block(size);
    form_ = form_of(fit.width);
    length_ = static_cast<std::uint32_t>(size / fit.width);
    first_day_ = fit.first_day;
  }
  if (fit.width == 0 || !fill_dense(points, fit, block_)) {
    free_days();
    block_ = allocate_block(sparse_size(points.size()));
    std::memcpy(block_, points.data(), points.size() * sizeof(Point));
    form_ = CounterForm::sparse;
    length_ = static_cast<std::uint32_t>(points.size());
  }
  total = sum;
  return true;
}

}  // namespace karma::store
