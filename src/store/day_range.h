// Buckets and ranges with their day numbers worked out, once per operation instead of once per counter.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <karma/types.h>

namespace karma::store {

// Days of the calendar, years 0001 to 9999, since 1970-01-01.
inline constexpr std::int32_t kFirstCalendarDay = -719162;
inline constexpr std::int32_t kLastCalendarDay = 2932896;

struct Day {
  Day() = default;
  explicit Day(Bucket bucket) : number(bucket.number()), day(bucket.day_or_none()), is_date(day != Bucket::kNoDay) {}

  std::uint64_t number = 0;  // of the bucket
  std::int32_t day = 0;      // if is_date
  bool is_date = false;
};

// The same range twice: in bucket numbers, and in days for counters that hold nothing but dates. Empty if first > last.
struct DayRange {
  explicit DayRange(BucketRange range);

  std::uint64_t from;
  std::uint64_t to;
  std::int32_t first_day;
  std::int32_t last_day;
};

// Several ranges of one read, cut at each other's ends into pieces that have no day in common. So each day of a counter
// is read once, however the ranges overlap.
class DayRanges {
 public:
  static constexpr std::size_t kMost = 64;  // a bit each
  static constexpr std::size_t kMostPieces = 2 * kMost;

  // One that is missing has all days. Precondition (asserted): no more than kMost.
  explicit DayRanges(std::span<const std::optional<BucketRange>> ranges);

  struct Piece {
    DayRange days;
    std::uint64_t within;  // which ranges have it
  };
  std::span<const Piece> pieces() const { return pieces_; }  // ascending
  std::uint64_t unbounded() const { return unbounded_; }     // which ranges have all days
  std::size_t size() const { return size_; }

 private:
  std::vector<Piece> pieces_;
  std::uint64_t unbounded_ = 0;
  std::size_t size_;
};

}  // namespace karma::store
