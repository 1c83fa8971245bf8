#include "core/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace karma {
namespace {

// The encoding that the standard's table gives for a number of up to 21 bits, whether it may be encoded or not.
std::string encode(std::uint32_t code, int length) {
  auto tail = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  switch (length) {
    case 1:
      return {static_cast<char>(code)};
    case 2:
      return {static_cast<char>(0xC0 | code >> 6), tail(0)};
    case 3:
      return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
    default:
      return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
  }
}

int shortest(std::uint32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

TEST(Utf8, AcceptsEveryCharacterInItsShortestFormOnly) {
  for (std::uint32_t code = 0; code < 0x200000; ++code) {
    bool surrogate = code >= 0xD800 && code < 0xE000;
    bool is_character = code <= 0x10FFFF && !surrogate;
    int least = shortest(code);
    ASSERT_EQ(valid_utf8(encode(code, least)), is_character) << std::hex << code;
    if (code % 97 != 0 && code > 0x10000) continue;  // longer forms: all of the small ones, some of the rest
    for (int length = least + 1; length <= 4; ++length) {
      ASSERT_FALSE(valid_utf8(encode(code, length))) << std::hex << code << " in " << length;
    }
  }
}

TEST(Utf8, RefusesEveryTruncationAndStrayByteAtEveryOffset) {
  for (std::uint32_t code : {0xE9u, 0x20ACu, 0xFFFFu, 0x1F600u, 0x10FFFFu}) {
    std::string character = encode(code, shortest(code));
    for (std::size_t offset = 0; offset < 20; ++offset) {
      std::string before(offset, 'a');
      EXPECT_TRUE(valid_utf8(before + character));
      EXPECT_TRUE(valid_utf8(before + character + "0123456789"));
      EXPECT_FALSE(valid_utf8(before + "\x80"));
      EXPECT_FALSE(valid_utf8(before + character + "\xBF"));
      for (std::size_t cut = 1; cut < character.size(); ++cut) {
        EXPECT_FALSE(valid_utf8(before + character.substr(0, cut)));
        EXPECT_FALSE(valid_utf8(before + character.substr(0, cut) + "0123456789"));
      }
    }
  }
}

TEST(Utf8, RefusesBytesThatNeverOccur) {
  for (int byte : {0xC0, 0xC1, 0xF5, 0xF6, 0xF7, 0xF8, 0xFC, 0xFE, 0xFF}) {
    EXPECT_FALSE(valid_utf8(std::string(1, static_cast<char>(byte)) + "\x80\x80\x80\x80\x80"));
  }
}

// Blocks of bytes are looked at together: a bad byte is found wherever it stands, beside characters and without.
TEST(Utf8, FindsABadByteAtEveryPlaceOfALongText) {
  for (const char* filler : {"a", "\xC3\xA9", "ab\xE2\x82\xAC"}) {
    for (std::size_t size = 0; size < 200; ++size) {
      std::string text;
      while (text.size() < size) text += filler;
      ASSERT_TRUE(valid_utf8(text)) << size;
      ASSERT_TRUE(valid_utf8(text + std::string(size, 'x'))) << size;
      for (std::size_t at = 0; at < text.size(); ++at) {
        std::string bad = text;
        bad[at] = '\xFF';
        ASSERT_FALSE(valid_utf8(bad)) << size << " at " << at;
      }
    }
  }
}

TEST(Utf8, AcceptsNothingAndNul) {
  EXPECT_TRUE(valid_utf8({}));
  EXPECT_TRUE(valid_utf8(std::string(3, '\0')));
}

}  // namespace
}  // namespace karma
