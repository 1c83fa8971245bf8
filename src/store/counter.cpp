// Reading a counter. Changing it: counter_change.cpp.
#include "store/counter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/check.h"
#include "core/prefetch.h"
#include "store/block.h"

namespace karma::store {
namespace {

constexpr std::size_t kCacheLine = 64;
// A year of small values. Longer reads run into what the processor fetches ahead by itself.
constexpr std::size_t kPrefetchBytes = 8 * kCacheLine;

void prefetch_bytes(const std::byte* from, std::size_t bytes) {
  fetches_ahead();
  bytes = std::min(bytes, kPrefetchBytes);
  for (std::size_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(from + at);
  if (bytes > 0) __builtin_prefetch(from + bytes - 1);
}

// The last day of the month in which a day lies, whose bucket has the number: what is left over of 31 days is in the
// next month.
std::int32_t month_end(std::int32_t day, std::uint64_t number) {
  const std::int32_t latest = day + 31 - static_cast<std::int32_t>(number % 100);
  const std::uint64_t after = Bucket::of_day(latest).number();
  return after / 100 == number / 100 ? latest : latest - static_cast<std::int32_t>(after % 100);
}

// The points of a dense block's values for the days from `day` on. Within a month numbers follow each other as days do.
template <class Value>
void append_points(const std::byte* values, std::int32_t day, std::size_t count, std::vector<Point>& points) {
  const std::size_t before = points.size();
  points.resize(before + count);
  Point* to = points.data() + before;
  for (const std::int32_t end = day + static_cast<std::int32_t>(count); day < end;) {
    std::uint64_t number = Bucket::of_day(day).number();
    const std::int32_t run_end = std::min(month_end(day, number) + 1, end);
    for (; day < run_end; ++day, ++number, values += sizeof(Value)) {
      Value value;
      std::memcpy(&value, values, sizeof value);
      *to = {Bucket::of_number(number), value};
      to += value != 0;
    }
  }
  points.resize(static_cast<std::size_t>(to - points.data()));
}

}  // namespace

std::uint64_t Counter::load(std::uint32_t index) const {
  return with_values_of(width(), [&](auto value) -> std::uint64_t {
    std::memcpy(&value, block_ + index * sizeof value, sizeof value);
    return value;
  });
}

std::uint32_t Counter::lower_bound(std::uint64_t number) const {
  const Point* found = std::lower_bound(pairs(), pairs() + length_, number,
                                        [](const Point& pair, std::uint64_t n) { return pair.bucket.number() < n; });
  return static_cast<std::uint32_t>(found - pairs());
}

std::span<const std::byte> Counter::clip(const DayRange& range) const {
  std::int32_t from = std::max(range.first_day, first_day_);
  std::int32_t to = std::min(range.last_day, end_day() - 1);
  if (from > to) return {};
  auto offset = static_cast<std::size_t>(from - first_day_) * width();
  return {block_ + offset, static_cast<std::size_t>(to - from + 1) * width()};
}

std::uint64_t Counter::value(const Day& day) const {
  if (empty()) return 0;
  if (form_ == CounterForm::sparse) {
    std::uint32_t index = lower_bound(day.number);
    bool found = index < length_ && pairs()[index].bucket.number() == day.number;
    return found ? pairs()[index].value : 0;
  }
  if (!day.is_date) return 0;
  if (form_ == CounterForm::single) return day.day == first_day_ ? total : 0;
  bool inside = day.day >= first_day_ && day.day < end_day();
  return inside ? load(static_cast<std::uint32_t>(day.day - first_day_)) : 0;
}

DenseSum Counter::sum(const DayRange& range) const {
  if (empty()) return {};
  if (form_ == CounterForm::single) {
    bool inside = range.first_day <= first_day_ && first_day_ <= range.last_day;
    return inside ? DenseSum{total, 1} : DenseSum{};
  }
  if (is_dense()) {
    auto values = clip(range);
    return dense_sum(values.data(), values.size() / width(), width());
  }
  DenseSum sum;
  for (std::uint32_t i = lower_bound(range.from); i < length_ && pairs()[i].bucket.number() <= range.to; ++i) {
    sum.total += pairs()[i].value;
    ++sum.nonzero;
  }
  return sum;
}

std::uint64_t Counter::total_in(const DayRange& range) const {
  if (is_dense()) {
    if (range.first_day <= first_day_ && end_day() - 1 <= range.last_day) return total;
  } else if (form_ == CounterForm::sparse) {
    if (range.from <= pairs()[0].bucket.number() && pairs()[length_ - 1].bucket.number() <= range.to) return total;
  }
  return sum(range).total;
}

void Counter::totals_in(const DayRanges& ranges, std::span<std::uint64_t> totals) const {
  const auto add = [&](std::uint64_t which, std::uint64_t sum) {
    for (; which != 0; which &= which - 1) totals[static_cast<std::size_t>(std::countr_zero(which))] += sum;
  };
  std::fill(totals.begin(), totals.end(), 0);
  if (empty()) return;
  add(ranges.unbounded(), total);
  const std::span<const DayRanges::Piece> pieces = ranges.pieces();
  if (!is_dense()) {
    for (const DayRanges::Piece& piece : pieces) add(piece.within, total_in(piece.days));
    return;
  }
  std::array<DensePart, DayRanges::kMostPieces> parts;
  std::array<std::uint64_t, DayRanges::kMostPieces> sums;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::span<const std::byte> values = clip(pieces[i].days);
    parts[i] = {values.data(), values.size() / width()};
  }
  dense_totals({parts.data(), pieces.size()}, width(), sums);
  for (std::size_t i = 0; i < pieces.size(); ++i) add(pieces[i].within, sums[i]);
}

std::uint64_t Counter::bucket_count() const {
  if (empty()) return 0;
  if (form_ == CounterForm::single) return 1;
  if (form_ == CounterForm::sparse) return length_;
  return dense_sum(block_, length_, width()).nonzero;
}

void Counter::points(const DayRange& range, std::vector<Point>& points) const {
  if (empty()) return;
  if (form_ == CounterForm::sparse) {
    for (std::uint32_t i = lower_bound(range.from); i < length_ && pairs()[i].bucket.number() <= range.to; ++i) {
      points.push_back(pairs()[i]);
    }
    return;
  }
  if (form_ == CounterForm::single) {
    bool inside = range.first_day <= first_day_ && first_day_ <= range.last_day;
    if (inside) points.push_back({Bucket::of_day(first_day_), total});
    return;
  }
  const std::int32_t first = std::max(range.first_day, first_day_);
  const std::int32_t last = std::min(range.last_day, end_day() - 1);
  if (first > last) return;
  const auto count = static_cast<std::size_t>(last - first) + 1;
  const std::byte* const values = block_ + static_cast<std::size_t>(first - first_day_) * width();
  with_values_of(width(), [&](auto value) { append_points<decltype(value)>(values, first, count, points); });
}

Counter Counter::clone() const {
  Counter copy = *this;
  if (block_) {
    copy.block_ = allocate_block(memory());
    std::memcpy(copy.block_, block_, memory());
  }
  return copy;
}

std::size_t Counter::memory() const {
  if (!block_) return 0;
  return is_dense() ? std::size_t{length_} * width() : block_size(length_ * sizeof(Point));
}

void Counter::prefetch(const DayRange& range) const {
  if (is_dense()) {
    auto values = clip(range);
    prefetch_bytes(values.data(), values.size());
  } else if (block_) {
    prefetch_bytes(block_, memory());
  }
}

void Counter::prefetch(const DayRanges& ranges) const {
  for (const DayRanges::Piece& piece : ranges.pieces()) {
    prefetch(piece.days);
    if (!is_dense()) return;  // that was all of its block
  }
}

void Counter::prefetch(const Day& day) const {
  fetches_ahead();
  if (is_dense() && day.is_date && day.day >= first_day_ && day.day < end_day()) {
    __builtin_prefetch(block_ + static_cast<std::size_t>(day.day - first_day_) * width(), 1);
  } else if (block_) {
    __builtin_prefetch(block_, 1);
  }
}

void Counter::check_invariants() const {
  if (empty()) {
    KARMA_CHECK(!block_);
    return;
  }
  DayRange everything({Bucket::of_number(0), Bucket::of_number(~std::uint64_t{0})});
  DenseSum all = sum(everything);
  KARMA_CHECK(all.total == total);
  KARMA_CHECK(all.nonzero > 0 && all.nonzero == bucket_count());
  KARMA_CHECK((form_ == CounterForm::single) == (block_ == nullptr));
  if (form_ == CounterForm::single) {
    KARMA_CHECK(kFirstCalendarDay <= first_day_ && first_day_ <= kLastCalendarDay);
  } else if (is_dense()) {
    KARMA_CHECK(block_size(memory()) == memory());
    // `everything` reaches over the calendar only, so a value outside would have been missing above.
    KARMA_CHECK(dense_sum(block_, length_, width()) == all);
  } else {
    for (std::uint32_t i = 0; i < length_; ++i) {
      KARMA_CHECK(pairs()[i].value > 0);
      KARMA_CHECK(i == 0 || pairs()[i - 1].bucket < pairs()[i].bucket);
    }
  }
}

}  // namespace karma::store
