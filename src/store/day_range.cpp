#include "store/day_range.h"

#include <algorithm>
#include <limits>

#include "core/check.h"

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

DayRanges::DayRanges(std::span<const std::optional<BucketRange>> ranges) : size_(ranges.size()) {
  KARMA_CHECK(ranges.size() <= kMost);
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::uint64_t> starts;  // of pieces, and of what lies between and behind them
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i]) {
      unbounded_ |= std::uint64_t{1} << i;
      continue;
    }
    starts.push_back(ranges[i]->from.number());
    if (ranges[i]->to.number() != kLast) starts.push_back(ranges[i]->to.number() + 1);
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  for (std::size_t at = 0; at < starts.size(); ++at) {
    const std::uint64_t last = at + 1 < starts.size() ? starts[at + 1] - 1 : kLast;
    const BucketRange piece{Bucket::of_number(starts[at]), Bucket::of_number(last)};
    std::uint64_t within = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const bool has = ranges[i] && ranges[i]->from <= piece.from && piece.to <= ranges[i]->to;
      within |= std::uint64_t{has} << i;
    }
    if (within != 0) pieces_.push_back({DayRange(piece), within});
  }
}

}  // namespace karma::store
