#include "tools/points_text.h"

#include <random>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::tools {
namespace {

Result<std::optional<Item>> read_one(PointsReader& reader, std::string_view text) {
  const char* at = text.data();
  Result<std::optional<Item>> item = reader.read(at, at + text.size(), true);
  EXPECT_EQ(at, text.data() + text.size()) << text;
  return item;
}

// The points of the lines, as "key/bucket/value" one after the other; "-" for a line without one, "!" for a bad one.
std::string read(std::vector<std::string> lines, std::optional<PointsFormat> format = {}) {
  PointsReader reader({.format = format}, "links");
  std::string all;
  for (const std::string& line : lines) {
    const Result<std::optional<Item>> item = read_one(reader, line);
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
  EXPECT_EQ(read({"\"key\",\"date\",\"value\"\r", "\"42\", 20260505 ,\"10\"\r", "\r", ""}), "- 42/20260505/10 - -");
}

TEST(PointsText, AHeaderSaysWhichColumnIsWhich) {
  EXPECT_EQ(read({"value,name,date,key", "10,x,2026-05-05,42", "10,x,2026-05-05"}), "- 42/20260505/10 !");
  EXPECT_EQ(read({"key,bucket", "42,20260505"})[0], '!');
  EXPECT_EQ(read({"key,bucket,date,value"}), "!");
  EXPECT_EQ(read({"42,20260505,10", "key,bucket,value"}), "42/20260505/10 !") << "only the first line is a header";
}

TEST(PointsText, ARowIsAsLongAsItsHeader) {
  EXPECT_EQ(read({"key,bucket,value", "42,20260505,1,234", "42,20260505", "42,20260505,1"}), "- ! ! 42/20260505/1");
  EXPECT_EQ(read({"key,bucket,value,note", "42,20260505,1", "42,20260505,1,"}), "- ! 42/20260505/1");
  EXPECT_EQ(read({"key,bucket,value", ",,", "42,20260505,1"}), "- - 42/20260505/1") << "rows below a table";
}

TEST(PointsText, FieldsInQuotesHoldWhatTheyLike) {
  EXPECT_EQ(read({"note,key,bucket,value", "\"dup of 7,7,20260503,3,see mail\",42,20260505,10"}), "- 42/20260505/10");
  EXPECT_EQ(read({"note,key,bucket,value", "\"7,7,20260503,3\n8,8,20260503,3\",42,20260505,10"}), "- 42/20260505/10");
  EXPECT_EQ(read({"\"the \"\"key\"\"\",\"key\",bucket,value", "x,42,20260505,10"}), "- 42/20260505/10");
  EXPECT_EQ(read({"key,bucket,value", "\"42,20260505,10"}), "- !");
}

TEST(PointsText, TheFirstLineTellsTheSeparator) {
  EXPECT_EQ(read({"key;bucket;value", "42;20260505;10", "1,20260505,1"}), "- 42/20260505/10 !");
  EXPECT_EQ(read({"note, long\tvalue\tdate\tkey", "a;b,c\t10\t2026-05-05\t42"}), "- 42/20260505/10");
  EXPECT_EQ(read({"42;20260505;10", "43;20260505;11"}), "42/20260505/10 43/20260505/11");
  EXPECT_EQ(read({"42\t20260505\t10"}), "42/20260505/10");
  EXPECT_EQ(read({"42;20260505;1,5"}), "!") << "no further field";
  EXPECT_EQ(read({"key,bucket,value", "42,20260505,10;"}), "- !");
}

TEST(PointsText, ColumnsMayHaveOtherNames) {
  const auto read_as = [](PointsOptions options, std::vector<std::string> lines) {
    PointsReader reader(std::move(options), "links");
    std::string all;
    for (const std::string& line : lines) {
      const Result<std::optional<Item>> item = read_one(reader, line);
      if (!item) return item.error().message;
      if (!*item) continue;
      all += std::to_string((*item)->key.value) + "/" + std::to_string((*item)->bucket.number()) + "/" +
             std::to_string((*item)->value);
    }
    return all;
  };
  const PointsOptions named{.key_column = "link", .bucket_column = "day", .value_column = "clicks"};
  EXPECT_EQ(read_as(named, {"Day,Clicks,Link,key", "2026-05-05,10,42,7"}), "42/20260505/10");
  EXPECT_EQ(read_as(named, {R"({"link":"42","day":"2026-05-05","clicks":10,"key":7})"}), "42/20260505/10");
  EXPECT_EQ(read_as(PointsOptions{.value_column = "b"}, {"key,bucket,B,b", "42,20260505,1,2"}), "42/20260505/2")
      << "exactly so";
  // Numbers are positions, with a header or without.
  const PointsOptions numbered{.key_column = "2", .bucket_column = "3", .value_column = "4"};
  EXPECT_EQ(read_as(numbered, {"x,42,20260505,10"}), "42/20260505/10");
  EXPECT_EQ(read_as(numbered, {"a,b,c,d", "x,42,20260505,10"}), "42/20260505/10");
  EXPECT_EQ(read_as({}, {"Key,DATE,Value", "42,20260505,10"}), "42/20260505/10");
  EXPECT_EQ(read_as({}, {",key,date,value", "0,42,20260505,10"}), "42/20260505/10") << "pandas names no index";
  const std::string message = read_as({}, {"Link,Datum,Klicks", "42,20260505,10"});
  for (const char* part : {"key, bucket (or date) and value", "\"Link\", \"Datum\", \"Klicks\"", "--key-column"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(read_as(named, {"42,20260505,10"}).find("\"link\", \"day\" and \"clicks\""), std::string::npos);
}

TEST(PointsText, MessagesHoldNothingThatATerminalObeys) {
  PointsReader reader({}, "links");
  const Result<std::optional<Item>> item = read_one(reader, "1,\x1b[2J\x9b\xc2\x9b\xffö,2");
  ASSERT_FALSE(item.ok());
  EXPECT_NE(item.error().message.find("\"?[2J????ö\""), std::string::npos) << item.error().message;
}

TEST(PointsText, LinesMayBeOfSeveralSeries) {
  PointsReader reader({}, "links", PointsReader::Others::passed_over);
  const auto point = [&](std::string_view line) { return read_one(reader, line); };
  EXPECT_FALSE(point(R"({"series":"other","key":1,"bucket":20260505,"value":2})")->has_value());
  EXPECT_EQ((*point(R"({"series":"links","key":1,"bucket":20260505,"value":2,"lsn":7})"))->value, 2U);
  EXPECT_FALSE(point(R"({"series":"links"})")->has_value()) << "an empty series, as karma dump tells of it";
  EXPECT_FALSE(point(R"({"series":"links","key":1})").ok());
  EXPECT_FALSE(point(R"({"key":1,"bucket":20260505,"value":2})").ok()) << "it may be of any";

  test::CrashableFileSystem files;
  const auto named = [&](const std::string& text) {
    files.edit("d/points", text);
    return series_named(**files.open("d/points", FileSystem::Open::read));
  };
  EXPECT_EQ(*named(R"({"series":"b","key":1})"
                   "\n\n"
                   R"({"series":"a","key":1})"
                   "\n"
                   R"({"series":"b","key":2})"
                   "\n"
                   R"({"series":"empty"})"),
            (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(*named(""), std::set<std::string>());
  for (const char* line : {"1,20260505,1", "[1,20260505,1]", R"({"key":1})", R"({"series":"a/b","key":1})", "{"})
    EXPECT_FALSE(named(line).ok()) << line;
}

TEST(PointsText, AllOfSixtyFourBits) {
  EXPECT_EQ(read({"18446744073709551615,10000101,18446744073709551615"}),
            "18446744073709551615/10000101/18446744073709551615");
  EXPECT_EQ(read({"18446744073709551616,20260505,1", "1,20260505,18446744073709551616"}), "! !");
}

TEST(PointsText, WhatIsNoPointIsRefused) {
  for (const char* line : {"1,20260505", "1,20260505,1,1", "-1,20260505,1", "1,20260505,-1", "1,20260505,1.5",
                           "1,20260230,1", "1,2026-5-5,1", "1,20260505,", ",20260505,1", "1,,1", "1;20260505;1",
                           "1,260505,1", "1,00260505,1", "1,0026-05-05,1", "1,09991231,1", "1,20260505,1e3",
                           "+1,20260505,1", "0x1,20260505,1", "1,2026-05-05T00:01,1"}) {
    EXPECT_EQ(read({"2,20260505,2", line}), "2/20260505/2 !") << line;
  }
}

// Such lines are sent as they are.
TEST(PointsText, PlainLinesAreRecognised) {
  const auto plain = [](std::vector<std::string> lines) {
    PointsReader reader({}, "links");
    for (const std::string& line : lines) EXPECT_TRUE(read_one(reader, line).ok()) << line;
    return reader.all_plain();
  };
  EXPECT_TRUE(plain({"0,20260505,0", "", "9999999999999999999,20260505,1"}));
  EXPECT_TRUE(plain({"key,date,value", "1,20260505,1", "2,20260505,1"}));
  for (const char* line : {"01,20260505,1", "1,20260505,01", "1,2026-05-05,1", " 1,20260505,1", "\r", " ",
                           "1,20260505,1\r", "\"1\",20260505,1", "18446744073709551615,20260505,1"}) {
    EXPECT_FALSE(plain({"1,20260505,1", line})) << line;
    EXPECT_FALSE(plain({line, "1,20260505,1"})) << line;
  }
  EXPECT_FALSE(plain({"value,bucket,key", "1,20260505,1"}));
  EXPECT_FALSE(plain({"key,bucket,value,more", "1,20260505,1,2"}));
  EXPECT_FALSE(plain({"[1,20260505,1]"}));
}

// A line that is nearly, or quite, as plain lines are.
std::string some_line(std::mt19937_64& random) {
  const auto number = [&] { return std::to_string(random() >> random() % 64); };
  std::string line = number() + "," + std::to_string(20260401 + random() % 40) + "," + number();
  const std::string_view odd = "09,:/ \t\r\"-+.e[\xFF";
  for (std::size_t changes = random() % 4; changes > 1; --changes) {
    const std::size_t at = random() % line.size();
    if (random() % 2) {
      line[at] = odd[random() % odd.size()];
    } else {
      line.insert(at, 1, odd[random() % odd.size()]);
    }
  }
  return line;
}

TEST(PointsText, PlainLinesAreTakenFromWhereTheyStandAsTheyAreAlone) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  std::size_t plain_ones = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string line = some_line(random);
    SCOPED_TRACE(line);
    const std::optional<Item> alone = plain_item_of(line);
    PointsReader reader({.format = PointsFormat::csv}, "links");
    EXPECT_TRUE(read_one(reader, "").ok());
    const Result<std::optional<Item>> read = read_one(reader, line);
    ASSERT_EQ(alone.has_value(), reader.all_plain() && read.ok());
    if (alone) {
      ASSERT_EQ((*read)->key, alone->key);
      ASSERT_EQ((*read)->bucket, alone->bucket);
      ASSERT_EQ((*read)->value, alone->value);
    }
    for (const char* behind : {"\n", "\n1,20260505,1\n", "\n\n\n\n\n\n\n\n\n\n"}) {
      const std::string text = line + behind;
      const char* at = text.data();
      const std::optional<Item> taken = take_plain_line(at, text.data() + text.size());
      ASSERT_EQ(taken.has_value(), alone.has_value());
      ASSERT_EQ(at - text.data(), taken ? static_cast<std::ptrdiff_t>(line.size()) + 1 : 0);
      if (!taken) continue;
      ASSERT_EQ(taken->key, alone->key);
      ASSERT_EQ(taken->bucket, alone->bucket);
      ASSERT_EQ(taken->value, alone->value);
    }
    const char* at = line.data();
    EXPECT_FALSE(take_plain_line(at, line.data() + line.size())) << "without its end";
    plain_ones += alone.has_value();
  }
  EXPECT_GT(plain_ones, 5000u);
  EXPECT_LT(plain_ones, 15000u);
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
        R"({"key":1.0,"bucket":20260505,"value":1})", R"({"key":1,"key":2,"bucket":20260505,"value":1})",
        R"({"key":null,"bucket":20260505,"value":1})", "1,20260505,1"}) {
    EXPECT_EQ(read({line}, PointsFormat::ndjson), "!") << line;
  }
}

TEST(PointsText, WritesWhatItReads) {
  const Item points[] = {{{0}, Bucket::of_number(10000101), 1},
                         {{UINT64_MAX}, Bucket::of_number(99991231), UINT64_MAX}};
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
