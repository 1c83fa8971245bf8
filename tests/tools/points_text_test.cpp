#include "tools/points_text.h"

#include <gtest/gtest.h>

namespace karma::tools {
namespace {

// The points of the lines, as "key/bucket/value" one behind the other; "-" for a line without one, "!" for a bad one.
std::string read(std::vector<std::string> lines, std::optional<PointsFormat> format = {}) {
  PointsReader reader(format, "links");
  std::string all;
  for (const std::string& line : lines) {
    const Result<std::optional<Item>> item = reader.read(line);
    if (!all.empty()) all += ' ';
    if (!item) {
      all += '!';
    } else if (!*item) {
      all += '-';
    } else {
      all += std::to_string((*item)->key.value) + "/" + std::to_string((*item)->bucket.number()) + "/" +
             std::to_string((*item)->value);
    }
  }
  return all;
}

TEST(PointsText, CsvWithAHeaderOrWithout) {
  EXPECT_EQ(read({"42,20260505,10", "0,2026-05-06,0"}), "42/20260505/10 0/20260506/0");
  EXPECT_EQ(read({"key,bucket,value", "42,20260505,10"}), "- 42/20260505/10");
  EXPECT_EQ(read({"\xEF\xBB\xBF\"key\",\"date\",\"value\"\r", "\"42\", 20260505 ,\"10\"\r", "\r", ""}),
            "- 42/20260505/10 - -");
}

TEST(PointsText, AHeaderSaysWhichColumnIsWhich) {
  EXPECT_EQ(read({"value,name,date,key", "10,x,2026-05-05,42", "10,x,2026-05-05"}), "- 42/20260505/10 !");
  EXPECT_EQ(read({"key,bucket", "42,20260505"})[0], '!');
  EXPECT_EQ(read({"key,bucket,date,value"}), "!");
  EXPECT_EQ(read({"42,20260505,10", "key,bucket,value"}), "42/20260505/10 !") << "only the first line is a header";
}

TEST(PointsText, AllOfSixtyFourBits) {
  EXPECT_EQ(read({"18446744073709551615,00010101,18446744073709551615"}),
            "18446744073709551615/10101/18446744073709551615");
  EXPECT_EQ(read({"18446744073709551616,20260505,1", "1,20260505,18446744073709551616"}), "! !");
}

TEST(PointsText, WhatIsNoPointIsRefused) {
  for (const char* line : {"1,20260505", "1,20260505,1,1", "-1,20260505,1", "1,20260505,-1", "1,20260505,1.5",
                           "1,20260230,1", "1,2026-5-5,1", "1,20260505,", ",20260505,1", "1,,1", "1;20260505;1",
                           "1,260505,1", "1,20260505,1e3", "+1,20260505,1", "0x1,20260505,1", "1,2026-05-05T00:00,1"}) {
    EXPECT_EQ(read({"2,20260505,2", line}), "2/20260505/2 !") << line;
  }
}

// Such lines are sent as they are.
TEST(PointsText, PlainLinesAreRecognised) {
  const auto plain = [](std::vector<std::string> lines) {
    PointsReader reader({}, "links");
    for (const std::string& line : lines) EXPECT_TRUE(reader.read(line).ok()) << line;
    return reader.all_plain();
  };
  EXPECT_TRUE(plain({"0,20260505,0", "", "9999999999999999999,20260505,1"}));
  EXPECT_TRUE(plain({"key,date,value", "1,20260505,1", "2,20260505,1"}));
  for (const char* line : {"01,20260505,1", "1,20260505,01", "1,00010101,1", "1,2026-05-05,1", " 1,20260505,1", "\r",
                           " ", "1,20260505,1\r", "\"1\",20260505,1", "18446744073709551615,20260505,1"}) {
    EXPECT_FALSE(plain({"1,20260505,1", line})) << line;
    EXPECT_FALSE(plain({line, "1,20260505,1"})) << line;
  }
  EXPECT_FALSE(
      plain({"\xEF\xBB\xBF"
             "1,20260505,1"}));
  EXPECT_FALSE(plain({"value,bucket,key", "1,20260505,1"}));
  EXPECT_FALSE(plain({"key,bucket,value,more", "1,20260505,1,2"}));
  EXPECT_FALSE(plain({"[1,20260505,1]"}));
}

TEST(PointsText, JsonLinesAreObjectsOrArrays) {
  EXPECT_EQ(read({R"({"key":42,"bucket":20260505,"value":10})", "[42,\"2026-05-05\",10]",
                  R"({"value":"10","more":[{}],"date":"20260505","key":42})", "",
                  R"({"series":"li\u006eks","key":1,"bucket":20260505,"value":2})"}),
            "42/20260505/10 42/20260505/10 42/20260505/10 - 1/20260505/2");
}

TEST(PointsText, WhatIsNoJsonPointIsRefused) {
  for (const char* line :
       {"{", "[1,20260505]", "[1,20260505,1,1]", "[1,20260505,1]x", R"({"key":1,"bucket":20260505})",
        R"({"series":"other","key":1,"bucket":20260505,"value":1})", R"({"key":-1,"bucket":20260505,"value":1})",
        R"({"key":1.0,"bucket":20260505,"value":1})", R"({"key":null,"bucket":20260505,"value":1})", "1,20260505,1"}) {
    EXPECT_EQ(read({line}, PointsFormat::ndjson), "!") << line;
  }
}

TEST(PointsText, WritesWhatItReads) {
  const Item points[] = {{{0}, Bucket::of_number(10101), 1}, {{UINT64_MAX}, Bucket::of_number(99991231), UINT64_MAX}};
  for (const Item& point : points) {
    Buffer csv;
    append_csv(csv, point);
    Buffer json;
    append_ndjson(json, point);
    Buffer item;
    append_item(item, point);
    EXPECT_EQ(item.size(), item_bytes(point));
    const std::string expected = std::to_string(point.key.value) + "/" + std::to_string(point.bucket.number()) + "/" +
                                 std::to_string(point.value);
    EXPECT_EQ(read({std::string(csv.view().substr(0, csv.size() - 1))}), expected);
    EXPECT_EQ(read({std::string(json.view().substr(0, json.size() - 1))}), expected);
  }
}

TEST(PointsText, KnowsTheLengthOfAnItemBeforeItIsWritten) {
  for (std::uint64_t power = 1;; power *= 10) {
    for (const std::uint64_t number : {power - 1, power, power + 1}) {
      Buffer item;
      append_item(item, {{number}, Bucket::of_number(20260505), number});
      EXPECT_EQ(item.size(), item_bytes({{number}, Bucket::of_number(20260505), number})) << number;
    }
    if (power > UINT64_MAX / 10) return;
  }
}

}  // namespace
}  // namespace karma::tools
