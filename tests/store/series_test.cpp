#include "store/series.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "store/hash.h"

namespace karma::store {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSeed = 0x1234567890ABCDEF;
const BucketRange kEverything{Bucket::of_number(0), Bucket::of_number(kMax)};

Bucket date(std::int32_t offset) { return Bucket::of_day(20000 + offset); }

Series with_keys(std::uint64_t count) {
  Series series(kSeed);
  for (std::uint64_t key = 0; key < count; ++key) series.add({key}, date(0), key + 1);
  return series;
}

TEST(Series, IsEmptyAtFirst) {
  Series series(kSeed);
  EXPECT_EQ(series.total({1}), 0u);
  EXPECT_EQ(series.sum({1}, kEverything), 0u);
  EXPECT_EQ(series.key_count(), 0u);
  EXPECT_EQ(series.bucket_count(), 0u);
  EXPECT_EQ(series.largest_total(), 0u);
  series.check_invariants();
}

TEST(Series, AddingNothingStoresNothing) {
  Series series(kSeed);
  series.add({1}, date(0), 0);
  series.set({1}, date(0), 0);
  series.subtract({1}, date(0), 5);
  EXPECT_EQ(series.key_count(), 0u);
}

TEST(Series, KeepsAllKeysWhileItGrowsAndShrinks) {
  Series series(kSeed);
  constexpr std::uint64_t kKeys = 20000;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    series.add({key * key}, date(0), key + 1);
    if (key % 1000 == 0) series.check_invariants();
  }
  series.check_invariants();
  for (std::uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(series.total({key * key}), key + 1);
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    if (key % 1000 == 0) series.check_invariants();
    if (key % 7 == 0) continue;
    ASSERT_TRUE(series.reset({key * key}));
  }
  series.check_invariants();
  for (std::uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(series.total({key * key}), key % 7 ? 0 : key + 1);
}

// Of a large series the keys that were added last are known, in memory that grows. To touch all of that at once took
// 12 ms with ten million keys.
TEST(Series, NoKeyPaysForTheMemoryOfTheNext) {
  Series series(1);
  long most = 0;
  const auto faults = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  for (std::uint64_t key = 0; key < (1 << 20) + 1000; ++key) {
    const long before = key < (1 << 20) ? 0 : faults();
    series.add({key}, Bucket::of_number(20260101), 1);
    if (key >= (1 << 20)) most = std::max(most, faults() - before);
  }
  EXPECT_LT(most, 64);
}

TEST(Series, TheKeysZeroAndLargestAreKeysLikeOthers) {
  Series series(kSeed);
  series.add({0}, date(0), 1);
  series.add({kMax}, date(0), 2);
  EXPECT_EQ(series.total({0}), 1u);
  EXPECT_EQ(series.total({kMax}), 2u);
  EXPECT_EQ(series.total({1}), 0u);
}

TEST(Series, HashesThatCollideLoseNothing) {
  // Keys whose hashes share many of the highest bits, as only somebody who knows the seed could choose them.
  std::vector<Key> keys;
  for (std::uint64_t key = 0; keys.size() < 300; ++key) {
    if (hash_key({key}, kSeed) >> 52 == 0x5A5) keys.push_back({key});
  }
  Series series(kSeed);
  for (std::size_t i = 0; i < keys.size(); ++i) series.add(keys[i], date(0), i + 1);
  series.check_invariants();
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(series.total(keys[i]), i + 1);
  for (std::size_t i = 0; i < keys.size(); i += 2) EXPECT_TRUE(series.reset(keys[i]));
  series.check_invariants();
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(series.total(keys[i]), i % 2 ? i + 1 : 0);
}

TEST(Series, SubtractsAtMostWhatTheBucketHolds) {
  Series series(kSeed);
  series.add({1}, date(0), 5);
  series.add({1}, date(1), 5);
  series.subtract({1}, date(0), 3);
  EXPECT_EQ(series.sum({1}, {date(0), date(0)}), 2u);
  series.subtract({1}, date(0), kMax);
  EXPECT_EQ(series.total({1}), 5u);
  EXPECT_EQ(series.bucket_count(), 1u);
  series.subtract({1}, date(2), 1);
  EXPECT_EQ(series.total({1}), 5u);
  series.subtract({1}, date(1), 5);
  EXPECT_EQ(series.key_count(), 0u);
  series.check_invariants();
}

TEST(Series, LaterItemsOfASetWin) {
  Series series(kSeed);
  std::vector<Item> items = {{{1}, date(0), 5}, {{2}, date(0), 6}, {{1}, date(0), 7}, {{2}, date(0), 0}};
  series.set(items);
  EXPECT_EQ(series.total({1}), 7u);
  EXPECT_EQ(series.key_count(), 1u);
  series.check_invariants();
}

TEST(Series, TellsWhetherARangeRemovedAnything) {
  Series series(kSeed);
  series.add({1}, date(0), 1);
  series.add({1}, date(2), 2);
  EXPECT_EQ(series.remove_range({2}, kEverything), Series::Removed::no_counter);
  EXPECT_EQ(series.remove_range({1}, {date(1), date(1)}), Series::Removed::nothing_in_range);
  EXPECT_EQ(series.remove_range({1}, {date(2), date(0)}), Series::Removed::nothing_in_range);
  EXPECT_EQ(series.remove_range({1}, {date(1), date(9)}), Series::Removed::some);
  EXPECT_EQ(series.total({1}), 1u);
  EXPECT_FALSE(series.reset({2}));
  EXPECT_TRUE(series.reset({1}));
  EXPECT_FALSE(series.reset({1}));
}

TEST(Series, RemoveBeforeExcludesTheBucket) {
  Series series(kSeed);
  for (int i = 0; i < 10; ++i) series.add({1}, date(i), 1);
  series.add({2}, Bucket::of_number(0), 5);
  series.remove_range(Series::range_before(Bucket::of_number(0)));
  EXPECT_EQ(series.bucket_count(), 11u);
  series.remove_range(Series::range_before(date(4)));
  EXPECT_EQ(series.total({1}), 6u);
  EXPECT_EQ(series.key_count(), 1u);
  series.check_invariants();
}

TEST(Series, ATotalAboveSixtyFourBitsIsExact) {
  Series series(kSeed);
  for (std::uint64_t key = 0; key < 5; ++key) series.add({key}, date(0), kMax);
  EXPECT_TRUE(series.total() == Total{kMax} * 5);
  RangeSummary summary;
  EXPECT_TRUE(series.summary({date(0), date(0)}, summary, {}));
  EXPECT_TRUE(summary.total == Total{kMax} * 5);
  series.remove_range(kEverything);
  EXPECT_TRUE(series.total() == 0);
}

TEST(Series, LargestTotalProvesThatAdditionsFit) {
  Series series = with_keys(100);
  EXPECT_EQ(series.largest_total(), 100u);
  series.set({7}, date(1), 1000);
  EXPECT_EQ(series.largest_total(), 1008u);
  EXPECT_GE(series.view().largest_total(), 1008u);
  std::vector<Point> points = {{date(0), 5000}};
  EXPECT_TRUE(series.load({1000}, points));
  EXPECT_EQ(series.largest_total(), 5000u);
  series.clear();
  EXPECT_EQ(series.largest_total(), 0u);
}

TEST(Series, LoadTakesAWholeCounterOrNothing) {
  Series series(kSeed);
  std::vector<Point> points = {{Bucket::of_number(3), 4}, {date(0), 5}, {date(1), kMax - 9}};
  EXPECT_TRUE(series.load({1}, points));
  EXPECT_EQ(series.total({1}), kMax);
  EXPECT_FALSE(series.load({1}, points));
  EXPECT_TRUE(series.load({2}, {}));
  EXPECT_EQ(series.total({2}), 0u);
  std::vector<std::vector<Point>> bad = {{{date(0), kMax}, {date(1), 1}},
                                         {{date(1), 1}, {date(0), 1}},
                                         {{date(0), 1}, {date(0), 1}},
                                         {{date(0), 1}, {date(1), 0}}};
  for (const auto& wrong : bad) EXPECT_FALSE(series.load({3}, wrong));
  EXPECT_EQ(series.key_count(), 1u);
  series.check_invariants();
}

TEST(Series, AViewStaysWhatItWas) {
  Series series = with_keys(1000);
  SeriesView view = series.view();
  SeriesView copy = view;
  for (std::uint64_t key = 0; key < 1000; key += 2) series.reset({key});
  series.add({1}, date(1), 100);
  series.add({5000}, date(1), 100);
  EXPECT_EQ(view.key_count(), 1000u);
  EXPECT_EQ(copy.total({0}), 1u);
  EXPECT_EQ(view.total({1}), 2u);
  EXPECT_EQ(view.total({5000}), 0u);
  series.clear();
  EXPECT_EQ(view.total({999}), 1000u);
  EXPECT_EQ(series.key_count(), 0u);
  series.check_invariants();
}

TEST(Series, AViewOutlivesItsSeries) {
  auto series = std::make_unique<Series>(with_keys(1000));
  SeriesView view = series->view();
  series.reset();
  EXPECT_EQ(view.total({999}), 1000u);
}

TEST(Series, BatchReadsAgreeWithSingleOnes) {
  Series series(kSeed);
  for (std::uint64_t key = 0; key < 500; ++key) {
    for (int day = 0; day < 40; ++day) series.add({key}, date(day), key + 1);
  }
  std::vector<Key> keys;
  for (std::uint64_t i = 0; i < 101; ++i) keys.push_back({i * 37 % 600});
  std::vector<std::uint64_t> sums(keys.size());
  series.totals(keys, sums);
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(sums[i], keys[i].value < 500 ? 40 * (keys[i].value + 1) : 0);
  series.sums(keys, {date(3), date(12)}, sums);
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(sums[i], keys[i].value < 500 ? 10 * (keys[i].value + 1) : 0);
  series.sums({}, {date(3), date(12)}, {});
}

TEST(Series, PointsOfManyKeysComeUntilTheVisitorHasEnough) {
  Series series(kSeed);
  for (std::uint64_t key = 0; key < 100; ++key) series.add({key}, date(0), key + 1);
  std::vector<Key> keys;
  for (std::uint64_t i = 0; i < 100; ++i) keys.push_back({i * 2});  // the second half does not exist
  std::size_t visited = 0;
  series.points(keys, kEverything, [&](std::size_t i, std::span<const Point> points) {
    EXPECT_EQ(i, visited++);
    EXPECT_EQ(points.size(), i < 50 ? 1u : 0u);
    return i < 70;
  });
  EXPECT_EQ(visited, 71u);
}

TEST(Series, KeysComeInOrderPageByPage) {
  Series series = with_keys(1000);
  std::vector<KeyTotal> page;
  std::uint64_t next = 0;
  const Key* after = nullptr;
  Key last;
  do {
    ASSERT_TRUE(series.keys(after, 33, page, {}));
    for (const KeyTotal& entry : page) {
      ASSERT_EQ(entry, (KeyTotal{{next}, next + 1}));
      ++next;
    }
    if (!page.empty()) last = page.back().key;
    after = &last;
  } while (!page.empty());
  EXPECT_EQ(next, 1000u);
  ASSERT_TRUE(series.keys(nullptr, 0, page, {}));
  EXPECT_TRUE(page.empty());
  ASSERT_TRUE(series.keys(nullptr, std::numeric_limits<std::size_t>::max(), page, {}));
  EXPECT_EQ(page.size(), 1000u);
  Key largest{kMax};
  ASSERT_TRUE(series.keys(&largest, 5, page, {}));
  EXPECT_TRUE(page.empty());
}

TEST(Series, TopOrdersTiesByKeyAndLeavesZerosOut) {
  Series series(kSeed);
  for (std::uint64_t key = 0; key < 900; ++key) series.add({key}, date(static_cast<int>(key % 2)), 1 + key % 3);
  std::vector<KeyTotal> top;
  ASSERT_TRUE(series.top(nullptr, 301, top, {}));
  ASSERT_EQ(top.size(), 301u);
  for (std::uint64_t i = 0; i < 300; ++i) EXPECT_EQ(top[i], (KeyTotal{{3 * i + 2}, 3}));
  EXPECT_EQ(top[300], (KeyTotal{{1}, 2}));
  BucketRange odd{date(1), date(1)};
  ASSERT_TRUE(series.top(&odd, 1000, top, {}));
  EXPECT_EQ(top.size(), 450u);
  EXPECT_EQ(top[0], (KeyTotal{{5}, 3}));
  ASSERT_TRUE(series.top(nullptr, 0, top, {}));
  EXPECT_TRUE(top.empty());
}

TEST(Series, LongReadsEndWhenInterrupted) {
  Series series = with_keys(30000);
  int questions = 0;
  Interrupt soon = [&] { return ++questions == 2; };
  std::vector<KeyTotal> result;
  std::vector<Key> keys;
  RangeSummary summary;
  BucketRange range{date(0), date(0)};
  int calls = 0;
  auto interrupted = [&](bool complete) {
    EXPECT_FALSE(complete);
    EXPECT_EQ(std::exchange(questions, 0), 2);
  };
  interrupted(series.keys(nullptr, 10, result, soon));
  interrupted(series.top(nullptr, 10, result, soon));
  interrupted(series.top(&range, 10, result, soon));
  std::vector<KeyChange> changes;
  interrupted(series.top_changes(range, range, ChangeOrder::delta, 10, changes, soon));
  interrupted(series.summary(range, summary, soon));
  interrupted(series.all_keys(keys, soon));
  interrupted(series.for_each([&](Key, std::uint64_t, std::span<const Point>) { ++calls; }, soon));
  EXPECT_LT(calls, 20000);
  // Sorting can be interrupted too.
  std::vector<bool> answers;
  Interrupt count = [&] { return answers.push_back(false), false; };
  ASSERT_TRUE(series.all_keys(keys, count));
  std::size_t last = answers.size();
  Interrupt at_last = [&] { return --last == 0; };
  EXPECT_FALSE(series.all_keys(keys, at_last));
}

TEST(FirstOverflow, IsExactAtTheBorder) {
  Series series(kSeed);
  series.add({1}, date(0), kMax - 10);
  std::vector<Item> fits = {{{1}, date(0), 4}, {{2}, date(0), kMax}, {{1}, date(5), 6}, {{1}, date(6), 0}};
  EXPECT_EQ(first_overflow(series, fits), nullptr);
  std::vector<Item> too_much = {{{1}, date(0), 4}, {{2}, date(0), kMax}, {{1}, date(5), 7}, {{2}, date(0), 1}};
  EXPECT_EQ(first_overflow(series, too_much), &too_much[2]);
  std::vector<Item> duplicates = {{{7}, date(0), kMax}, {{7}, date(0), 1}, {{7}, date(0), 1}};
  EXPECT_EQ(first_overflow(series, duplicates), &duplicates[1]);
  EXPECT_EQ(first_overflow(series, {}), nullptr);
  series.add(fits);
  EXPECT_EQ(series.total({1}), kMax);
  series.check_invariants();
}

TEST(FirstOverflow, TheFirstItemInOrderIsNamedWhateverItsKey) {
  Series series(kSeed);
  std::vector<Item> items = {{{9}, date(0), kMax}, {{1}, date(0), kMax}, {{9}, date(1), 1}, {{1}, date(1), 1}};
  EXPECT_EQ(first_overflow(series, items), &items[2]);
}

TEST(FirstSetOverflow, CountsWhatIsReplaced) {
  Series series(kSeed);
  series.add({1}, date(0), kMax - 10);
  std::vector<Item> fits = {{{1}, date(0), 1}, {{1}, date(1), kMax - 1}};
  EXPECT_EQ(first_set_overflow(series, fits), nullptr);
  std::vector<Item> too_much = {{{1}, date(1), 10}, {{1}, date(2), 1}, {{1}, date(0), 0}};
  EXPECT_EQ(first_set_overflow(series, too_much), &too_much[1]);
  std::vector<Item> twice = {{{1}, date(1), 10}, {{1}, date(1), 9}, {{1}, date(2), 1}};
  EXPECT_EQ(first_set_overflow(series, twice), nullptr);
  series.set(twice);
  EXPECT_EQ(series.total({1}), kMax);
  series.check_invariants();
}

using SeriesDeathTest = testing::Test;

TEST(SeriesDeathTest, AddingPastTheEndAborts) {
  Series series(kSeed);
  series.add({1}, date(0), kMax);
  EXPECT_DEATH(series.add({1}, date(1), 1), "broken");
  EXPECT_DEATH(series.set({1}, date(1), 1), "broken");
}

}  // namespace
}  // namespace karma::store
