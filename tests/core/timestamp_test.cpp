#include "core/timestamp.h"

#include <gtest/gtest.h>

namespace karma {
namespace {

TEST(Timestamp, ReadsRfc3339) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_timestamp("2026-05-29T00:00:00Z"), 1780012800);
  EXPECT_EQ(parse_timestamp("2026-05-29 00:00:00z"), 1780012800);
  EXPECT_EQ(parse_timestamp("2026-05-29T00:00:00.999999Z"), 1780012800);
  EXPECT_EQ(parse_timestamp("2026-05-29T03:00:00+03:00"), 1780012800);
  EXPECT_EQ(parse_timestamp("2026-05-28T18:30:00-05:30"), 1780012800);
  EXPECT_EQ(parse_timestamp("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(parse_timestamp("2016-12-31T23:59:60Z"), 1483228800);
}

TEST(Timestamp, RefusesEverythingElse) {
  for (const char* text :
       {"", "soon", "2026-05-29", "2026-05-29T00:00:00", "2026-05-29T00:00Z", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-05-29T24:00:00Z", "2026-05-29T00:60:00Z", "2026-05-29T00:00:61Z",
        "2026-05-29T00:00:00.Z", "2026-05-29T00:00:00+24:00", "2026-05-29T00:00:00+0300", "2026-05-29T00:00:00Zx",
        " 2026-05-29T00:00:00Z", "0000-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_timestamp(text)) << text;
}

}  // namespace
}  // namespace karma
