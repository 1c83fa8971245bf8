#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "support/client_command.h"

namespace karma::tools {
namespace {

using test::Ran;

// Without a server.
Ran run(const std::vector<const char*>& arguments) {
  return test::run_karma(std::vector<std::string>(arguments.begin(), arguments.end()));
}

TEST(ClientCommand, OnlyTheFirstArgumentNamesIt) {
  EXPECT_EQ(run({}).code, std::nullopt);
  EXPECT_EQ(run({"check", "import"}).code, std::nullopt);
  EXPECT_EQ(run({"--port=1", "import"}).code, std::nullopt);
}

TEST(ClientCommand, WrongUsageIsTwo) {
  const std::vector<std::vector<const char*>> misuses = {
      {"import"},
      {"import", "a", "--stream-id=i"},
      {"import", "--series=s"},
      {"import", "a", "b", "--series=s", "--stream-id=i"},
      {"import", "a", "b", "--series=s", "--on-error=skip", "--rejects=r"},
      {"import", "a", "--series=s", "--on-error=skip", "--rejects=a"},
      {"import", "a", "--series=s", "--rejects=r"},
      {"import", "a", "--on-error=skip"},
      {"import", "a", "--series=s", "--on-error=ignore"},
      {"import", "-", "--series=s", "--on-error=skip"},
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
      {"promote", "more"},
      {"promote", "--series=s"},
      {"replicas", "more"},
      {"ping", "more"},
      {"call"},
      {"call", "-", "more"},
      {"call", "counter.sum", "series"},
      {"call", "{op}"},
      {"call", "system.ping", "--pretty"},
      {"stats", "more"},
      {"slowlog", "more"},
      {"clients", "more"},
      {"clients", "--limit=1001"},
      {"slowlog", "--limit=129"},
      {"top", "more"},
      {"top", "--interval=0"},
      {"plot"},
      {"plot", "--series=s", "more"},
      {"plot", "--series=s", "--key=1,"},
      {"plot", "--series=s", "--key=x"},
      {"plot", "--series=s", "--range=0d"},
      {"plot", "--series=s", "--width=47"},
      {"cli", "more"},
      {"cli", "--history=perhaps"},
      {"bench", "more"},
      {"bench", "--op=tree.drop"},
      {"bench", "--connections=0"},
      {"bench", "--connections=1001"},
      {"bench", "--connections=500", "--pipeline=33"},
      {"bench", "--keys=1000001"},
      {"bench", "--series=a/b"},
  };
  for (const auto& misuse : misuses) {
    const Ran ran = run(misuse);
    EXPECT_EQ(ran.code, 2) << misuse.size() << " " << misuse.back();
    EXPECT_TRUE(ran.err.starts_with("ERROR: ")) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(ClientCommand, EachHasItsHelpThatFitsATerminal) {
  for (const char* command : {"import", "export", "reconcile", "promote", "replicas", "ping", "call", "stats",
                              "slowlog", "clients", "plot", "top", "cli", "bench"}) {
    const Ran ran = run({command, "--help"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(ran.out.starts_with("Usage: karma " + std::string(command))) << ran.out;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
    EXPECT_LE(std::count(ran.out.begin(), ran.out.end(), '\n'), 40) << ran.out;
  }
}

TEST(ClientCommand, AMissingFileFailsWithoutAServer) {
  EXPECT_EQ(run({"import", "does/not/exist", "--series=s"}).code, 1);
  EXPECT_EQ(run({"import", "does/not/exist"}).code, 1);
  EXPECT_EQ(run({"reconcile", "--csv=does/not/exist", "--series=s"}).code, 2);
}

TEST(ClientCommand, AServerThatIsNotThereIsToldAndGivenUp) {
  const Ran ran = run({"export", "--series=s", "--port=1", "--retry-seconds=0"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("ERROR: cannot connect to 127.0.0.1:1: "), std::string::npos) << ran.err;
  for (const char* command : {"replicas", "ping", "stats", "slowlog", "clients", "top", "bench"})
    EXPECT_EQ(run({command, "--port=1"}).code, 1) << command;
  EXPECT_EQ(run({"call", "system.ping", "--port=1"}).code, 1);
  EXPECT_EQ(run({"plot", "--series=s", "--port=1"}).code, 1);
}

}  // namespace
}  // namespace karma::tools
