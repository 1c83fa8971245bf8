#include "core/short_text.h"

#include <gtest/gtest.h>

#include <string>

namespace karma {
namespace {

TEST(ShortText, SameTextTellsEveryByteOfEveryLength) {
  for (std::size_t length = 0; length <= 40; ++length) {
    const std::string text(length, 'a');
    EXPECT_TRUE(same_text(text, std::string(length, 'a')));
    EXPECT_FALSE(same_text(text, text + "a"));
    for (std::size_t at = 0; at < length; ++at) {
      std::string other = text;
      other[at] = 'b';
      EXPECT_FALSE(same_text(text, other)) << length << " " << at;
    }
  }
}

TEST(ShortText, CopiesEveryByteAndNoOther) {
  const std::string from = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t size = 0; size <= from.size(); ++size) {
    std::string to(from.size() + 2, '.');
    copy_short(to.data() + 1, from.data(), size);
    EXPECT_EQ(to, "." + from.substr(0, size) + std::string(from.size() + 1 - size, '.'));
  }
}

TEST(ShortText, HashDependsOnTheBytesAlone) {
  const std::string text = "xxcounter.incrementxx";
  EXPECT_EQ(short_hash(std::string_view(text).substr(2, 17)), short_hash("counter.increment"));
  EXPECT_NE(short_hash("counter.increment"), short_hash("counter.decrement"));
  EXPECT_NE(short_hash("ab"), short_hash("ba"));
}

}  // namespace
}  // namespace karma
