#include <karma/error.h>

#include <gtest/gtest.h>

#include <memory>

namespace karma {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  Result<int> number = 7;
  EXPECT_TRUE(number.ok());
  EXPECT_EQ(*number, 7);
  number = Error{ErrorCode::not_found, "gone"};
  EXPECT_FALSE(number);
  EXPECT_EQ(number.error().message, "gone");
}

// Also in a release build: what follows would be undefined.
TEST(Result, AnErrorThatNobodyLookedAtIsPrintedBeforeTheEnd) {
  const Result<int> number = internal_error("the disk is full");
  EXPECT_DEATH((void)*number, "internal_error: the disk is full");
  Result<std::unique_ptr<int>> pointer = Error{ErrorCode::not_found, "gone"};
  EXPECT_DEATH((void)pointer->get(), "not_found: gone");
}

}  // namespace
}  // namespace karma
