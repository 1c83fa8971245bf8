#include "tools/prompt.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "commands/catalog.h"

namespace karma::tools {
namespace {

using Words = std::vector<std::string>;

TEST(Prompt, WordsEndAtBlanksOutsideOfValues) {
  const std::vector<std::pair<std::string_view, Words>> lines = {
      {"", {}},
      {"  system.ping\t ", {"system.ping"}},
      {"a b=1  c=x", {"a", "b=1", "c=x"}},
      {R"(a range={"from": 1, "to": [2, 3]} k=[4, 5])", {"a", R"(range={"from": 1, "to": [2, 3]})", "k=[4, 5]"}},
      {R"(a s="x y\" z" t=1)", {"a", R"(s="x y\" z")", "t=1"}},
      {R"(a s="[ {" t=1)", {"a", R"(s="[ {")", "t=1"}},
      {R"(a r='{"from": 1}' s='x y')", {"a", R"(r={"from": 1})", "s=x y"}},
      {"a ]} b", {"a", "]}", "b"}},
      {"a s=''", {"a", "s="}},
  };
  for (const auto& [line, words] : lines) EXPECT_EQ(*words_of(line), words) << line;
  for (const std::string_view open : {"a s=\"x", "a s='x", "a k=[1,2", R"(a s="x\")"})
    EXPECT_FALSE(words_of(open).ok());
}

TEST(Prompt, ALineBecomesARequest) {
  EXPECT_EQ(*request_of_line("  counter.sum series=links key=42 range={\"from\":1, \"to\":2}"),
            R"({"op":"counter.sum","series":"links","key":42,"range":{"from":1, "to":2}})");
  EXPECT_EQ(*request_of_line("tree.info series=\"2026\""), R"({"op":"tree.info","series":"2026"})");
  // Numbers stay what they are, and what is wrong in JSON the server says.
  EXPECT_EQ(*request_of_line(R"( {"op":"x","key":1.50} )"), R"({"op":"x","key":1.50})");
  EXPECT_EQ(*request_of_line("{nonsense"), "{nonsense");
  EXPECT_EQ(request_of_line("counter.sum links").error().message, "links is no field: counter.sum NAME=VALUE");
}

TEST(Prompt, LinesThatMayHoldATokenAreKnown) {
  for (const std::string_view line :
       {"system.ping token=s3cret", R"({"op":"system.ping","Token":"s"})", R"({"token":"s")", "x \"TOKEN",
        R"({"op":"system.ping","\u0074oken":"s"})", R"({"to\u006ben":"s")"})
    EXPECT_TRUE(may_hold_token(line)) << line;
  for (const std::string_view line :
       {"counter.sum series=links key=42", R"(counter.sum series="a\"b" key=1)", "help", ""})
    EXPECT_FALSE(may_hold_token(line)) << line;
}

std::string completed(std::string_view before_cursor) { return complete(before_cursor).common(); }

TEST(Prompt, OpsAndFieldsAreCompleted) {
  EXPECT_EQ(completed("coun"), "ter.");
  EXPECT_EQ(completed("counter.mul"), "ti_sum ");
  EXPECT_EQ(completed("  help counter.mul"), "ti_sum ");
  EXPECT_EQ(completed("q"), "uit ");
  EXPECT_EQ(completed("counter.sum se"), "ries=");
  EXPECT_EQ(completed("series.sum k"), "ey=");  // an alias
  EXPECT_EQ(completed("nothing.of se"), "");
  EXPECT_EQ(completed("counter.sum series=li"), "");
  EXPECT_EQ(completed("tree.keys series=\"a b"), "");
  EXPECT_EQ(complete("counter.sum series=links ").words, (Words{"key=", "range=", "min_lsn="}));
  EXPECT_EQ(complete("counter.sum series=links key=42 ").words, (Words{"range=", "min_lsn="}));
  EXPECT_EQ(complete("counter.reset ").words, (Words{"series=", "key=", "idempotency_key=", "want_lsn="}));
  EXPECT_EQ(complete("system.ping ").words, Words{});
  EXPECT_EQ(complete("").words.size(), commands::catalog().size() + 2);
}

TEST(Prompt, EveryOpIsListedAndExplained) {
  const std::string all = help_ops();
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_LE(std::count(all.begin(), all.end(), '\n'), 24);
  for (const commands::Op& op : commands::catalog()) {
    const std::string name(op.name.substr(op.name.find('.') + 1));
    EXPECT_NE(all.find(" " + name), all.npos) << op.name;
    const std::string text = help_op(op.name);
    EXPECT_TRUE(text.starts_with(op.name)) << text;
    EXPECT_EQ(text.find("docs/"), text.npos) << "a field without a meaning: " << text;
    // The example is a request, and its fields are those that are required.
    const std::string example = text.substr(text.find("Example: ") + 9);
    const Result<std::string> request = request_of_line(example.substr(0, example.size() - 1));
    ASSERT_TRUE(request.ok()) << text;
    const nlohmann::json json = nlohmann::json::parse(*request);
    EXPECT_EQ(json.at("op"), op.name);
    std::istringstream fields(text);
    std::size_t required = 1;
    for (std::string line; std::getline(fields, line);) required += line.find("  required  ") != line.npos;
    EXPECT_EQ(json.size(), required) << text;
  }
  EXPECT_TRUE(help_op("series.sum").starts_with("counter.sum, also series.sum: a read\n  series"));
  EXPECT_EQ(help_op("tree"), "");
}

TEST(Prompt, JsonIsFoldedWhereItDoesNotFit) {
  using Json = nlohmann::ordered_json;
  EXPECT_EQ(folded(Json::parse(R"({"a":[1,2],"b":"x"})"), 80), R"({"a":[1,2],"b":"x"})");
  EXPECT_EQ(folded(Json::parse(R"({"a":[1,2],"b":{"long":[18446744073709551615,7]},"c":[]})"), 20), R"({
  "a": [1,2],
  "b": {
    "long": [
      18446744073709551615,
      7
    ]
  },
  "c": []
})");
  EXPECT_EQ(folded(Json("\xff"), 80), "\"\uFFFD\"");
}

}  // namespace
}  // namespace karma::tools
