// The days of many buckets, most of them in the same month as the one before: what only depends on the month is worked
// out when it changes.
#pragma once

#include <cstdint>
#include <optional>

#include <karma/types.h>

namespace karma {

class MonthDays {
 public:
  // As Bucket::day().
  std::optional<std::int32_t> day(Bucket bucket) {
    const std::uint64_t month = bucket.number() / 100;
    const std::uint64_t place = bucket.number() % 100 - 1;  // of the day in its month; 0 becomes a large number
    if (month != month_) turn_to(month);
    if (place >= days_) return std::nullopt;
    return first_ + static_cast<std::int32_t>(place);
  }

 private:
  void turn_to(std::uint64_t month) {
    month_ = month;
    days_ = 0;
    const std::optional<std::int32_t> first = Bucket::of_number(month * 100 + 1).day();
    if (!first) return;
    first_ = *first;
    for (days_ = 28; Bucket::of_number(month * 100 + days_ + 1).day();) ++days_;
  }

  std::uint64_t month_ = 0;  // no month has this number
  std::uint64_t days_ = 0;   // 0: it is no month
  std::int32_t first_ = 0;
};

}  // namespace karma
