// The JSON reader against a known one (nlohmann/json): it accepts and refuses the same texts, and sees the same values.
//
// Meant to differ, and therefore tested by themselves:
//   - integers above 2^64-1 and below -2^63 are refused (the other makes them doubles);
//   - numbers beyond the range of a double are refused (the other does so on parse, not everywhere);
//   - nesting deeper than 512 is refused;
//   - bytes that are no UTF-8 pass inside strings: names in the logs of Karma 1.0 may hold them, and the rules for new
//     names are the codec's.
#include "core/json_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/utf8.h"
#include "support/engine_fixture.h"

namespace karma::json {
namespace {

using test::Random;

bool accepts(std::string_view text) {
  Numbers numbers(100);
  Reader reader(text, &numbers);
  Value value;
  const bool good = reader.read_value(value) && reader.at_end();
  EXPECT_TRUE(good || !reader.fault().empty() || !reader.at_end()) << text;
  return good;
}

// Integers of more than 64 bits and texts that are no UTF-8 are where the two differ on purpose.
bool comparable(const std::string& text) {
  std::size_t digits = 0;
  for (const char byte : text) {
    digits = byte >= '0' && byte <= '9' ? digits + 1 : 0;
    if (digits >= 19) return false;
  }
  return valid_utf8(text);
}

void expect_agreement(const std::string& text) {
  if (!comparable(text)) {
    (void)accepts(text);  // must still not read past the end
    return;
  }
  EXPECT_EQ(accepts(text), nlohmann::json::accept(text)) << text;
}

class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  std::string value(int depth = 0) {
    switch (random_.up_to(depth > 5 ? 4 : 7)) {
      case 0:
        return number();
      case 1:
        return string();
      case 2:
        return "true";
      case 3:
        return "false";
      case 4:
        return "null";
      case 5:
        return list('[', ']', [&] { return value(depth + 1); });
      default:
        return object(depth);
    }
  }

  std::string object(int depth = 0) {
    return list('{', '}', [&] { return string() + space() + ":" + space() + value(depth + 1); });
  }

 private:
  template <class Element>
  std::string list(char open, char close, Element&& element) {
    std::string text(1, open);
    text += space();
    for (std::uint64_t i = 0, count = random_.up_to(4); i != count; ++i)
      text += (i == 0 ? "" : ",") + element() + space();
    return text + close;
  }
  std::string space() {
    static const std::string kSpaces[] = {"", "", "", " ", "\t", "\r\n  "};
    return random_.of(kSpaces);
  }
  std::string digits(std::uint64_t most) {
    std::string text;
    for (std::uint64_t i = 0, count = 1 + random_.up_to(most - 1); i != count; ++i)
      text += static_cast<char>('0' + random_.up_to(9));
    return text;
  }
  std::string number() {
    std::string text = random_.one_in(3) ? "-" : "";
    text += random_.one_in(4) ? "0" : std::to_string(random_.up_to(random_.one_in(2) ? 999 : 999999999999999999));
    if (random_.one_in(4)) text += "." + digits(6);
    if (random_.one_in(4)) text += (random_.one_in(2) ? "e" : "E-") + digits(2);
    return text;
  }
  std::string string() {
    static const std::string kPieces[] = {"a",
                                          "key",
                                          "\\n",
                                          "\\u00e4",
                                          "\\\"",
                                          "\\\\",
                                          "\xc3\xa4",
                                          "/",
                                          "\\/",
                                          " ",
                                          "\\u0000",
                                          "\\ud83d\\ude00",
                                          "\x7f",
                                          "1",
                                          "series",
                                          "\\t",
                                          "abcdefghijklmnopq",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x98\x80",
                                          "{",
                                          "]"};
    std::string text = "\"";
    for (std::uint64_t count = random_.up_to(5); count != 0; --count) text += random_.of(kPieces);
    return text + "\"";
  }

