#include "store/counter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace karma::store {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::int32_t kStart = 20000;  // some day in 2024

Day date(std::int32_t offset) { return Day(Bucket::of_day(kStart + offset)); }
Day number(std::uint64_t number) { return Day(Bucket::of_number(number)); }
DayRange range(std::int32_t from, std::int32_t to) {
  return DayRange({Bucket::of_day(kStart + from), Bucket::of_day(kStart + to)});
}
DayRange everything() { return DayRange({Bucket::of_number(0), Bucket::of_number(kMax)}); }

// A counter that is released at the end and checked after every step.
class CounterTest : public testing::Test {
 protected:
  ~CounterTest() override { counter.release(); }
  void put(const Day& day, std::uint64_t value) {
    counter.put(day, value);
    counter.check_invariants();
    EXPECT_EQ(counter.value(day), value);
  }
  DenseSum remove(const DayRange& range) {
    DenseSum removed = counter.remove(range);
    counter.check_invariants();
    return removed;
  }
  std::vector<Point> points() {
    std::vector<Point> points;
    counter.points(everything(), points);
    return points;
  }
  Counter counter;
};

TEST_F(CounterTest, OneDayTakesNoMemory) {
  put(date(0), kMax);
  EXPECT_EQ(counter.form(), CounterForm::single);
  EXPECT_EQ(counter.memory(), 0u);
  put(date(0), 5);
  EXPECT_EQ(counter.total, 5u);
  put(date(0), 0);
  EXPECT_TRUE(counter.empty());
  put(date(9), 1);
  EXPECT_EQ(counter.form(), CounterForm::single);
  EXPECT_EQ(points(), (std::vector<Point>{{Bucket::of_day(kStart + 9), 1}}));
}

TEST_F(CounterTest, NeighbouringDaysAreDenseInEitherDirection) {
  put(date(0), 7);
  for (int i = 1; i <= 400; ++i) {
    put(date(i), 1);
    put(date(-i), 2);
    ASSERT_EQ(counter.form(), CounterForm::dense_1);
  }
  EXPECT_EQ(counter.bucket_count(), 801u);
  EXPECT_EQ(counter.total, 7u + 400 + 800);
  EXPECT_EQ(counter.sum(range(-3, 2)), (DenseSum{2 * 3 + 7 + 2, 6}));
  EXPECT_EQ(points().front().bucket, Bucket::of_day(kStart - 400));
}

TEST_F(CounterTest, AYearOfSmallValuesTakesLittleMoreThanAByteADay) {
  for (int i = 0; i < 356; ++i) put(date(i), 255);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  EXPECT_LE(counter.memory(), 380u);
}

TEST_F(CounterTest, WidensWithTheLargestValue) {
  put(date(0), 255);
  put(date(1), 255);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  put(date(1), 256);
  EXPECT_EQ(counter.form(), CounterForm::dense_2);
  put(date(0), 65536);
  EXPECT_EQ(counter.form(), CounterForm::dense_4);
  put(date(3), std::uint64_t{1} << 32);
  EXPECT_EQ(counter.form(), CounterForm::dense_8);
  EXPECT_EQ(counter.total, 256u + 65536 + (std::uint64_t{1} << 32));
  EXPECT_EQ(points().size(), 3u);
}

TEST_F(CounterTest, HoldsTheLargestTotal) {
  put(date(0), kMax - 3);
  put(date(1), 1);
  put(date(5000), 2);
  EXPECT_EQ(counter.total, kMax);
  EXPECT_EQ(counter.sum(everything()), (DenseSum{kMax, 3}));
  EXPECT_EQ(counter.sum(range(0, 1)), (DenseSum{kMax - 2, 2}));
}

TEST_F(CounterTest, AWideValueInAThinBlockMakesPairs) {
  put(date(0), 1);
  for (int i = 10; i <= 200; i += 10) put(date(i), 1);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  put(date(100), kMax - 100);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  EXPECT_EQ(counter.bucket_count(), 21u);
}

TEST_F(CounterTest, DaysFarApartArePairsUntilTheGapsFill) {
  put(date(0), 1);
  put(date(1000), 1);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  for (int i = 1; i < 1000; ++i) put(date(i), 1);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  EXPECT_EQ(counter.bucket_count(), 1001u);
}

TEST_F(CounterTest, ADayFarFromADenseBlockMakesPairs) {
  for (int i = 0; i < 20; ++i) put(date(i), 1);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  put(Day(Bucket::of_number(10101)), 3);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  put(Day(Bucket::of_number(99991231)), 4);
  EXPECT_EQ(counter.total, 27u);
  EXPECT_EQ(points().front(), (Point{Bucket::of_number(10101), 3}));
  EXPECT_EQ(points().back(), (Point{Bucket::of_number(99991231), 4}));
}

