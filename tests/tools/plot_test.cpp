// karma plot, against a server that says what the test wants.
#include <gtest/gtest.h>

#include "support/client_command.h"
#include "support/scripted_server.h"
#include "tools/commands.h"

namespace karma::tools {
namespace {

std::string answer(const std::string& response) {
  return R"({"protocol_version":2,"success":true,"response":)" + response + R"(,"error_code":null})";
}

class PlotTest : public ::testing::Test {
 protected:
  int run(std::vector<std::string> arguments, const char* locale = nullptr) {
    arguments.insert(arguments.begin(), {"plot", "--series=links", "--range=2026-05-01..20260503"});
    arguments.push_back("--port=" + std::to_string(server_.port()));
    std::map<std::string, std::string> variables;
    if (locale != nullptr) variables["LANG"] = locale;
    const auto [code, out, err] = test::run_karma(std::move(arguments), variables);
    out_ = out;
    err_ = err;
    return code.value_or(-1);
  }

  std::string series_ = answer(R"({"20260501":4,"20260503":8})");
  std::string top_ = answer(R"({"tree":"links","limit":10,"items":[{"key":7,"value":12},{"key":9,"value":12}]})");
  std::vector<std::string> lines_;
  std::string out_;
  std::string err_;
  test::ScriptedServer server_{[this](const std::string& line) {
    lines_.push_back(line);
    return line.find("tree.top") != line.npos ? top_ : series_;
  }};
};

TEST_F(PlotTest, AKeyHasABarForEachDay) {
  EXPECT_EQ(run({"--key=42", "--width=48"}, "C.UTF-8"), 0) << err_;
  EXPECT_EQ(out_,
            "links 42, 2026-05-01 to 2026-05-03\n"
            "2026-05-01  4  ████████████████▌\n"
            "2026-05-02\n"
            "2026-05-03  8  █████████████████████████████████\n"
            "total 12 in 2 of 3 days\n"
            "maximum 8 on 2026-05-03\n");
  EXPECT_EQ(lines_.back(),
            R"({"v":2,"op":"counter.series","series":"links","range":{"from":20260501,"to":20260503},"key":42})");
}

TEST_F(PlotTest, SeveralKeysStandBelowEachOther) {
  EXPECT_EQ(run({"--key=42,43", "--width=48"}), 0) << err_;
  EXPECT_EQ(out_.find("█"), std::string::npos) << "no UTF-8";
  EXPECT_NE(out_.find("\n\nlinks 43, "), std::string::npos) << out_;
  EXPECT_EQ(run({"--key=42,43", "--width=48", "--ascii"}, "C.UTF-8"), 0) << err_;
  EXPECT_EQ(out_.find("█"), std::string::npos);
  EXPECT_EQ(run({"--key=42", "--key=43", "--spark"}, "de_DE.utf8"), 0) << err_;
  EXPECT_EQ(out_,
            "links, 2026-05-01 to 2026-05-03\n"
            "key  days  total  maximum\n"
            "42   ▄ █      12        8\n"
            "43   ▄ █      12        8\n");
}

TEST_F(PlotTest, WithoutAKeyTheLargestOnes) {
  EXPECT_EQ(run({}), 0) << err_;
  EXPECT_EQ(out_,
            "links, 2026-05-01 to 2026-05-03\n"
            "key  days  total  maximum\n"
            "7    : #      12        8\n"
            "9    : #      12        8\n");
  EXPECT_EQ(lines_.front(),
            R"({"v":2,"op":"tree.top","series":"links","range":{"from":20260501,"to":20260503},"limit":10})");
  top_ = answer(R"({"items":[]})");
  EXPECT_EQ(run({}), 0) << err_;
  EXPECT_EQ(out_, "links, 2026-05-01 to 2026-05-03\nno key has a value in these days\n");
}

TEST_F(PlotTest, JsonHasTheValues) {
  series_ = answer(R"({"20260501":18446744073709551615,"20260502":0,"20260503":1})");
  EXPECT_EQ(run({"--key=18446744073709551615", "--json"}), 0) << err_;
  EXPECT_EQ(out_, R"({"series":"links","from":20260501,"to":20260503,"keys":[{"key":18446744073709551615,)"
                  R"("total":18446744073709551615,"maximum":18446744073709551615,"saturated":true,)"
                  R"("days":{"20260501":18446744073709551615,"20260502":0,"20260503":1}}]})"
                  "\n");
}

TEST_F(PlotTest, ValuesUnderNumbersThatAreNoDaysAreTold) {
  series_ = answer(R"({"20260501":1,"20260599":5,"3":6})");
  EXPECT_EQ(run({"--key=1"}), 0) << err_;
  EXPECT_TRUE(
      out_.ends_with("total 1 in 1 of 3 days\nmaximum 1 on 2026-05-01\nand 11 under numbers that are no days\n"))
      << out_;
  series_ = answer("{}");
  EXPECT_EQ(run({"--key=1"}), 0) << err_;
  EXPECT_TRUE(out_.ends_with("2026-05-03\ntotal 0 in 0 of 3 days\n")) << out_;
}

TEST_F(PlotTest, WhatIsNoAnswerFails) {
  series_ = R"({"protocol_version":2,"success":false,"response":"no such series","error_code":"not_found"})";
  EXPECT_EQ(run({"--key=1"}), 1);
  EXPECT_EQ(err_, "ERROR: not_found: no such series; karma call tree.list lists the series\n");
  for (const char* response : {"7", R"({"20260501":"x"})", R"({"20260501":-1.5e300,"x":[]})", R"({"day":1})"}) {
    series_ = answer(response);
    EXPECT_EQ(run({"--key=1"}), 1) << response << out_;
    EXPECT_NE(err_.find("ERROR: the reply to counter.series is not understood"), std::string::npos) << err_;
    EXPECT_EQ(out_, "");
  }
}

TEST(PlotRange, IsSpelledAsDaysOrAsEnds) {
  const Bucket today = *Bucket::of_date(20260302);
  const auto range = [&](std::string_view text) {
    const std::optional<BucketRange> found = plot_range_of(text, today);
    return found ? std::to_string(found->from.number()) + "-" + std::to_string(found->to.number()) : "refused";
  };
  EXPECT_EQ(range("1d"), "20260302-20260302");
  EXPECT_EQ(range("3d"), "20260228-20260302");
  EXPECT_EQ(range("367d"), "20250301-20260302") << "as many as a request may ask for";
  EXPECT_EQ(range("368d"), "refused");
  EXPECT_EQ(range("2026-05-01..20260531"), "20260501-20260531");
  EXPECT_EQ(range("20260501..20260501"), "20260501-20260501");
  EXPECT_EQ(range("20250301..20260302"), "20250301-20260302");
  EXPECT_EQ(range("20250301..20260303"), "refused");
  for (const char* text : {"", "d", "0d", "-1d", "30", "30 d", "20260501", "..", "20260501..", "..20260501",
                           "20260502..20260501", "20260532..20260601", "20260501...20260502"})
    EXPECT_EQ(range(text), "refused") << text;
}

}  // namespace
}  // namespace karma::tools
