#include "tools/time_zone.h"

#include <gtest/gtest.h>

#include "tools/progress.h"

namespace karma::tools {
namespace {

// Where the zone's clock shows this time.
std::uint64_t day_in(std::string_view zone, std::string_view text) {
  const std::optional<TimeZone> found = TimeZone::of(zone);
  const std::optional<TimeOfDay> time = time_of(text);
  if (!found || !time || !time->offset) return 0;
  const std::int64_t local = std::int64_t{time->day.day_or_none()} * 86400 + time->seconds;
  const std::optional<Bucket> day = found->day_at(local - *time->offset);
  return day ? day->number() : 0;
}

TEST(TimeZone, AnInstantIsInOneDayOfAZone) {
  EXPECT_EQ(day_in("UTC", "2026-05-05T23:30:00Z"), 20260505u);
  EXPECT_EQ(day_in("+02:00", "2026-05-05T21:59:59Z"), 20260505u);
  EXPECT_EQ(day_in("+02:00", "2026-05-05T22:00:00Z"), 20260506u);
  EXPECT_EQ(day_in("-0330", "2026-05-05T03:29:59Z"), 20260504u);
  EXPECT_EQ(day_in("Z", "2026-05-05T00:30:00+01:00"), 20260504u);
  EXPECT_EQ(day_in("Z", "1969-12-31T23:59:59Z"), 19691231u);
  EXPECT_EQ(day_in("Z", "9999-12-31T23:59:59-01:00"), 0u) << "beyond the calendar";
  // Summer time begins on 2026-03-29 and ends on 2026-10-25.
  EXPECT_EQ(day_in("Europe/Berlin", "2026-03-28T22:59:59Z"), 20260328u);
  EXPECT_EQ(day_in("Europe/Berlin", "2026-03-28T23:00:00Z"), 20260329u);
  EXPECT_EQ(day_in("Europe/Berlin", "2026-03-29T22:00:00Z"), 20260330u);
  EXPECT_EQ(day_in("Europe/Berlin", "2026-10-25T22:59:59Z"), 20261025u);
  EXPECT_EQ(day_in("Europe/Berlin", "2050-07-01T22:00:00Z"), 20500702u) << "by the rule, beyond the table";
  for (const char* none : {"", "Mars/Olympus", "/etc/passwd", "../zoneinfo/UTC", "+2", "+24:00", "+02:60", "Europe"})
    EXPECT_FALSE(TimeZone::of(none)) << none;
}

TEST(TimeZone, TimesAreThoseOfRfc3339AndTheirRelatives) {
  for (const char* text :
       {"2026-05-05T23:30:00Z", "2026-05-05t23:30:00z", "2026-05-05 23:30Z", "2026-05-05 23:30:00 UTC",
        "2026-05-05T23:30:00.123456789+00:00", "2026-05-05 23:30:00+00", "2026-05-05T23:30:00-0000"}) {
    const std::optional<TimeOfDay> time = time_of(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->day.number(), 20260505u);
    EXPECT_EQ(time->seconds, 84600);
    EXPECT_EQ(time->offset, 0);
  }
  EXPECT_EQ(time_of("2026-05-05T23:59:60Z")->seconds, 86399) << "a leap second is of its day";
  EXPECT_FALSE(time_of("2026-05-05 00:00:00")->offset);
  for (const char* none :
       {"2026-05-05", "2026-05-05T", "2026-05-05T24:00:00Z", "2026-05-05T23:60:00Z", "2026-05-05T23:30:61Z",
        "2026-05-05T23:30:00.Z", "2026-05-05T23:30:00.", "2026-02-30T00:00:00Z", "2026-05-05T23:30:00 CEST",
        "2026-05-05T23-30-00Z", "20260505T233000Z", "2026-05-05T23:30:0Z", "2026-05-05_23:30:00Z"})
    EXPECT_FALSE(time_of(none)) << none;
}

TEST(Progress, TellsRateAndTimeLeft) {
  using std::chrono::seconds;
  EXPECT_EQ(pace_text(0, 100, seconds(5)), "");
  EXPECT_EQ(pace_text(100, 100, seconds(0)), "");
  EXPECT_EQ(pace_text(10000, 35000, seconds(5)), ", 2,000/s, 18 s left");
  EXPECT_EQ(pace_text(10000, 1000000, seconds(5)), ", 2,000/s, 9 min left");
  EXPECT_EQ(pace_text(10000, 100000000, seconds(5)), ", 2,000/s, 14 h left");
  EXPECT_EQ(pace_text(10000, 0, seconds(5)), ", 2,000/s");
}

}  // namespace
}  // namespace karma::tools