TEST_F(CounterTest, DoesNotFlapBetweenFormsAtTheBorder) {
  for (int i = 0; i < 40; ++i) put(date(i * 12), 1);
  ASSERT_EQ(counter.form(), CounterForm::dense_1);
  for (int i = 0; i < 10; ++i) {
    put(date(12 * 20), 0);
    EXPECT_EQ(counter.form(), CounterForm::dense_1);
    put(date(12 * 20), 1);
    EXPECT_EQ(counter.form(), CounterForm::dense_1);
  }
}

TEST_F(CounterTest, TheEndsOfTheCalendarHaveNeighbours) {
  put(number(10101), 1);
  put(number(10102), 2);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  remove(everything());
  put(number(99991230), 1);
  put(number(99991231), 2);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  put(number(99991229), 3);
  EXPECT_EQ(counter.sum(DayRange({Bucket::of_number(99991231), Bucket::of_number(kMax)})), (DenseSum{2, 1}));
}

TEST_F(CounterTest, BucketsThatAreNoDatesKeepTheirNumbers) {
  std::vector<std::uint64_t> numbers = {0, 20260231, std::uint64_t{1} << 63, kMax};
  for (std::uint64_t n : numbers) put(number(n), 10);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  put(date(0), 1);
  auto all = points();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all.front().bucket.number(), 0u);
  EXPECT_EQ(all.back().bucket.number(), kMax);
  EXPECT_EQ(counter.sum(DayRange({Bucket::of_number(20260229), Bucket::of_number(20260301)})), (DenseSum{10, 1}));
  for (std::uint64_t n : numbers) put(number(n), 0);
  EXPECT_EQ(counter.form(), CounterForm::single);  // only the date is left
  EXPECT_EQ(counter.total, 1u);
}

TEST_F(CounterTest, ANumberThatIsNoDateTurnsADenseBlockIntoPairs) {
  for (int i = 0; i < 50; ++i) put(date(i), 3);
  put(number(20241032), 1);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  EXPECT_EQ(counter.bucket_count(), 51u);
  for (int i = 50; i < 100; ++i) put(date(i), 3);
  EXPECT_EQ(counter.form(), CounterForm::sparse);  // although its ends are dates, and close enough
  put(number(20241032), 0);
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
}

TEST_F(CounterTest, RemovingShrinks) {
  for (int i = 0; i < 400; ++i) put(date(i), i == 5 ? 70000 : 1);
  EXPECT_EQ(counter.form(), CounterForm::dense_4);
  EXPECT_EQ(remove(range(0, 9)), (DenseSum{70009, 10}));
  EXPECT_EQ(counter.form(), CounterForm::dense_1);
  EXPECT_LE(counter.memory(), 410u);
  EXPECT_EQ(remove(range(20, 389)), (DenseSum{370, 370}));
  EXPECT_EQ(counter.form(), CounterForm::dense_1);  // days 10 to 19 and 390 to 399
  EXPECT_LE(counter.memory(), 410u);
  EXPECT_EQ(remove(range(12, 397)), (DenseSum{16, 16}));
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  EXPECT_EQ(remove(range(0, 398)), (DenseSum{3, 3}));
  EXPECT_EQ(counter.form(), CounterForm::single);
  EXPECT_EQ(remove(range(0, 398)), (DenseSum{}));
  EXPECT_EQ(remove(range(399, 399)), (DenseSum{1, 1}));
  EXPECT_TRUE(counter.empty());
}

TEST_F(CounterTest, EmptyingDaysOneByOneShrinksToo) {
  for (int i = 0; i < 400; ++i) put(date(i), 1);
  for (int i = 1; i < 399; ++i) put(date(i), 0);
  EXPECT_EQ(counter.form(), CounterForm::sparse);
  EXPECT_LE(counter.memory(), 64u);
  put(date(399), 0);
  EXPECT_EQ(counter.form(), CounterForm::single);
  EXPECT_EQ(counter.memory(), 0u);
}

TEST_F(CounterTest, ACloneSharesNothing) {
  for (int i = 0; i < 50; ++i) put(date(i), 3);
  Counter copy = counter.clone();
  put(date(10), 200);
  EXPECT_EQ(copy.value(date(10)), 3u);
  copy.check_invariants();
  counter.release();
  EXPECT_EQ(copy.total, 150u);
  copy.release();
}

