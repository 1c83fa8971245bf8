// Buckets and ranges with their day numbers worked out, once per operation instead of once per counter.
#pragma once

#include <cstdint>

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

}  // namespace karma::store
