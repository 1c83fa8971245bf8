// replication.digest: what a node tells of its state.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/state_digests.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using json = nlohmann::json;

json ask(Node& node, std::uint64_t after) {
  return json::parse(node.call("replication.digest", ",\"after_lsn\":" + std::to_string(after)));
}
json counted(Node& node, std::uint64_t after) {
  json reply = ask(node, after);
  while (reply["success"] == true && reply["response"]["ready"] == false) reply = ask(node, reply["response"]["lsn"]);
  return reply["response"];
}

TEST(StateDigests, AreOfOneLsnAndTheSameForTheSameState) {
  Node node;
  node.open();
  EXPECT_EQ(counted(node, 0)["digest"], "0000000000000000");
  node.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":3)");
  node.expect("counter.increment", R"(,"series":"t","key":1,"bucket":20260505,"value":3)");
  node.expect("tree.create", R"(,"series":"empty")");
  const json first = counted(node, 1);
  EXPECT_EQ(first["lsn"], 3);
  ASSERT_EQ(first["series"].size(), 3u);
  EXPECT_EQ(first["series"][0]["digest"], "0000000000000000") << "it is empty";
  EXPECT_EQ(first["series"][1]["digest"], first["series"][2]["digest"]) << "the name does not count";
  EXPECT_FALSE(first.contains("series_left_off"));
  // Another way to the same content; the restart has loaded snapshots and played the log on top.
  node.expect("counter.increment", R"(,"series":"s","key":2,"bucket":20260505,"value":1)");
  node.expect("snapshot.create", R"(,"series":"s")");
  node.expect("tree.delete_range", R"(,"series":"t","range":{"from":20260505,"to":20260505})");
  node.expect("counter.increment", R"(,"series":"t","key":1,"bucket":20260505,"value":3)");
  node.expect("counter.reset", R"(,"series":"s","key":2)");
  const json live = counted(node, 7);
  EXPECT_EQ(live["digest"], first["digest"]);
  EXPECT_EQ(live["epoch"], first["epoch"]);
  node.reopen();
  const json again = counted(node, 0);
  EXPECT_EQ(again["lsn"], 7);
  EXPECT_EQ(again["digest"], first["digest"]);
  node.expect("counter.decrement", R"(,"series":"s","key":1,"bucket":20260505,"value":1)");
  EXPECT_NE(counted(node, 8)["digest"], first["digest"]);
}

TEST(StateDigests, WhatIsAskedForAtTheSameTimeIsCountedOnce) {
  Node node;
  node.open();
  node.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505)");
  const json first = counted(node, 1);
  node.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505)");
  EXPECT_EQ(counted(node, 0), first) << "it will do for whoever is at or before it";
  EXPECT_EQ(counted(node, 2)["lsn"], 2);
  EXPECT_EQ(counted(node, 1), first);
  EXPECT_EQ(ask(node, 3)["error_code"], "not_found") << "nobody knows what will be";
  node.clock.advance(engine::StateDigests::kKeptFor.count() + 1);
  EXPECT_EQ(counted(node, 1)["lsn"], 2);
}

TEST(StateDigests, AReplyNamesAsManySeriesAsItHasRoomFor) {
  Node node;
  node.config.max_response_bytes = 600;
  node.open();
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"})
    node.expect("counter.increment", R"(,"series":")" + std::string(name) + R"(","key":1,"bucket":20260505)");
  const json reply = counted(node, 0);
  EXPECT_GE(reply["series"].size(), 3u);
  EXPECT_EQ(reply["series"].size() + reply["series_left_off"].get<std::size_t>(), 12u);
}

}  // namespace
}  // namespace karma::test