TEST_F(CounterTest, AssignChoosesTheFormThatGrowingWouldHave) {
  auto assign = [&](std::vector<Point> points) {
    counter.release();
    counter.assign(points);
    counter.check_invariants();
    EXPECT_EQ(this->points(), points);
    return counter.form();
  };
  auto at = [](std::int32_t offset, std::uint64_t value) { return Point{Bucket::of_day(kStart + offset), value}; };
  EXPECT_EQ(assign({at(0, kMax)}), CounterForm::single);
  EXPECT_EQ(assign({{Bucket::of_number(0), 1}}), CounterForm::sparse);
  EXPECT_EQ(assign({at(0, 1), at(1, 255)}), CounterForm::dense_1);
  EXPECT_EQ(assign({at(0, 1), at(1, 256)}), CounterForm::dense_2);
  EXPECT_EQ(assign({at(0, 1), at(1, 1u << 31)}), CounterForm::dense_4);
  EXPECT_EQ(assign({at(0, 1), at(1, kMax - 1)}), CounterForm::dense_8);
  EXPECT_EQ(assign({at(0, 1), at(1000, 1)}), CounterForm::sparse);
  EXPECT_EQ(assign({at(0, 1), {Bucket::of_number(20260231), 1}}), CounterForm::sparse);
}

TEST_F(CounterTest, AssignRefusesWhatIsNotInOrderOrTooLarge) {
  const Bucket first = Bucket::of_day(kStart);
  const Bucket second = Bucket::of_day(kStart + 1);
  const std::vector<std::vector<Point>> bad = {{{first, 0}},
                                               {{first, 1}, {second, 0}},
                                               {{second, 1}, {first, 1}},
                                               {{first, 1}, {first, 1}},
                                               {{first, kMax}, {second, 1}}};
  for (const std::vector<Point>& points : bad) {
    EXPECT_FALSE(counter.assign(points));
    EXPECT_TRUE(counter.empty());
    counter.check_invariants();
  }
  EXPECT_TRUE(counter.assign({}));
  EXPECT_TRUE(counter.empty());
}

// Months are told apart by numbers alone, and one look at the calendar has to do for each.
TEST_F(CounterTest, DaysAroundTheEndOfEveryMonthComeBack) {
  for (const std::int32_t first : {kFirstCalendarDay, -25560, 10900, kStart, kLastCalendarDay - 800}) {
    for (std::int32_t begin = first; begin < first + 40; begin += 3) {
      std::vector<Point> all;
      for (std::int32_t day = begin; day <= std::min(first + 800, kLastCalendarDay); ++day) {
        if (day % 7 != 0) all.push_back({Bucket::of_day(day), static_cast<std::uint64_t>(day - begin) % 300 + 1});
      }
      counter.release();
      ASSERT_TRUE(counter.assign(all));
      counter.check_invariants();
      EXPECT_EQ(counter.form(), CounterForm::dense_2);
      EXPECT_EQ(points(), all);
      EXPECT_EQ(counter.value(Day(all.back().bucket)), all.back().value);
    }
  }
}

TEST_F(CounterTest, BucketsThatAreNoDatesStayWhatTheyAreInAnyPlace) {
  for (const std::uint64_t wrong : {20260100u, 20260132u, 20260199u, 20260200u, 20260229u, 20260231u, 20260301u}) {
    std::vector<Point> all;
    for (const std::uint64_t number : {20260129u, 20260130u, 20260131u, 20260201u, 20260202u, 20260228u, 20260302u})
      all.push_back({Bucket::of_number(number), number % 100});
    const auto after = [&](const Point& point) { return point.bucket.number() > wrong; };
    all.insert(std::find_if(all.begin(), all.end(), after), {Bucket::of_number(wrong), 7});
    counter.release();
    ASSERT_TRUE(counter.assign(all));
    counter.check_invariants();
    EXPECT_EQ(counter.form() == CounterForm::sparse, !Bucket::of_number(wrong).day().has_value()) << wrong;
    EXPECT_EQ(points(), all);
  }
}

TEST(DayRange, FindsTheDaysBetweenNumbersThatAreNoDates) {
  auto days = [](std::uint64_t from, std::uint64_t to) {
    DayRange range({Bucket::of_number(from), Bucket::of_number(to)});
    return std::pair(range.first_day, range.last_day);
  };
  auto day = [](std::uint64_t number) { return *Bucket::of_number(number).day(); };
  EXPECT_EQ(days(0, kMax), std::pair(day(10101), day(99991231)));
  EXPECT_EQ(days(20260231, 20260400), std::pair(day(20260301), day(20260331)));
  EXPECT_EQ(days(20260000, 20269999), std::pair(day(20260101), day(20261231)));
  EXPECT_EQ(days(20260055, 20261301), std::pair(day(20260101), day(20261231)));
  EXPECT_EQ(days(20240229, 20240229), std::pair(day(20240229), day(20240229)));
  EXPECT_EQ(days(20240230, 20240299).first, days(20240230, 20240299).second + 1);  // empty
  EXPECT_EQ(days(0, 10100).second, day(10101) - 1);
  EXPECT_EQ(days(99991232, kMax).first, day(99991231) + 1);
}

}  // namespace
}  // namespace karma::store
