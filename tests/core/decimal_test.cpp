#include "core/decimal.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace karma {
namespace {

std::string decimal(std::uint64_t number) {
  char room[kDecimalRoom + 8];
  std::memset(room, '#', sizeof room);
  char* const end = write_decimal(room, number);
  EXPECT_EQ(std::string(room + kDecimalRoom, 8), "########") << "beyond its room: " << number;
  return {room, end};
}

TEST(Decimal, EveryFourDigitsAtBothPlaces) {
  // What the eight digits are taken apart by depends on one half alone.
  for (std::uint64_t four = 0; four < 10000; ++four) {
    ASSERT_EQ(decimal(four), std::to_string(four));
    ASSERT_EQ(decimal(four * 10000 + 7), std::to_string(four * 10000 + 7));
    ASSERT_EQ(decimal(99990000 + four), std::to_string(99990000 + four));
  }
}

TEST(Decimal, AroundPowersOfTenAndUpToTheLargest) {
  std::mt19937_64 random(1);
  for (std::uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
    for (const std::uint64_t number : {power - 1, power, power + 1, power * 9, power * 10 - 1, random() % (power * 10)})
      ASSERT_EQ(decimal(number), std::to_string(number));
  }
  for (const std::uint64_t number : {UINT64_MAX, UINT64_MAX - 1, UINT64_C(10000000000000000000)})
    ASSERT_EQ(decimal(number), std::to_string(number));
}

}  // namespace
}  // namespace karma
