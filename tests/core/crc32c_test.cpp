#include "core/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace karma {
namespace {

// Bit by bit, straight from the definition.
std::uint32_t plain(std::string_view bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
  }
  return ~crc;
}

std::string counting(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(from + i * step);
  return bytes;
}

std::string random_bytes(std::size_t length) {
  std::mt19937 random(7);
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// The examples of RFC 3720, appendix B.4, and the customary check value.
TEST(Crc32c, GivesTheKnownAnswers) {
  EXPECT_EQ(crc32c("", 0), 0u);
  EXPECT_EQ(crc32c("123456789", 0), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0'), 0), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff'), 0), 0x62a8ab43u);
  EXPECT_EQ(crc32c(counting(0, 1), 0), 0x46dd794eu);
  EXPECT_EQ(crc32c(counting(31, -1), 0), 0x113fdb5cu);
}

TEST(Crc32c, AgreesWithTheDefinitionAtEveryLength) {
  const std::string bytes = random_bytes(8000);
  for (const std::size_t offset : {0, 1, 3}) {
    for (std::size_t length = 0; length < 200; ++length) {
      const std::string_view part = std::string_view(bytes).substr(offset, length);
      ASSERT_EQ(crc32c(part, 0), plain(part, 0)) << offset << " " << length;
    }
    for (const std::size_t length : {3071, 3072, 3073, 6143, 6144, 6145, 6200, 7990}) {
      const std::string_view part = std::string_view(bytes).substr(offset, length);
      ASSERT_EQ(crc32c(part, 99), plain(part, 99)) << offset << " " << length;
    }
  }
}

TEST(Crc32c, ContinuesFromTheChecksumOfTheBytesBefore) {
  const std::string bytes = random_bytes(7000);
  const std::string_view all(bytes);
  for (const std::size_t cut : {0, 1, 9, 500, 3072, 6999, 7000}) {
    EXPECT_EQ(crc32c(all.substr(cut), crc32c(all.substr(0, cut), 0)), plain(all, 0)) << cut;
  }
}

}  // namespace
}  // namespace karma
