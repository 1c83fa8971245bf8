#include "store/day_range.h"

#include <algorithm>

namespace karma::store {
namespace {

// The first calendar day whose bucket number is at least `number`; the day after the last one if there is none.
std::int32_t first_day_from(std::uint64_t number) {
  if (number < 10101) return kFirstCalendarDay;
  if (number > 99991231) return kLastCalendarDay + 1;
  std::uint64_t year = number / 10000;
  std::uint64_t month = std::max<std::uint64_t>(number / 100 % 100, 1);
  std::uint64_t day = std::max<std::uint64_t>(number % 100, 1);
  if (number / 100 % 100 == 0) day = 1;
  if (month > 12) return first_day_from((year + 1) * 10000 + 101);
  if (auto date = Bucket::of_number(year * 10000 + month * 100 + day).day()) return *date;
  return first_day_from(year * 10000 + (month + 1) * 100 + 1);  // past the end of its month
}

}  // namespace

DayRange::DayRange(BucketRange range)
    : from(range.from.number()), to(range.to.number()), first_day(first_day_from(from)) {
  last_day = to > 99991231 ? kLastCalendarDay : first_day_from(to + 1) - 1;
}

}  // namespace karma::store
