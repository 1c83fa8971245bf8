// Pictures of days, drawn into texts.
#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include <karma/types.h>

#include "tools/chart.h"

namespace karma::tools {
namespace {

constexpr std::uint64_t kMost = UINT64_MAX;

std::int32_t day(std::uint64_t date) { return *Bucket::of_date(date)->day(); }

std::string bars(const Days& days, const Canvas& canvas, std::uint64_t first = 20260228) {
  std::ostringstream out;
  draw_bars(day(first), days, canvas, out);
  return out.str();
}

std::string sparklines(const std::vector<LabelledDays>& rows, const Canvas& canvas) {
  std::ostringstream out;
  draw_sparklines(rows, canvas, out);
  return out.str();
}

// Characters, of which UTF-8 takes several bytes.
std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto cells =
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    longest = std::max(longest, static_cast<std::size_t>(cells));
  }
  return longest;
}

TEST(Chart, BarsAreScaledToTheMaximum) {
  EXPECT_EQ(bar(8, 8, 4, true), "████");
  EXPECT_EQ(bar(4, 8, 4, true), "██");
  EXPECT_EQ(bar(3, 8, 4, true), "█▌");
  EXPECT_EQ(bar(3, 8, 4, false), "#");
  EXPECT_EQ(bar(0, 8, 4, true), "");
  EXPECT_EQ(bar(0, 0, 4, true), "");
  EXPECT_EQ(bar(1, kMost, 4, true), "▏") << "a sign of each value";
  EXPECT_EQ(bar(1, kMost, 4, false), "#");
  EXPECT_EQ(bar(kMost, kMost, 4, true), "████");
  EXPECT_EQ(bar(kMost / 2 + 1, kMost, 200, false), std::string(100, '#'));
}

TEST(Chart, SparklinesTellZeroFromNothing) {
  EXPECT_EQ(sparkline({0, std::nullopt, 1, 4, 7}, 5, true), "▁ ▂▅█");
  EXPECT_EQ(sparkline({0, std::nullopt, 1, 4, 7}, 5, false), "_ .=#");
  EXPECT_EQ(sparkline({1, kMost}, 5, true), "▂█");
  EXPECT_EQ(sparkline({5}, 5, true), "█");
  EXPECT_EQ(sparkline({0}, 5, true), "▁");
  EXPECT_EQ(sparkline({std::nullopt}, 5, true), " ");
  EXPECT_EQ(sparkline({}, 5, true), "");
}

TEST(Chart, ALongSparklineHasSeveralDaysInACharacter) {
  EXPECT_EQ(days_per_cell(30, 30), 1u);
  EXPECT_EQ(days_per_cell(31, 30), 2u);
  EXPECT_EQ(days_per_cell(367, 11), 34u);
  EXPECT_EQ(days_per_cell(0, 11), 1u);
  EXPECT_EQ(sparkline({1, 1, std::nullopt, std::nullopt, 3, std::nullopt, 14}, 4, false), ". .#");
  EXPECT_EQ(sparkline({kMost, kMost, 1}, 2, false), "#.") << "sums end at 64 bits";
}

TEST(Chart, FiguresAreThoseOfAllDays) {
  Figures figures = figures_of({std::nullopt, 3, 0, 7, 7});
  EXPECT_EQ(figures.total, 17u);
  EXPECT_FALSE(figures.saturated);
  EXPECT_EQ(figures.maximum, 7u);
  EXPECT_EQ(figures.maximum_at, 3u);
  EXPECT_EQ(figures.counted, 4u);
  figures = figures_of({kMost, 1});
  EXPECT_EQ(figures.total, kMost);
  EXPECT_TRUE(figures.saturated);
  EXPECT_FALSE(figures_of({kMost}).saturated);
  EXPECT_EQ(figures_of({std::nullopt}).counted, 0u);
}

TEST(Chart, ShortNumbersHaveAtMostSixCharacters) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(9999), "9999");
  EXPECT_EQ(short_number(10000), "10.0k");
  EXPECT_EQ(short_number(999999), "999.9k");
  EXPECT_EQ(short_number(1000000), "1.0M");
  EXPECT_EQ(short_number(kMost), "18.4E");
}

TEST(Chart, EachDayHasALine) {
  EXPECT_EQ(bars({1500, std::nullopt, 0, 3000}, {.width = 48, .utf8 = true}),
            "2026-02-28  1,500  ██████████████▌\n"
            "2026-03-01\n"
            "2026-03-02      0\n"
            "2026-03-03  3,000  █████████████████████████████\n");
  EXPECT_EQ(bars({7}, {.width = 48}), "2026-02-28  7  #################################\n");
  EXPECT_EQ(bars({0}, {.width = 48}), "2026-02-28  0\n");
  EXPECT_EQ(bars({std::nullopt, std::nullopt}, {.width = 48}), "2026-02-28\n2026-03-01\n");
  EXPECT_EQ(bars({}, {.width = 48}), "");
}

TEST(Chart, NumbersAreShortWhereTheyLeaveNoRoom) {
  EXPECT_EQ(bars({kMost, 12345}, {.width = 48}),
            "2026-02-28  18.4E  #############################\n"
            "2026-03-01  12.3k  #\n");
  EXPECT_TRUE(bars({kMost}, {.width = 80}).starts_with("2026-02-28  18,446,744,073,709,551,615  ####"));
}

TEST(Chart, ColourIsForBarsOnly) {
  EXPECT_EQ(bars({1, 2, 0}, {.width = 48, .colour = true}),
            "2026-02-28  1  \x1b[36m################\x1b[0m\n"
            "2026-03-01  2  \x1b[1;36m#################################\x1b[0m\n"
            "2026-03-02  0\n");
}

TEST(Chart, SparklinesAreATable) {
  EXPECT_EQ(sparklines({{"42", {1, std::nullopt, 7}}, {"18446744073709551615", {kMost, kMost, kMost}}}, {.width = 60}),
            "key                   days   total  maximum\n"
            "42                    . #        8        7\n"
            "18446744073709551615  ###   >18.4E    18.4E\n");
  EXPECT_EQ(sparklines({{"1", Days(30, 5)}}, {.width = 48, .utf8 = true}),
            "key  days             total  maximum\n"
            "1    ███████████████    150        5\n"
            "a character is 2 days\n");
}

TEST(Chart, NoLineIsWiderThanTheCanvas) {
  for (const std::size_t width : {48, 60, 79, 80, 133, 200}) {
    for (const std::size_t count : {1, 2, 30, 31, 366, 367}) {
      for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{123456789}, kMost}) {
        for (const bool utf8 : {false, true}) {
          Days days(count, value);
          days[count / 2] = std::nullopt;
          days.back() = kMost / 3;
          const Canvas canvas{.width = width, .utf8 = utf8};
          EXPECT_LE(longest_line(bars(days, canvas)), width) << count << " " << value;
          EXPECT_LE(longest_line(sparklines({{"1", days}, {std::to_string(kMost), days}}, canvas)), width)
              << count << " " << value;
        }
      }
    }
  }
}

}  // namespace
}  // namespace karma::tools
