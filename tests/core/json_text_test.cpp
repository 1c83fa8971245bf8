#include "core/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/base64.h"
#include "core/json_reader.h"
#include "core/utf8.h"
#include "support/engine_fixture.h"

namespace karma::json {
namespace {

std::string as_string(std::string_view text) {
  Buffer out;
  append_string(out, text);
  return std::string(out.view());
}

std::string as_bytes(std::string_view text) {
  Buffer out;
  append_bytes(out, text);
  return std::string(out.view());
}

std::string random_text(test::Random& random) {
  static const std::string kPieces[] = {"a",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\x7f",
                                        "\xc3\xa4",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xff",
                                        "\xc3",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "/",
                                        std::string(1, '\0'),
                                        "plain text"};
  std::string text;
  for (std::uint64_t count = random.up_to(8); count != 0; --count) text += random.of(kPieces);
  return text;
}

TEST(JsonText, NumbersOfAllLengths) {
  for (const std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{9}, std::uint64_t{10}, UINT64_MAX / 10, UINT64_MAX}) {
    Buffer out;
    append_number(out, number);
    EXPECT_EQ(out.view(), std::to_string(number));
  }
}

TEST(JsonText, EscapesLikeKarma1) {
  EXPECT_EQ(as_string("a/b"), R"("a/b")");
  EXPECT_EQ(as_string("\"\\\b\f\n\r\t"), R"("\"\\\b\f\n\r\t")");
  EXPECT_EQ(as_string(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(as_string("\xc3\xa4\xe2\x80\xa8"), "\"\xc3\xa4\xe2\x80\xa8\"") << "other characters pass as they are";
}

TEST(JsonText, RepliesAreAlwaysUtf8AndTheLogKeepsEveryByte) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  for (int i = 0; i < 3000 && !testing::Test::HasFailure(); ++i) {
    const std::string text = random_text(random);
    const std::string reply = as_string(text);
    EXPECT_TRUE(valid_utf8(reply));
    EXPECT_TRUE(nlohmann::json::accept(reply)) << reply;
    if (valid_utf8(text)) {
      EXPECT_EQ(nlohmann::json::parse(reply).get<std::string>(), text);
    }

    const std::string logged = as_bytes(text);
    Arena arena;
    Reader reader(logged);
    Value value;
    ASSERT_TRUE(reader.read_value(value) && reader.at_end());
    EXPECT_EQ(decode_string(value, arena), text);
  }
  EXPECT_EQ(as_string("\xff\xc3\xa4\"\n"), "\"\xef\xbf\xbd\xc3\xa4\\\"\\n\"")
      << "what follows a character is escaped still";
  EXPECT_EQ(as_string("a\xff\xc3z"), "\"a\xef\xbf\xbd\xef\xbf\xbdz\"") << "one mark for each byte that is no character";
}

TEST(Base64, IsThatOfTheStandard) {
  const auto encoded = [](std::string_view bytes) {
    Buffer out;
    append_base64(out, bytes);
    return std::string(out.view());
  };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foob"), "Zm9vYg==");
  EXPECT_EQ(encoded("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xfb\xff\xfe"), "+//+");
}

}  // namespace
}  // namespace karma::json
