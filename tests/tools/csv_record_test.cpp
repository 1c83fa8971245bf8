#include "tools/csv_record.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::tools {
namespace {

using Fields = std::vector<std::string>;
using Records = std::vector<Fields>;

// All records of a text; one with a single field "!" in place of what is none.
Records records_of(const std::string& text, char separator = ',') {
  CsvRecord record(separator);
  Records all;
  for (const char *at = text.data(), *const end = at + text.size(); at != end;) {
    if (record.read(at, end) != CsvRecord::Found::record) {
      all.push_back({"!"});
      break;
    }
    all.emplace_back(record.fields().begin(), record.fields().end());
  }
  return all;
}

TEST(CsvRecord, FieldsEndAtSeparatorsAndRecordsAtLineEnds) {
  EXPECT_EQ(records_of("a,b,c\r\nd,e\n,\n\nlast"), (Records{{"a", "b", "c"}, {"d", "e"}, {"", ""}, {""}, {"last"}}));
  EXPECT_EQ(records_of("a;b,c;d", ';'), (Records{{"a", "b,c", "d"}}));
  EXPECT_EQ(records_of(" a b \t, c \r\n"), (Records{{"a b", "c"}})) << "blanks around fields do not belong to them";
  EXPECT_EQ(records_of("\ta \t\tb", '\t'), (Records{{"", "a", "", "b"}})) << "a tab that separates is no blank";
}

TEST(CsvRecord, QuotesKeepSeparatorsLineEndsAndQuotesTogether) {
  EXPECT_EQ(records_of("\"a,b\",c\n"), (Records{{"a,b", "c"}}));
  EXPECT_EQ(records_of("\"a\r\nb\nc\",d\nnext\n"), (Records{{"a\r\nb\nc", "d"}, {"next"}}));
  EXPECT_EQ(records_of("\"say \"\"hi\"\"\",\"\"\"\",\"\"\n"), (Records{{"say \"hi\"", "\"", ""}}));
  EXPECT_EQ(records_of(" \"a\" , \"b\"\r"), (Records{{"a", "b"}}));
  EXPECT_EQ(records_of("3\" disk,\"x\"\n"), (Records{{"3\" disk", "x"}})) << "not at the start of its field";
}

TEST(CsvRecord, WhatIsNotClosedOrGoesOnIsNoRecord) {
  CsvRecord record;
  const auto found = [&](std::string_view text, char separator = ',') {
    record.set_separator(separator);
    const char* at = text.data();
    const CsvRecord::Found result = record.read(at, at + text.size());
    EXPECT_EQ(at == text.data(), result != CsvRecord::Found::record) << text;
    return result;
  };
  EXPECT_EQ(found("\"a,b\n"), CsvRecord::Found::open_quote);
  EXPECT_EQ(found("a,\""), CsvRecord::Found::open_quote);
  EXPECT_EQ(found("\"a\"\""), CsvRecord::Found::open_quote);
  EXPECT_EQ(found("\"a\"b,c\n"), CsvRecord::Found::broken_quote);
  EXPECT_EQ(found("\"a\" \"b\"\n"), CsvRecord::Found::broken_quote);
  // MySQL writes such fields without quotes around them.
  EXPECT_EQ(found("\"x\t1\ny\"\t2\n", '\t'), CsvRecord::Found::tab_in_quotes);
  EXPECT_EQ(found("\"x\t1\ny\t2\n", '\t'), CsvRecord::Found::tab_in_quotes);
  EXPECT_EQ(found("\"x\"\t1\n", '\t'), CsvRecord::Found::record);
}

TEST(CsvRecord, CountsTheLinesThatItGoesOver) {
  CsvRecord record;
  const std::string_view text = "\"a\n\n\",b\nc\n";
  const char* at = text.data();
  ASSERT_EQ(record.read(at, text.data() + text.size()), CsvRecord::Found::record);
  EXPECT_EQ(record.lines(), 3u);
  ASSERT_EQ(record.read(at, text.data() + text.size()), CsvRecord::Found::record);
  EXPECT_EQ(record.lines(), 1u);
}

// What is written by the rules reads as it was.
TEST(CsvRecord, ReadsWhatIsWrittenByTheRules) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    Records records(1 + random() % 4);
    const char separator = random() % 2 ? ',' : ';';
    std::string text;
    for (Fields& fields : records) {
      fields.resize(2 + random() % 3);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        for (std::size_t size = random() % 6; size > 0; --size) fields[i] += "ab\",;\n\r 1"[random() % 9];
        const bool quoted = fields[i].find_first_of("\",;\n\r ") != std::string::npos || random() % 4 == 0;
        std::string field = quoted ? "\"" : "";
        for (const char c : fields[i]) field += c == '"' ? "\"\"" : std::string(1, c);
        text += (i == 0 ? "" : std::string(1, separator)) + field + (quoted ? "\"" : "");
      }
      text += random() % 2 ? "\n" : "\r\n";
    }
    if (random() % 4 == 0) text.resize(text.find_last_not_of("\r\n") + 1);
    SCOPED_TRACE(text);
    ASSERT_EQ(records_of(text, separator), records);
  }
}

}  // namespace
}  // namespace karma::tools
