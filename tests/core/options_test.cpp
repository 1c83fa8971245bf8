#include "core/options.h"

#include <gtest/gtest.h>

namespace karma {
namespace {

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() {
    options_.text("host", "HOST", "the server", host_);
    options_.number("port", "PORT", "its port", port_, 1, 65535);
    options_.truth("report", "tells", report_);
    options_.add({.flag = "many", .value = "N", .meaning = "several", .letter = 'm'},
                 [this](std::string_view text) { return many_.emplace_back(text), std::string(); });
  }

  // Empty, or the fault.
  std::string parse(std::vector<const char*> arguments) {
    positionals_.clear();
    const Result<Options::Asked> asked = options_.parse(arguments, positionals_);
    if (asked) asked_ = *asked;
    return asked ? "" : asked.error().message;
  }

  std::string host_ = "here";
  int port_ = 8080;
  bool report_ = false;
  std::vector<std::string> many_;
  Options::Asked asked_ = Options::Asked::command;
  std::vector<std::string> positionals_;
  Options options_{"karma do", "Usage: karma do\n\n", "the end\n"};
};

TEST_F(OptionsTest, ValuesFollowAnEqualsSignOrABlank) {
  EXPECT_EQ(parse({"a", "--host=there", "--port", "1", "--report", "b"}), "");
  EXPECT_EQ(host_, "there");
  EXPECT_EQ(port_, 1);
  EXPECT_TRUE(report_);
  EXPECT_EQ(positionals_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parse({"--report=false"}), "");
  EXPECT_FALSE(report_);
}

TEST_F(OptionsTest, AnEmptyValueIsAValueAndSwallowsNothing) {
  EXPECT_EQ(parse({"--many=", "--many", "", "--many=-1", "--many", "-2", "-m=3", "-m4", "-m", "5"}), "");
  EXPECT_EQ(many_, (std::vector<std::string>{"", "", "-1", "-2", "3", "4", "5"}));
  EXPECT_EQ(parse({"--host=", "--report"}), "--host must not be empty");
}

TEST_F(OptionsTest, AfterTwoDashesEverythingIsAnArgument) {
  EXPECT_EQ(parse({"--", "--report", "-x", "--"}), "");
  EXPECT_EQ(positionals_, (std::vector<std::string>{"--report", "-x", "--"}));
  EXPECT_EQ(parse({"-"}), "");
  EXPECT_EQ(positionals_, (std::vector<std::string>{"-"}));
}

TEST_F(OptionsTest, MisuseIsNamedWithoutTheValue) {
  EXPECT_EQ(parse({"--token=s3cret"}), "--token is not a valid option.\nkarma do --help lists all options.");
  EXPECT_EQ(parse({"-p", "1"}), "-p is not a valid option.\nkarma do --help lists all options.");
  EXPECT_EQ(parse({"--prot=1"}),
            "--prot is not a valid option.\nDid you mean --port? karma do --help lists all options.");
  EXPECT_EQ(parse({"--port"}), "--port needs a value");
  for (const char* port : {"--port=0", "--port=65536", "--port=1x", "--port="}) {
    EXPECT_EQ(parse({port}), "--port must be a number from 1 to 65535") << port;
  }
  EXPECT_EQ(parse({"--report=maybe"}), "--report must be true or false");
  EXPECT_EQ(parse({"--report="}), "--report must be true or false");
}

TEST_F(OptionsTest, HelpEndsTheReadingAndShowsDefaults) {
  EXPECT_EQ(parse({"--port=x", "-h", "--nonsense"}), "");
  EXPECT_EQ(asked_, Options::Asked::help);
  EXPECT_EQ(options_.help(),
            "Usage: karma do\n\n"
            "Options:\n"
            "  --host=HOST                   the server [here]\n"
            "  --port=PORT                   its port [8080]\n"
            "  --report                      tells\n"
            "  -m, --many=N                  several\n"
            "\nthe end\n");
}

TEST(NearestWord, IsAtMostTwoLettersAway) {
  constexpr std::string_view kWords[] = {"check", "import", "a"};
  EXPECT_EQ(nearest_word("chekc", kWords), "check");
  EXPECT_EQ(nearest_word("imort", kWords), "import");
  EXPECT_EQ(nearest_word("chxyz", kWords), "");
  EXPECT_EQ(nearest_word("b", kWords), "");
}

}  // namespace
}  // namespace karma
