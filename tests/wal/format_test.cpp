#include "wal/format.h"

#include <gtest/gtest.h>

#include "core/crc32c.h"

namespace karma::wal {
namespace {

std::string line_of(std::uint64_t lsn, std::string_view entry) {
  Buffer out;
  append_line(out, Lsn{lsn}, entry);
  std::string line(out.view());
  EXPECT_EQ(line.back(), '\n');
  line.pop_back();
  return line;
}

// What other programs read; written out so that no change of the code can change it unnoticed.
TEST(WalFormat, WritesTheLineThatIsDocumented) {
  EXPECT_EQ(line_of(7, R"({"v":2,"op":"system.compact"})"),
            R"({"v":2,"lsn":7,"entry":{"v":2,"op":"system.compact"},"crc32c":)" +
                std::to_string(crc32c(R"({"v":2,"lsn":7,"entry":{"v":2,"op":"system.compact"})")) + "}");
}

TEST(WalFormat, ReadsWhatItWrites) {
  for (const std::uint64_t lsn : {std::uint64_t{1}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    const std::string entry = R"({"s":"\"}{,\"crc32c\":5}","n":[{},[1]]})";
    const std::string line = line_of(lsn, entry);
    const ParsedLine parsed = parse_line(line);
    EXPECT_EQ(parsed.kind, LineKind::good) << parsed.fault;
    EXPECT_EQ(parsed.line.lsn.value, lsn);
    EXPECT_EQ(parsed.line.entry, entry);
    EXPECT_TRUE(parsed.line.checksummed);
  }
}

TEST(WalFormat, ReadsLinesOfOthersInAnyForm) {
  for (const char* text : {R"({"v":2,"lsn":5,"entry":{"op":"x"}})", R"({"entry":{"op":"x"},"lsn":5})",
                           "  { \"lsn\" : 5 ,\t\"entry\" : {\"op\":\"x\"} , \"v\": 2 }\r"}) {
    const ParsedLine parsed = parse_line(text);
    EXPECT_EQ(parsed.kind, LineKind::good) << text << ": " << parsed.fault;
    EXPECT_EQ(parsed.line.lsn.value, 5u) << text;
    EXPECT_EQ(parsed.line.entry, R"({"op":"x"})") << text;
    EXPECT_FALSE(parsed.line.checksummed);
  }
}

// 1.0 writes no checksums, and this Karma no other lines.
TEST(WalFormat, TakesAChecksummedLineOfAnotherFormForANewerOne) {
  for (const std::string body : {R"({ "lsn":5, "entry":{"op":"x"})", R"({"v":3,"lsn":5,"entry":{"op":"x"})",
                                 R"({"v":2,"lsn":5,"entry":{"op":"x"},"more":1)", R"({"v":2,"lsn":5,"entry":[])"}) {
    const ParsedLine parsed = parse_line(body + R"(,"crc32c":)" + std::to_string(crc32c(body)) + "}\r");
    EXPECT_EQ(parsed.kind, LineKind::wrong) << body;
    EXPECT_TRUE(parsed.newer) << body;
  }
}

TEST(WalFormat, KnowsTheVeryFormOfKarma1) {
  for (const char* text :
       {R"({"v":2,"lsn":5,"entry":{"op":"x"}})", R"({"v":2,"lsn":5,"entry":{"s":"\" a b {","n":[1,{}]}})",
        "{\"v\":2,\"lsn\":5,\"entry\":{}}\r"}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::good) << text;
    EXPECT_TRUE(parse_line(text).line.exact) << text;
  }
  for (const char* text : {R"({"lsn":5,"entry":{"op":"x"}})", R"({"v":2,"entry":{"op":"x"},"lsn":5})",
                           R"({"v":2, "lsn":5,"entry":{"op":"x"}})", R"({"v":2,"lsn":5,"entry":{"op": "x"}})",
                           R"({"v":2,"lsn":5,"entry":{"op":"x"} })", R"({"lsn":5,"v":2,"entry":{"op":"x"}})"}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::good) << text;
    EXPECT_FALSE(parse_line(text).line.exact) << text;
  }
}

TEST(WalFormat, AFourthKeyIsDamageUnlessItIsTheChecksum) {
  for (const char* text : {R"({"v":2,"lsn":5,"entry":{},"crc32d":1})", R"({"v":2,"lsn":5,"entry":{},"time":"now"})",
                           R"({"v":2,"lsn":5,"x":{},"entry":{}})", R"({"v":2,"lsn":5,"entry":{},"v":2})",
                           R"({"v":3,"lsn":5,"entry":{}})"}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::wrong) << text;
  }
}

TEST(WalFormat, SkipsBlankLines) {
  for (const char* text : {"", " ", "\r", "\t \r"}) EXPECT_EQ(parse_line(text).kind, LineKind::blank);
}

TEST(WalFormat, TellsWrongLinesFromUnreadableOnes) {
  for (const char* text :
       {R"({"entry":{}})", R"({"lsn":"5","entry":{}})", R"({"lsn":0,"entry":{}})", R"({"lsn":-1,"entry":{}})",
        R"({"lsn":1.0,"entry":{}})", R"({"lsn":01,"entry":{}})", R"({"lsn":18446744073709551616,"entry":{}})",
        R"({"lsn":5})", R"({"lsn":5,"entry":[]})", R"({"lsn":5,"lsn":5,"entry":{}})", R"({"lsn":5,"entry":null})",
        R"({"lsn":5,"entry":{},"entry":{}})", R"({"lsn":5,"crc32c":1,"entry":{}})",
        R"({"lsn":5,"entry":{},"crc32c":1})", R"({"lsn":5,"entry":{},"crc32c":"1"})", "{}", R"({"x":1})"}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::wrong) << text;
    EXPECT_STRNE(parse_line(text).fault, "") << text;
  }
  for (const char* text :
       {"garbage", "5", "[]", "{", R"({"lsn":5,"entry":{})", R"({"lsn":5,"entry":{}}x)", R"({"lsn":5,"entry":{]})",
        R"({"lsn":5,"entry":{"a})", R"({"lsn":5 "entry":{}})", R"({"lsn":5,"entry":{},})",
        R"({"lsn":5,"entry":{"a":"\)", "{\"lsn\":5,\"entry\":{\"a\":\"\x01\"}}", R"({"lsn":5,"entry":{}}{})"}) {
    EXPECT_EQ(parse_line(text).kind, LineKind::unreadable) << text;
  }
}

