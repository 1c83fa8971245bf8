#include "engine/request_times.h"

#include <gtest/gtest.h>

#include "commands/catalog.h"
#include "support/manual_clock.h"

namespace karma::engine {
namespace {

class RequestTimesTest : public testing::Test {
 protected:
  const commands::Op& op(std::string_view name) { return *commands::find_op(name); }
  // How many of the op, and how many seconds they took together.
  std::pair<std::uint64_t, std::uint64_t> figures(std::string_view name) {
    std::vector<HistogramFigures> by_op;
    times_.add_to(by_op);
    const HistogramFigures& of = by_op[static_cast<std::size_t>(&op(name) - commands::catalog().data())];
    return {of.count(), of.sum / 1'000'000'000};
  }

  test::ManualClock clock_;
  RequestTimes times_{clock_};
};

using Figures = std::pair<std::uint64_t, std::uint64_t>;

TEST_F(RequestTimesTest, WhatIsAnsweredAtOnceTakesAsLongAsItsWakeUp) {
  times_.wake_up();
  clock_.advance(1);
  times_.answered(op("counter.sum"));
  times_.answered(op("tree.info"));
  times_.answered(op("counter.sum"));
  EXPECT_EQ(figures("counter.sum"), Figures(0, 0));
  clock_.advance(2);
  times_.end_wake_up();
  EXPECT_EQ(figures("counter.sum"), Figures(2, 6));
  EXPECT_EQ(figures("tree.info"), Figures(1, 3));
  EXPECT_EQ(figures("counter.series"), Figures(0, 0));
}

TEST_F(RequestTimesTest, TheNextWakeUpBeginsAnew) {
  times_.wake_up();
  times_.end_wake_up();
  clock_.advance(100);
  const auto begun = times_.wake_up();
  EXPECT_EQ(begun, clock_.steady());
  clock_.advance(1);
  EXPECT_EQ(times_.wake_up(), begun);
  times_.answered(op("counter.sum"));
  times_.end_wake_up();
  EXPECT_EQ(figures("counter.sum"), Figures(1, 1));
}

TEST_F(RequestTimesTest, WhatIsAnsweredLaterCountsFromItsArrival) {
  const auto arrived = times_.wake_up();
  times_.end_wake_up();
  clock_.advance(7);
  times_.answered(op("counter.increment"), arrived, clock_.steady());
  EXPECT_EQ(figures("counter.increment"), Figures(1, 7));
}

}  // namespace
}  // namespace karma::engine
