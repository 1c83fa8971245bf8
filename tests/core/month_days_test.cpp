#include "core/month_days.h"

#include <gtest/gtest.h>

#include <random>

namespace karma {
namespace {

TEST(MonthDays, SaysWhatTheBucketSays) {
  MonthDays days;
  const auto agree = [&](std::uint64_t number) {
    const Bucket bucket = Bucket::of_number(number);
    ASSERT_EQ(days.day(bucket), bucket.day()) << number;
  };
  for (const std::uint64_t year : {0, 1, 4, 100, 400, 1900, 1970, 2000, 2023, 2024, 9999, 10000})
    for (std::uint64_t rest = 0; rest < 1400; ++rest) agree(year * 10000 + rest);
  for (const std::uint64_t number : {UINT64_MAX, UINT64_MAX - 15, std::uint64_t{1} << 32, std::uint64_t{0}})
    agree(number);
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) agree(random() >> random() % 64);
}

}  // namespace
}  // namespace karma