  Random& random_;
};

std::string mutated(std::string text, Random& random) {
  static const std::string kBytes = "{}[]\",:0123456789-+.eEtrufalsn\\ \n\t\r\x01\x80/u";
  for (std::uint64_t count = 1 + random.up_to(2); count != 0 && !text.empty(); --count) {
    const std::size_t at = random.up_to(text.size() - 1);
    switch (random.up_to(3)) {
      case 0:
        text[at] = random.of(kBytes);
        break;
      case 1:
        text.insert(at, 1, random.of(kBytes));
        break;
      case 2:
        text.erase(at, 1 + random.up_to(3));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

TEST(JsonReader, AcceptsAndRefusesWhatAnotherReaderDoes) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  Random random(seed);
  Generator generator(random);
  for (int i = 0; i < 4000 && !HasFailure(); ++i) {
    const std::string text = generator.value();
    EXPECT_TRUE(!comparable(text) || accepts(text)) << text;
    expect_agreement(text);
    for (int j = 0; j < 4; ++j) expect_agreement(mutated(text, random));
  }
}

TEST(JsonReader, EveryPrefixOfAnObjectIsRefused) {
  const std::string text = R"({"a":[1,-2.5e3,"x\u00e4\n"],"b":{"c":null,"d":true,"e":false},"f":18446744073709551615})";
  ASSERT_TRUE(accepts(text));
  for (std::size_t length = 0; length < text.size(); ++length) {
    // A copy of its own, so that a read past the end is noticed.
    const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(accepts({cut.data(), cut.size()})) << length;
  }
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "tru",
                           "True",
                           "+1",
                           "01",
                           "-01",
                           "-",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "[1,]",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{\"a\" 1}",
                           "{\"a\":1 \"b\":2}",
                           "[1 2]",
                           "[",
                           "{",
                           "\"",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\t\"",
                           "\"\n\"",
                           "1 2",
                           "{}{}",
                           "[]x",
                           "/* */ 1",
                           "// 1",
                           "\xef\xbb\xbf{}",
                           "'a'",
                           "1e400",
                           "-1e400"}) {
    EXPECT_FALSE(accepts(text)) << text;
  }
  EXPECT_FALSE(accepts(std::string_view("{\"a\":1}\0", 8))) << "NUL after the value";
  EXPECT_FALSE(accepts(std::string_view("\"a\0b\"", 5))) << "NUL inside a string";
}

TEST(JsonReader, IntegersHoldSixtyFourBits) {
  const auto integer = [](std::string_view text) {
    Reader reader(text);
    Value value;
    EXPECT_TRUE(reader.read_value(value)) << text;
    return value;
  };
  EXPECT_EQ(integer("18446744073709551615").number, UINT64_MAX);
  EXPECT_EQ(integer("9223372036854775808").number, std::uint64_t{1} << 63);
  EXPECT_EQ(integer("9999999999999999999").number, 9999999999999999999U);
  EXPECT_EQ(integer("10000000000000000000").number, 10000000000000000000U);
  EXPECT_EQ(integer("0").type, Type::unsigned_integer);
  EXPECT_EQ(integer("-0").type, Type::unsigned_integer);
  EXPECT_EQ(integer("-1").type, Type::negative_integer);
  EXPECT_EQ(integer("-9223372036854775808").type, Type::negative_integer);
  EXPECT_EQ(integer("1.0").type, Type::real);
  EXPECT_EQ(integer("1e2").type, Type::real);
  EXPECT_EQ(integer("1e-400").type, Type::real) << "too small is zero, not an error";
  EXPECT_EQ(integer("0." + std::string(400, '0') + "1").type, Type::real) << "however it is written";
  EXPECT_FALSE(accepts("0." + std::string(400, '0') + "1e900"));
  EXPECT_FALSE(accepts("1" + std::string(400, '0') + ".0"));
  for (const char* text :
       {"18446744073709551616", "19999999999999999999", "20000000000000000000", "99999999999999999999",
        "184467440737095516150", "-9223372036854775809", "-18446744073709551615"}) {
    EXPECT_FALSE(accepts(text)) << text;
  }
}

// Strings are read sixteen bytes at a time: what ends one, or may not be in it, at every place of every length.
TEST(JsonReader, StringsEndWhereTheyEnd) {
  for (std::size_t length = 0; length <= 50; ++length) {
    const std::string plain = "\"" + std::string(length, 'x') + "\"";
    EXPECT_TRUE(accepts(plain + std::string(20, ' '))) << length;
    EXPECT_FALSE(accepts(plain.substr(0, plain.size() - 1))) << length;
    Reader reader(plain);
    Value value;
    ASSERT_TRUE(reader.read_value(value));
    EXPECT_EQ(value.text, std::string(length, 'x'));
    for (std::size_t at = 1; at <= length; ++at) {
      for (const char byte : {'\0', '\x1f', '\x20', '\x7f', '\x80', '\xff', '"', '\\'}) {
        std::string text = plain;
        text[at] = byte;
        const bool passes = byte != '"' && byte != '\\' && static_cast<unsigned char>(byte) >= 0x20;
        EXPECT_EQ(accepts(text), passes) << length << " " << at << " " << static_cast<int>(byte);
        EXPECT_EQ(accepts(text + std::string(16, ' ')), passes) << length << " " << at << " " << static_cast<int>(byte);
      }
    }
  }
}

TEST(JsonReader, NestsFiveHundredAndTwelveDeep) {
  for (const auto& [open, close] : {std::pair<std::string, std::string>("[", "]"), {"{\"a\":", "}"}}) {
    const auto nested = [&](int depth) {
      std::string text;
      for (int i = 0; i < depth; ++i) text += open;
      if (open != "[") text += "1";
      for (int i = 0; i < depth; ++i) text += close;
      return text;
    };
    EXPECT_TRUE(accepts(nested(kMaxDepth)));
    EXPECT_FALSE(accepts(nested(kMaxDepth + 1)));
    EXPECT_FALSE(accepts(nested(100000)));
  }
}

TEST(JsonReader, FieldsAndStringsAreWhatAnotherReaderSees) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  Random random(seed);
  Generator generator(random);
  for (int i = 0; i < 2000 && !HasFailure(); ++i) {
    const std::string text = generator.object();
    if (!comparable(text)) continue;
    const nlohmann::json expected = nlohmann::json::parse(text);
    nlohmann::json seen = nlohmann::json::object();
    Arena arena;
    Reader reader(text);
    ASSERT_TRUE(reader.read_object([&](const Value& name, const Value& value) {
      ASSERT_EQ(name.type, Type::string);
      nlohmann::json copy;
      switch (value.type) {
        case Type::string:
          copy = std::string(decode_string(value, arena));
          break;
        case Type::unsigned_integer:
          copy = value.number;
          EXPECT_EQ(std::to_string(value.number), value.text == "-0" ? "0" : value.text);
          break;
        case Type::boolean:
          copy = value.truth;
          break;
        default:
          copy = nlohmann::json::parse(value.text);
      }
      seen[std::string(decode_string(name, arena))] = copy;
    })) << text;
    EXPECT_TRUE(reader.at_end());
    EXPECT_EQ(seen, expected) << text;
  }
}

TEST(JsonReader, EscapesAreDecoded) {
  const auto decoded = [](std::string_view text) {
    Arena arena;
    Reader reader(text);
    Value value;
    EXPECT_TRUE(reader.read_value(value)) << text;
    return std::string(decode_string(value, arena));
  };
  EXPECT_EQ(decoded(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(decoded(R"("\u0041\u00e4\u20AC\uD83D\uDE00")"), "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(decoded(R"("\u0000")"), std::string(1, '\0'));
  EXPECT_EQ(decoded("\"\xff\xc3\""), "\xff\xc3") << "bytes pass unchanged";
}

// What is kept of an object with this array, if it is one: the length of a row, and the numbers.
std::optional<std::vector<std::uint64_t>> kept(const std::string& array, std::size_t most = 12) {
  const std::string text = "{\"a\":" + array + "}";
  Numbers numbers(most);
  Reader reader(text, &numbers);
  std::optional<std::vector<std::uint64_t>> found;
  const bool good = reader.read_object([&](const Value&, const Value& value) {
    if (!value.kept) return;
    found.emplace(1, numbers.row());
    found->insert(found->end(), numbers.all().begin(), numbers.all().end());
  });
  return good ? found : std::nullopt;
}

// The same by another reader.
std::optional<std::vector<std::uint64_t>> worth_keeping(const std::string& array, std::size_t most = 12) {
  const nlohmann::json parsed = nlohmann::json::parse(array, nullptr, false);
  if (!parsed.is_array() || parsed.empty()) return std::nullopt;
  const std::size_t row = parsed[0].is_array() ? 3 : 1;
  std::vector<std::uint64_t> found = {row};
  const auto take = [&](const nlohmann::json& number) {
    if (number.is_number_unsigned()) found.push_back(number.get<std::uint64_t>());
    return number.is_number_unsigned();
  };
  for (const nlohmann::json& element : parsed) {
    if (row == 1 ? !take(element) : !element.is_array() || element.size() != 3) return std::nullopt;
    if (row == 3 && !std::all_of(element.begin(), element.end(), take)) return std::nullopt;
  }
  return found.size() - 1 > most ? std::nullopt : std::optional(found);
}

TEST(JsonReader, KeepsTheNumbersOfAnArray) {
  using Kept = std::vector<std::uint64_t>;
  EXPECT_EQ(kept("[7]"), (Kept{1, 7}));
  EXPECT_EQ(kept("[ 0 ,\t9999999999999999999,\n3 ]"), (Kept{1, 0, 9999999999999999999u, 3}));
  EXPECT_EQ(kept("[[1,20260505,3] , [ 4,5 , 6\r]]"), (Kept{3, 1, 20260505, 3, 4, 5, 6}));
  for (const char* array : {"[]", "[ ]", "[[]]", "[[1,2]]", "[[1,2,3,4]]", "[[1,2,3],4]", "[1,[1,2,3]]", "[-0]", "[-1]",
                            "[1.0]", "[1e2]", "[\"1\"]", "[null]", "[1,true]", "[{}]", "[18446744073709551615]"})
    EXPECT_EQ(kept(array), std::nullopt) << array;
  EXPECT_EQ(kept("[1,2,3]", 3), (Kept{1, 1, 2, 3}));
  EXPECT_EQ(kept("[1,2,3,4]", 3), std::nullopt);
  EXPECT_EQ(kept("[[1,2,3],[4,5,6]]", 5), std::nullopt);
  EXPECT_EQ(kept("[1]", 0), std::nullopt);
}

// Whatever stands at any place of such arrays.
TEST(JsonReader, ArraysOfNumbersAreCheckedLikeAnyOther) {
  for (const std::string array : {"[1,22,333,4]", "[[1,2,3],[44,5,6],[7]]", "[[1,2,3],[44,55,6]]", "[[[1],[2,3]],4]",
                                  "[12345678901234567890,1]"}) {
    EXPECT_TRUE(accepts(array));
    for (std::size_t at = 0; at <= array.size(); ++at) {
      expect_agreement(array.substr(0, at));
      for (const std::string piece :
           {"", " ", ",", "0", "00", "-", "[", "]", "{}", ".5", "e1", "null", "\"x\"", "\t1"}) {
        for (const std::size_t replaced : {0, 1}) {
          const std::string changed = array.substr(0, at) + piece + array.substr(std::min(at + replaced, array.size()));
          expect_agreement(changed);
          expect_agreement("{\"a\":" + changed + "}");
          if (comparable(changed) && piece != "-") {
            EXPECT_EQ(kept(changed), worth_keeping(changed)) << changed;
          }
        }
      }
    }
  }
}

TEST(JsonReader, KeepsOneArrayOfTheOutermostObject) {
  Numbers numbers(9);
  const auto kept_names = [&](std::string_view text) {
    numbers.clear();
    std::string names;
    Reader reader(text, &numbers);
    EXPECT_TRUE(reader.read_object([&](const Value& name, const Value& value) {
      if (value.kept) names += name.text;
    }));
    return names;
  };
  EXPECT_EQ(kept_names(R"({"a":[1],"b":[2],"a":[3]})"), "a");
  EXPECT_EQ(kept_names(R"({"a":[1,"x"],"b":[2]})"), "b");
  EXPECT_EQ(kept_names(R"({"a":{"b":[1]},"c":[[2]]})"), "");
  EXPECT_EQ(numbers.row(), 0u);
}

}  // namespace
}  // namespace karma::json
