// The days of counters, as a server tells them: for those who draw them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <karma/types.h>

#include "tools/chart.h"
#include "tools/retry.h"

namespace karma::tools {

struct LargestKey {
  std::uint64_t key = 0;
  std::uint64_t value = 0;  // in the days
};
// The largest first. This and the next throw nlohmann::json::exception if the answer is not what it should be.
Result<std::vector<LargestKey>> largest_keys(Client& client, Retry& retry, const std::string& series,
                                             const BucketRange& days, int limit);

struct KeyDays {
  std::uint64_t key = 0;
  Days days;
  std::uint64_t elsewhere = 0;  // under buckets that are no days, which 1.0 took
};
// `days` begins and ends with days of the calendar.
Result<KeyDays> days_of_key(Client& client, Retry& retry, const std::string& series, const BucketRange& days,
                            std::uint64_t key);

std::string range_text(const BucketRange& days);  // 2026-05-01 to 2026-05-31

}  // namespace karma::tools
