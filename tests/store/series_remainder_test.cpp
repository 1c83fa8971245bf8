#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "store/series.h"

namespace karma::store {
namespace {

TEST(SeriesByRemainder, VisitsEveryCounterOnceInTheGroupOfItsKey) {
  Series series(3);
  std::map<std::uint64_t, std::uint64_t> wanted;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const std::uint64_t key = i * 7919 * 9 + i % 4;  // remainders 0 to 3 of 9
    series.add(Key{key}, Bucket::of_number(20260101 + i % 30), i + 1);
    wanted[key] += i + 1;
  }
  std::vector<std::uint64_t> counts;
  std::uint64_t left = 0;
  std::map<std::uint64_t, std::uint64_t> found;
  ASSERT_TRUE(series.for_each_by_remainder(
      9,
      [&](std::uint64_t count) {
        EXPECT_EQ(left, 0u);
        counts.push_back(left = count);
      },
      [&](Key key, std::uint64_t total, std::span<const Point> points) {
        EXPECT_EQ(key.value % 9, counts.size() - 1);
        EXPECT_TRUE(found.emplace(key.value, total).second);
        EXPECT_EQ(points.size(), 1u);
        --left;
      }));
  EXPECT_EQ(counts.size(), 9u);
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(found, wanted);
}

TEST(SeriesByRemainder, CanBeInterrupted) {
  Series series(3);
  for (std::uint64_t key = 0; key < 100; ++key) series.add(Key{key}, Bucket::of_number(20260101), 1);
  int visits = 0;
  EXPECT_FALSE(series.for_each_by_remainder(
      9, [](std::uint64_t) {}, [&](Key, std::uint64_t, std::span<const Point>) { ++visits; },
      [&] { return visits > 0; }));
  EXPECT_LT(visits, 100);
}

}  // namespace
}  // namespace karma::store
