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

std::uint64_t read(std::string_view text, std::size_t digits) {
  std::uint64_t number = 77;
  const char* const end = text.data() + text.size();
  EXPECT_EQ(read_decimal(text.data(), end, number), text.data() + digits) << text;
  std::uint64_t counted = 77;
  EXPECT_EQ(read_decimal_of_any_length(text.data(), end, counted), text.data() + digits) << text;
  EXPECT_EQ(counted, number) << text;
  return number;
}

TEST(Decimal, ReadsWhatItWritesWhateverFollows) {
  std::mt19937_64 random(1);
  for (int digits = 1; digits <= 20; ++digits) {
    for (int i = 0; i < 200; ++i) {
      std::uint64_t number = random() >> random() % 64;
      const std::string text = decimal(number);
      for (const char* behind : {"", ",", "]", "/", ":", "e", "\xff\xff\xff\xff\xff\xff\xff\xff", ",12345678,12345678"})
        ASSERT_EQ(read(text + behind, text.size()), number);
    }
  }
  EXPECT_EQ(read("", 0), 0u);
  EXPECT_EQ(read("x12345678", 0), 0u);
  EXPECT_EQ(read("00000000000000000000000042", 26), 42u);
  EXPECT_EQ(read("18446744073709551617", 20), 1u) << "modulo 2^64";
}

TEST(Decimal, EveryByteThatIsNoDigitEndsANumberAtEveryPlace) {
  for (int byte = 0; byte < 256; ++byte) {
    if (byte >= '0' && byte <= '9') continue;
    for (std::size_t at = 0; at < 16; ++at) {
      std::string text = "1234567890123456";
      text[at] = static_cast<char>(byte);
      ASSERT_EQ(read(text, at), at == 0 ? 0 : std::stoull(text.substr(0, at)));
    }
  }
}

}  // namespace
}  // namespace karma
