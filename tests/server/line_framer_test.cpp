#include "server/line_framer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace karma::server {
namespace {

using Found = LineFramer::Found;

// Feeds the pieces one after the other, as a session does; "!" marks where a line became too long.
std::vector<std::string> lines_of(const std::vector<std::string>& pieces, std::size_t max) {
  LineFramer framer(max);
  std::string pending;
  std::vector<std::string> lines;
  for (const std::string& piece : pieces) {
    pending += piece;
    for (;;) {
      LineFramer::Step step = framer.next(pending);
      if (step.found == Found::too_long) {
        lines.push_back("!");
        return lines;
      }
      if (step.found == Found::nothing) break;
      lines.emplace_back(step.line);
      pending.erase(0, step.consumed);
    }
  }
  if (!pending.empty()) lines.push_back("rest:" + std::string(LineFramer::last(pending)));
  return lines;
}

TEST(LineFramer, AnyCutGivesTheSameLines) {
  const std::string text = "one\ntwo\r\n\r\n\n a\rb \nlast\r";
  const std::vector<std::string> expected = {"one", "two", "", "", " a\rb ", "rest:last"};
  ASSERT_EQ(lines_of({text}, 10), expected);
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      EXPECT_EQ(lines_of({text.substr(0, i), text.substr(i, j - i), text.substr(j)}, 10), expected) << i << " " << j;
    }
  }
}

TEST(LineFramer, OnlyOneCarriageReturnBelongsToTheLineEnd) {
  EXPECT_EQ(lines_of({"a\r\r\n"}, 10), (std::vector<std::string>{"a\r"}));
}

TEST(LineFramer, TheLimitCountsTheLineWithoutItsEnd) {
  EXPECT_EQ(lines_of({"12345\n"}, 5), (std::vector<std::string>{"12345"}));
  EXPECT_EQ(lines_of({"12345\r\n"}, 5), (std::vector<std::string>{"12345"}));
  EXPECT_EQ(lines_of({"123456\n"}, 5), (std::vector<std::string>{"!"}));
  EXPECT_EQ(lines_of({"12345x\r\n"}, 5), (std::vector<std::string>{"!"}));
  EXPECT_EQ(lines_of({"12345\r\r\n"}, 5), (std::vector<std::string>{"!"}));
}

TEST(LineFramer, AnUnfinishedLineIsTooLongAsSoonAsItCannotFit) {
  EXPECT_EQ(lines_of({"12345"}, 5), (std::vector<std::string>{"rest:12345"}));
  EXPECT_EQ(lines_of({"12345\r"}, 5), (std::vector<std::string>{"rest:12345"}));
  EXPECT_EQ(lines_of({"123456"}, 5), (std::vector<std::string>{"!"}));
  EXPECT_EQ(lines_of({"12345\rx"}, 5), (std::vector<std::string>{"!"}));
  EXPECT_EQ(lines_of({"ok\n", "1234", "56"}, 5), (std::vector<std::string>{"ok", "!"}));
}

TEST(LineFramer, AskingAgainChangesNothing) {
  LineFramer framer(100);
  const std::string text = "first\nsecond";
  for (int i = 0; i < 3; ++i) {
    LineFramer::Step step = framer.next(text);
    ASSERT_EQ(step.found, Found::line);
    EXPECT_EQ(step.line, "first");
    EXPECT_EQ(step.consumed, 6u);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(framer.next("second").found, Found::nothing);
  EXPECT_EQ(framer.next("second\n").line, "second");
}

}  // namespace
}  // namespace karma::server
