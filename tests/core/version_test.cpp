#include <karma/version.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace karma {
namespace {

TEST(Version, IsThreeNumbersWithDotsBetween) {
  std::string text(version());
  EXPECT_EQ(std::count(text.begin(), text.end(), '.'), 2) << text;
  bool digit_expected = true;
  for (char c : text) {
    if (digit_expected) {
      EXPECT_TRUE(std::isdigit(static_cast<unsigned char>(c))) << text;
    }
    digit_expected = c == '.';
  }
  EXPECT_FALSE(digit_expected) << text;
}

TEST(Version, IsTheSecondGeneration) { EXPECT_EQ(version().substr(0, 2), "2."); }

}  // namespace
}  // namespace karma
