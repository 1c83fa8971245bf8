#include "tools/flags.h"

#include <sstream>

#include <gtest/gtest.h>

#include <karma/tools.h>

namespace karma::tools {
namespace {

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() {
    flags_.text("host", "HOST", "the server", host_);
    flags_.number("port", "PORT", "its port", port_, 1, 65535);
    flags_.truth("report", "tells", report_);
  }

  // Empty, or the fault.
  std::string parse(std::vector<std::string_view> arguments) {
    const Status status = flags_.parse(arguments, positionals_, help_);
    return status.ok() ? "" : status.error().message;
  }

  std::string host_ = "here";
  int port_ = 8080;
  bool report_ = false;
  bool help_ = false;
  std::vector<std::string> positionals_;
  Flags flags_;
};

TEST_F(FlagsTest, ValuesFollowAnEqualsSignOrABlank) {
  EXPECT_EQ(parse({"a", "--host=there", "--port", "1", "--report", "b"}), "");
  EXPECT_EQ(host_, "there");
  EXPECT_EQ(port_, 1);
  EXPECT_TRUE(report_);
  EXPECT_EQ(positionals_, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parse({"--report=false"}), "");
  EXPECT_FALSE(report_);
}

TEST_F(FlagsTest, MisuseIsNamedWithoutTheValue) {
  EXPECT_EQ(parse({"--token=s3cret"}), "--token is not a valid option of this command");
  EXPECT_EQ(parse({"-p", "1"}), "-p is not a valid option of this command");
  EXPECT_EQ(parse({"--port"}), "--port needs a value");
  for (const char* port : {"--port=0", "--port=65536", "--port=1x", "--port="}) {
    EXPECT_EQ(parse({port}), "--port must be a number from 1 to 65535") << port;
  }
  EXPECT_EQ(parse({"--host="}), "--host must not be empty");
  EXPECT_EQ(parse({"--report=maybe"}), "--report must be true or false");
}

TEST_F(FlagsTest, HelpEndsTheReadingAndShowsDefaults) {
  EXPECT_EQ(parse({"-h", "--nonsense"}), "");
  EXPECT_TRUE(help_);
  EXPECT_NE(flags_.help().find("  --port=PORT                   its port [8080]\n"), std::string::npos)
      << flags_.help();
}

// Exit code and both streams, without a server.
struct Ran {
  std::optional<int> code;
  std::string out;
  std::string err;
};

Ran run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "karma");
  std::ostringstream out;
  std::ostringstream err;
  const auto no_environment = [](const char*) -> const char* { return nullptr; };
  const std::optional<int> code =
      run_client_command(static_cast<int>(arguments.size()), arguments.data(), no_environment, out, err);
  return {code, out.str(), err.str()};
}

TEST(ClientCommand, OnlyTheFirstArgumentNamesIt) {
  EXPECT_EQ(run({}).code, std::nullopt);
  EXPECT_EQ(run({"check", "import"}).code, std::nullopt);
  EXPECT_EQ(run({"--port=1", "import"}).code, std::nullopt);
}

TEST(ClientCommand, WrongUsageIsTwo) {
  const std::vector<std::vector<const char*>> misuses = {
      {"import"},
      {"import", "file"},
      {"import", "--series=s"},
      {"import", "a", "b", "--series=s"},
      {"import", "a", "--series=a/b"},
      {"import", "a", "--series=s", "--mode=replace"},
      {"import", "a", "--series=s", "--format=xml"},
      {"import", "a", "--series=s", "--chunk-items=10001"},
      {"import", "a", "--series=s", "--token=t", "--token-file=f"},
      {"import", "a", "--series=s", "--token-file=does/not/exist"},
      {"export"},
      {"export", "--series=s", "more"},
      {"export", "--series=s", "--from=20260532"},
      {"export", "--series=s", "--from=20260505", "--to=20260504"},
      {"reconcile", "--series=s"},
      {"reconcile", "--csv=f"},
      {"reconcile", "--csv=f", "--series=s", "--directory=d"},
  };
  for (const auto& misuse : misuses) {
    const Ran ran = run(misuse);
    EXPECT_EQ(ran.code, 2) << misuse.size() << " " << misuse.back();
    EXPECT_TRUE(ran.err.starts_with("ERROR: ")) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(ClientCommand, EachHasItsHelpThatFitsATerminal) {
  for (const char* command : {"import", "export", "reconcile"}) {
    const Ran ran = run({command, "--help"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(ran.out.starts_with("Usage: karma " + std::string(command))) << ran.out;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
  }
}

TEST(ClientCommand, AMissingFileFailsWithoutAServer) {
  EXPECT_EQ(run({"import", "does/not/exist", "--series=s"}).code, 1);
  EXPECT_EQ(run({"reconcile", "--csv=does/not/exist", "--series=s"}).code, 2);
}

TEST(ClientCommand, AServerThatIsNotThereIsToldAndGivenUp) {
  const Ran ran = run({"export", "--series=s", "--port=1", "--retry-seconds=0"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("ERROR: cannot connect to 127.0.0.1:1: "), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace karma::tools
