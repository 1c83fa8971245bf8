#include "ops/exposition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace karma::ops {
namespace {

using Type = Exposition::Type;

TEST(Exposition, AFamilyIsHelpTypeAndItsSamples) {
  Exposition out;
  out.family("a_total", Type::counter, "What it is.");
  out.add(std::uint64_t{18446744073709551615u});
  out.family("b", Type::gauge, "Another one.");
  out.add(0.25, {{"x", "1"}});
  out.add(1e-05, {{"x", "2"}, {"y", ""}});
  EXPECT_EQ(out.text(),
            "# HELP a_total What it is.\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "# HELP b Another one.\n# TYPE b gauge\nb{x=\"1\"} 0.25\nb{x=\"2\",y=\"\"} 1e-05\n");
}

TEST(Exposition, EscapesWhatTheFormatDemands) {
  Exposition out;
  out.family("a", Type::gauge, "a \"b\" \\ c\nd");
  out.add(std::uint64_t{1}, {{"x", "a \"b\" \\ c\nd"}});
  EXPECT_EQ(out.text(), "# HELP a a \"b\" \\\\ c\\nd\n# TYPE a gauge\na{x=\"a \\\"b\\\" \\\\ c\\nd\"} 1\n");
}

TEST(Exposition, NumbersThatAreNoneHaveNames) {
  Exposition out;
  out.family("a", Type::gauge, "A.");
  for (const double value : {HUGE_VAL, -HUGE_VAL, std::nan("")}) out.add(value);
  EXPECT_TRUE(out.text().ends_with("a +Inf\na -Inf\na NaN\n"));
}

TEST(Exposition, BucketsAreCumulativeAndSecondsExact) {
  DurationHistogram durations;
  durations.add(std::uint64_t{10'000}, 2);
  durations.add(std::uint64_t{10'001});
  durations.add(std::uint64_t{60'000'000'000});
  HistogramFigures figures;
  durations.add_to(figures);
  Exposition out;
  out.family("a_seconds", Type::histogram, "A.");
  out.add_seconds(figures, {{"op", "x"}});
  const std::string& text = out.text();
  EXPECT_NE(text.find("a_seconds_bucket{op=\"x\",le=\"1e-05\"} 2\na_seconds_bucket{op=\"x\",le=\"2e-05\"} 3\n"),
            std::string::npos);
  EXPECT_NE(text.find("le=\"0.0001\"} 3\n"), std::string::npos);
  EXPECT_TRUE(
      text.ends_with("le=\"10\"} 3\na_seconds_bucket{op=\"x\",le=\"+Inf\"} 4\n"
                     "a_seconds_sum{op=\"x\"} 60.000030001\na_seconds_count{op=\"x\"} 4\n"))
      << text;
}

TEST(Histogram, EachValueIsInTheFirstBucketWhoseBoundIsNotBelowIt) {
  const auto bucket_of = [](std::uint64_t value) {
    SizeHistogram histogram;
    histogram.add(value);
    HistogramFigures figures;
    histogram.add_to(figures);
    return static_cast<std::size_t>(std::ranges::find(figures.counts, 1u) - figures.counts.begin());
  };
  const auto wanted = [](std::uint64_t value) {
    return static_cast<std::size_t>(std::ranges::lower_bound(kSizeBounds, value) - kSizeBounds.begin());
  };
  for (std::uint64_t value = 0; value < 5000; ++value) ASSERT_EQ(bucket_of(value), wanted(value)) << value;
  for (const std::uint64_t value : {std::uint64_t{1} << 40, UINT64_MAX})
    EXPECT_EQ(bucket_of(value), kSizeBounds.size());
}

TEST(Histogram, DurationsAreNeverBelowZero) {
  DurationHistogram histogram;
  histogram.add(std::chrono::seconds(-1));
  histogram.add(std::chrono::milliseconds(3));
  HistogramFigures figures;
  histogram.add_to(figures);
  EXPECT_EQ(figures.count(), 2u);
  EXPECT_EQ(figures.sum, 3'000'000u);
  EXPECT_EQ(figures.counts[0], 1u);
}

TEST(Histogram, FiguresOfSeveralAddUp) {
  SizeHistogram one, other;
  one.add(3, 5);
  other.add(100);
  HistogramFigures figures;
  one.add_to(figures);
  other.add_to(figures);
  EXPECT_EQ(figures.count(), 6u);
  EXPECT_EQ(figures.sum, 115u);
}

}  // namespace
}  // namespace karma::ops