TEST(WalFormat, NoticesEveryFlippedBit) {
  const std::string entry = R"({"v":2,"op":"counter.increment","series":"links","key":42})";
  const std::string line = line_of(123456, entry);
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = line;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      EXPECT_NE(parse_line(flipped).kind, LineKind::good) << flipped;
    }
  }
}

TEST(WalFormat, FindsAWholeLineInFrontOfRubbish) {
  const std::string line = line_of(3, R"({"a":",\"crc32c\":1}"})");
  EXPECT_EQ(checksummed_prefix(line), line.size());
  EXPECT_EQ(checksummed_prefix(line + "\v{rubbish"), line.size());
  EXPECT_EQ(checksummed_prefix(line.substr(0, line.size() - 1)), std::nullopt);
  EXPECT_EQ(checksummed_prefix("x" + line), std::nullopt);
  EXPECT_EQ(checksummed_prefix(""), std::nullopt);
}

TEST(WalFormat, FindsAWholeLineBehindRubbish) {
  const std::string line = line_of(3, R"({"a":"{\"v\":2,\"lsn\":"})");
  EXPECT_EQ(checksummed_suffix("rub{\"v\":2,\"lsn\":bish" + line)->lsn.value, 3u);
  EXPECT_EQ(checksummed_suffix(line + "\r")->lsn.value, 3u);
  EXPECT_FALSE(checksummed_suffix(line + "x"));
  EXPECT_FALSE(checksummed_suffix(line.substr(1)));
}

TEST(WalFormat, KnowsTheEndOfALineThoughDamaged) {
  EXPECT_TRUE(ends_like_a_line(R"(...},"crc32c":123})"));
  EXPECT_TRUE(ends_like_a_line(R"(...},"crc32c":4294967295})"));
  EXPECT_TRUE(ends_like_a_line(R"(...},#crc32c":1x3})"));
  EXPECT_FALSE(ends_like_a_line(R"(...},"crc32c":4294967295} and more)"));
  EXPECT_FALSE(ends_like_a_line(R"({"v":2,"lsn":12,"ent)"));
  EXPECT_FALSE(ends_like_a_line("x"));
}

TEST(WalFormat, SeparatorsLieInOneSectorWithTheBeginningOfTheNextLine) {
  for (std::uint64_t at = 1000; at < 1000 + kSectorBytes; ++at) {
    for (const std::size_t number : {0, 1, 2, 3, 9, 1000, 1023, 123456}) {
      Buffer out;
      append_separator(out, at, number);
      std::string_view text = out.view();
      ASSERT_TRUE(text.ends_with('\n'));
      text.remove_suffix(1);
      const std::size_t begin = text.rfind('\n') + 1;  // 0 if it stands alone
      ASSERT_EQ(text.find_first_not_of('\n'), begin == text.size() ? std::string_view::npos : begin);
      ASSERT_EQ(separator_number(text.substr(begin)), number) << at;
      ASSERT_EQ((at + begin) / kSectorBytes, (at + out.size()) / kSectorBytes) << at;
      for (const char c : text) ASSERT_TRUE(is_blank({&c, 1}) || c == '\n');
    }
  }
  EXPECT_EQ(separator_number("\t \t"), 5u);
  for (const char* text : {"\r", " \t", "\t\r", "{"}) EXPECT_FALSE(separator_number(text)) << text;
  EXPECT_FALSE(separator_number(std::string(65, '\t')));
}

TEST(WalFormat, NamesSegments) {
  EXPECT_EQ(segment_name(Lsn{42}), "karma.wal.00000000000000000042.segment");
  EXPECT_EQ(segment_lsn("karma.wal.00000000000000000042.segment"), Lsn{42});
  EXPECT_EQ(segment_lsn("karma.wal.42.segment"), Lsn{42});
  EXPECT_EQ(segment_lsn(segment_name(Lsn{~std::uint64_t{0}})), Lsn{~std::uint64_t{0}});
  for (const char* name : {"karma.wal", "karma.wal.lsn", "karma.wal.segment", "karma.wal..segment",
                           "karma.wal.x.segment", "karma.wal.1.segment.idx", "karma.wal.-1.segment",
                           "karma.wal.18446744073709551616.segment", "karma.wal.1x.segment", "karma.walx1.segment"}) {
    EXPECT_FALSE(segment_lsn(name)) << name;
  }
}

TEST(WalFormat, ReadsTheLsnFileWithWhiteSpaceAround) {
  EXPECT_EQ(parse_lsn_file("12\n"), Lsn{12});
  EXPECT_EQ(parse_lsn_file(" 12\r\n "), Lsn{12});
  EXPECT_EQ(parse_lsn_file(""), Lsn{});
  EXPECT_EQ(parse_lsn_file("\n"), Lsn{});
  for (const char* content : {"-1", "x", "1 2", "1x", "18446744073709551616"}) EXPECT_FALSE(parse_lsn_file(content));
}

}  // namespace
}  // namespace karma::wal
