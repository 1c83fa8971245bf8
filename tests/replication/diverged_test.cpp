// A node whose data gives way to that of another history: what is kept of it, and for how long.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "replication/nodes.h"
#include "support/client_command.h"
#include "support/engine_fixture.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::eventually;
using test::ReplicatingNode;

class Diverged : public ::testing::Test {
 protected:
  // The master goes on when its slave is gone, and finds it promoted when it comes back.
  void part(std::uint64_t only_here) {
    master.server.reset();
    slave.server.reset();
    master.be_master();
    master.start();
    master.increment(1, 5);
    slave.follow(master);
    slave.start();
    ASSERT_TRUE(caught_up(slave, master));
    slave.server.reset();
    for (std::uint64_t i = 0; i < only_here; ++i) master.increment(2, 10, "t");
    master.crash(only_here);  // a stop would leave no log
    slave.be_master();
    slave.start();
    slave.increment(3, 100);
    master.follow(slave);
    master.start();
    ASSERT_TRUE(caught_up(master, slave)) << master.ask("replication.status").dump();
  }
  std::vector<std::string> copies() const {
    std::vector<std::string> names = *master.files->list_directories("data");
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("diverged-"); });
    return names;
  }
  std::string only_here(const std::string& copy) const {
    return master.files->content("data/" + copy + "/only-here.ndjson").value_or("");
  }
  // karma import, of that text.
  static std::string import(const std::string& text, int port) {
    const std::string path = (std::filesystem::temp_directory_path() / "karma-only-here-XXXXXX").string();
    std::string file = path;
    const int descriptor = ::mkstemp(file.data());
    EXPECT_GE(descriptor, 0);
    ::close(descriptor);
    std::ofstream(file) << text;
    const std::string to = "--port=" + std::to_string(port);
    const auto [code, out, err] = test::run_karma({"import", file, to, "--retry-seconds=0"});
    std::filesystem::remove(file);
    return std::to_string(code.value_or(-1)) + " " + out + err;
  }

  ReplicatingNode master;
  ReplicatingNode slave;
};

TEST_F(Diverged, WhatOnlyTheOldMasterHadIsCountedByAnImport) {
  ASSERT_NO_FATAL_FAILURE(part(3));
  ASSERT_EQ(copies().size(), 1U);
  const std::string copy = copies()[0];
  const std::string epoch = slave.response("replication.status")["history"][0][0];
  EXPECT_EQ(copy, "diverged-" + epoch + "-4") << "its last entry was the fourth";
  ASSERT_TRUE(eventually([&] { return !only_here(copy).empty(); }));
  EXPECT_EQ(slave.ask("counter.sum", {{"series", "t"}, {"key", 2}})["error_code"], "not_found");
  const std::string first = import(only_here(copy), slave.port());
  EXPECT_TRUE(first.starts_with("0 imported 3 points into t")) << first;
  EXPECT_EQ(slave.sum(2, "t"), 30);
  const std::string second = import(only_here(copy), slave.port());
  EXPECT_TRUE(second.starts_with("0 ")) << second;
  EXPECT_EQ(slave.sum(2, "t"), 30) << "once only";
  ASSERT_TRUE(caught_up(master, slave));
  EXPECT_EQ(master.content(), slave.content());
}

TEST_F(Diverged, ARepeatThatReachedTheNewMasterDoesNotCountTwice) {
  const json keyed = {{"series", "s"}, {"key", 9}, {"bucket", 20260101}, {"value", 7}, {"idempotency_key", "k"}};
  master.start();
  master.increment(1, 5);
  slave.follow(master);
  slave.start();
  ASSERT_TRUE(caught_up(slave, master));
  slave.server.reset();
  (void)master.response("counter.increment", keyed);
  master.increment(2, 10);
  master.crash(1);
  slave.be_master();
  slave.start();
  (void)slave.response("counter.increment", keyed);
  master.follow(slave);
  master.start();
  ASSERT_TRUE(caught_up(master, slave));
  ASSERT_TRUE(eventually([&] { return !copies().empty() && !only_here(copies()[0]).empty(); }));
  const std::string imported = import(only_here(copies()[0]), slave.port());
  EXPECT_TRUE(imported.starts_with("0 imported 1 points into s")) << imported;
  EXPECT_EQ(slave.sum(9), 7);
  EXPECT_EQ(slave.sum(2), 10);
}

TEST_F(Diverged, ALaterCopyTakesThePlaceOfTheOneBefore) {
  ASSERT_NO_FATAL_FAILURE(part(3));
  ASSERT_EQ(copies().size(), 1U);
  const std::string first = copies()[0];
  // A restart touches nothing.
  master.server.reset();
  master.start();
  ASSERT_TRUE(caught_up(master, slave));
  EXPECT_EQ(copies(), std::vector<std::string>{first});
  ASSERT_NO_FATAL_FAILURE(part(1));
  ASSERT_EQ(copies().size(), 1U);
  EXPECT_NE(copies()[0], first);
  ASSERT_TRUE(eventually([&] { return !only_here(copies()[0]).empty(); }));
}

// Where the process is killed before the lines are written, the next one writes them.
TEST_F(Diverged, TheLinesAreWrittenByTheNextStartIfNeedBe) {
  ASSERT_NO_FATAL_FAILURE(part(3));
  const std::string copy = copies()[0];
  ASSERT_TRUE(eventually([&] { return !only_here(copy).empty(); }));
  const std::string text = only_here(copy);
  master.server.reset();
  EXPECT_TRUE(test::check(*master.files).starts_with("0 ok: 1 series")) << "the copy is none of its files";
  master.files->erase("data/" + copy + "/only-here.ndjson");
  master.start();
  ASSERT_TRUE(eventually([&] { return only_here(copy) == text; }));
}

}  // namespace
}  // namespace karma
