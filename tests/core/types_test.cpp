#include <karma/types.h>

#include <gtest/gtest.h>

#include <string>

namespace karma {
namespace {

// A calendar that counts, against one that computes.
TEST(Bucket, AgreesWithACalendarCountedDayByDay) {
  std::int32_t day = -719162;  // 0001-01-01
  for (std::uint64_t year = 1; year <= 9999; ++year) {
    for (std::uint64_t month = 1; month <= 12; ++month) {
      bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
      std::uint64_t days = month == 2                                              ? (leap ? 29 : 28)
                           : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                                   : 31;
      for (std::uint64_t d = 0; d <= 40; ++d) {
        std::uint64_t number = year * 10000 + month * 100 + d;
        auto bucket = Bucket::of_date(number);
        if (d == 0 || d > days) {
          ASSERT_FALSE(bucket) << number;
          continue;
        }
        ASSERT_TRUE(bucket) << number;
        ASSERT_EQ(bucket->number(), number);
        ASSERT_EQ(bucket->day(), day) << number;
        ASSERT_EQ(Bucket::of_day(day), *bucket) << day;
        ++day;
      }
    }
  }
  EXPECT_EQ(day, 2932897);
}

TEST(Bucket, KnowsTheEpochAndLeapDays) {
  EXPECT_EQ(Bucket::of_date(19700101)->day(), 0);
  EXPECT_EQ(Bucket::of_day(-1).number(), 19691231u);
  EXPECT_EQ(Bucket::of_date(20260505)->day(), 20578);
  EXPECT_TRUE(Bucket::of_date(20000229));
  EXPECT_TRUE(Bucket::of_date(20240229));
  EXPECT_FALSE(Bucket::of_date(20230229));
  EXPECT_FALSE(Bucket::of_date(19000229));
  EXPECT_FALSE(Bucket::of_date(20260231));
}

TEST(Bucket, RefusesWhatIsNoDate) {
  for (std::uint64_t number : {0ull, 1ull, 101ull, 1231ull, 20260001ull, 20260100ull, 20261301ull, 20260132ull,
                               99991232ull, 100000101ull, 1ull << 32, (1ull << 32) + 20260505, 1ull << 63, ~0ull}) {
    EXPECT_FALSE(Bucket::of_date(number)) << number;
    EXPECT_FALSE(Bucket::of_number(number).day()) << number;
    EXPECT_EQ(Bucket::of_number(number).number(), number);
  }
}

TEST(Bucket, OrdersByNumberAndRangesIncludeBothEnds) {
  BucketRange range{Bucket::of_number(20260101), Bucket::of_number(20260131)};
  EXPECT_TRUE(range.contains(Bucket::of_number(20260101)));
  EXPECT_TRUE(range.contains(Bucket::of_number(20260131)));
  EXPECT_FALSE(range.contains(Bucket::of_number(20251231)));
  EXPECT_FALSE(range.contains(Bucket::of_number(20260132)));
}

TEST(SeriesName, AcceptsWhatCanBeAFileName) {
  EXPECT_EQ(series_name_fault("links"), "");
  EXPECT_EQ(series_name_fault("a"), "");
  EXPECT_EQ(series_name_fault("a.b c:d*\\\"{}"), "");
  EXPECT_EQ(series_name_fault("\xD1\x81\xD1\x81\xD1\x8B\xD0\xBB\xD0\xBA\xD0\xB8"), "");
  EXPECT_EQ(series_name_fault("\xC2\xA0"), "");  // the first character after the control characters
  EXPECT_EQ(series_name_fault(std::string(128, 'x')), "");
}

TEST(SeriesName, SaysWhyItRefuses) {
  EXPECT_NE(series_name_fault(""), "");
  EXPECT_NE(series_name_fault(std::string(129, 'x')), "");
  EXPECT_NE(series_name_fault(".hidden"), "");
  EXPECT_NE(series_name_fault("a/b"), "");
  EXPECT_NE(series_name_fault(std::string_view("a\0b", 3)), "");
  EXPECT_NE(series_name_fault("a\nb"), "");
  EXPECT_NE(series_name_fault("a\x7F"), "");
  EXPECT_NE(series_name_fault("a\xC2\x85"), "");  // U+0085
  EXPECT_NE(series_name_fault("a\xC2\x9F"), "");  // U+009F
  EXPECT_NE(series_name_fault("a\xC2"), "");
  EXPECT_NE(series_name_fault("\xED\xA0\x80"), "");
  EXPECT_NE(series_name_fault("\xC0\xAF"), "");  // an overlong slash
}

// Names are looked at several bytes at a time.
TEST(SeriesName, IsRefusedForOneByteWhereverItStands) {
  for (std::size_t size = 1; size <= 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 128; ++byte) {
        std::string name(size, '~');
        name[at] = static_cast<char>(byte);
        const bool bad = byte < 0x20 || byte == 0x7F || byte == '/' || (byte == '.' && at == 0);
        ASSERT_EQ(series_name_fault(name).empty(), !bad) << size << " " << at << " " << byte;
      }
    }
  }
}

}  // namespace
}  // namespace karma
