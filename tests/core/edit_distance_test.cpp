#include "core/edit_distance.h"

#include <gtest/gtest.h>

namespace karma {
namespace {

TEST(EditDistance, CountsSlips) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("value", "value"), 0u);
  EXPECT_EQ(edit_distance("", "key"), 3u);
  EXPECT_EQ(edit_distance("key", ""), 3u);
  EXPECT_EQ(edit_distance("vlaue", "value"), 1u) << "two neighbours changed places";
  EXPECT_EQ(edit_distance("kye", "key"), 1u);
  EXPECT_EQ(edit_distance("alue", "value"), 1u);
  EXPECT_EQ(edit_distance("valuee", "value"), 1u);
  EXPECT_EQ(edit_distance("vague", "value"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u) << "no letter is moved twice";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace karma
