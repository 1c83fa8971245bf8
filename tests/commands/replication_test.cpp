// replication.entries: pages of any size, and what it tells of logs that hold other bytes than UTF-8.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/utf8.h"
#include "support/engine_fixture.h"

namespace karma::commands {
namespace {

using nlohmann::json;
using test::in_directory;
using test::Node;

json page(Node& node, std::uint64_t after, std::uint64_t limit) {
  return json::parse(node.expect("replication.entries",
                                 ",\"after_lsn\":" + std::to_string(after) + ",\"limit\":" + std::to_string(limit)));
}

void write(Node& node, std::size_t count) {
  std::vector<std::string> requests(
      count, R"({"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260505,"value":1})");
  for (const std::string& reply : node(requests)) ASSERT_TRUE(test::succeeded(reply)) << reply;
}

// Commas are part of a reply, too.
TEST(ReplicationEntries, TheLongestPageFits) {
  Node node;
  node.config.max_response_bytes = 1 << 20;
  node.open();
  write(node, 12000);
  for (const std::uint64_t limit : {10000u, 9999u, 1u}) {
    const json found = page(node, 0, limit);
    EXPECT_EQ(found["count"], found["entries"].size());
    EXPECT_EQ(found["truncated_by_bytes"], found["count"] < limit);
    EXPECT_EQ(found["next_lsn"], found["count"]);
    EXPECT_LE(found["entries_bytes"], found["byte_limit"]);
  }
}

TEST(ReplicationEntries, EveryLimitOfRepliesGivesPagesThatLeadToTheEnd) {
  Node node;
  node.open();
  write(node, 200);
  node.close();
  for (const int limit : {400, 460, 500, 700, 1000, 2047, 2048, 2049, 2200, 3000, 5000}) {
    node.config.max_response_bytes = limit;
    node.open();
    std::uint64_t at = 0;
    while (at < 200) {
      const json found = page(node, at, 10000);
      ASSERT_GT(found["count"], 0) << limit;
      for (const json& entry : found["entries"]) ASSERT_EQ(entry["lsn"], ++at) << limit;
      ASSERT_EQ(found["next_lsn"], at);
    }
    EXPECT_EQ(page(node, at, 10000)["count"], 0);
    node.close();
  }
}

TEST(ReplicationEntries, OneEntryBeyondThePageGetsThrough) {
  Node node;
  node.open();
  std::string items;
  for (int i = 0; i < 400; ++i) items += (i == 0 ? "[" : ",[") + std::to_string(i) + ",20260505,1]";
  node.expect("series.batch_add", R"(,"series":"s","items":[)" + items + "]");
  write(node, 1);
  const std::size_t whole = node.call("replication.entries", R"(,"after_lsn":0,"limit":1)").size();
  node.close();
  node.config.max_response_bytes = static_cast<int>(whole) + 64;  // and so its byte_limit is less than the entry
  node.open();
  EXPECT_EQ(page(node, 0, 10)["count"], 1);
  node.close();
  node.config.max_response_bytes = static_cast<int>(whole) / 2;
  node.open();
  EXPECT_TRUE(test::failed_with(node.call("replication.entries", R"(,"after_lsn":0)"), "response_too_large"));
}

// No request brings such bytes any more, but logs of older versions hold them.
TEST(ReplicationEntries, EveryReplyIsUtf8WhateverAnOldLogHolds) {
  Node node;
  const std::string name = "s\xFFq\xC3";
  const std::string entry =
      R"({"v":2,"op":"counter.increment","series":")" + name + R"(","key":1,"bucket":20260505,"value":4})";
  std::string log;
  std::uint64_t lsn = 0;
  for (const std::string& text :
       {entry,
        std::string(
            "{\"v\":2,\"op\":\"ingest.begin\",\"stream_id\":\"i\xFE\",\"mode\":\"add\",\"granularity\":\"\x80\"}")})
    log += R"({"v":2,"lsn":)" + std::to_string(++lsn) + R"(,"entry":)" + text + "}\n";
  node.files->edit(in_directory("karma.wal"), log);
  node.open();
  const std::string reply = node.call("replication.entries", R"(,"after_lsn":0)");
  ASSERT_TRUE(valid_utf8(reply));
  const json found = json::parse(reply)["response"]["entries"];
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0]["entry"]["series"], "s\xEF\xBF\xBDq\xEF\xBF\xBD");
  EXPECT_EQ(found[0]["entry"]["value"], 4);
  EXPECT_EQ(found[0]["entry_base64"],
            "eyJ2IjoyLCJvcCI6ImNvdW50ZXIuaW5jcmVtZW50Iiwic2VyaWVzIjoic/"
            "9xwyIsImtleSI6MSwiYnVja2V0IjoyMDI2MDUwNSwidmFsdWUiOjR9");
  node.expect("tree.create", R"(,"series":"plain")");
  EXPECT_FALSE(page(node, 2, 1)["entries"][0].contains("entry_base64"));
  for (const char* op : {"tree.list", "snapshot.create_all", "snapshot.info", "snapshot.list", "snapshot.verify",
                         "replication.status", "system.stats", "system.metrics", "system.health"}) {
    const std::string answer = node.call(op);
    EXPECT_TRUE(valid_utf8(answer)) << op;
    EXPECT_TRUE(test::succeeded(answer)) << answer;
  }
}

}  // namespace
}  // namespace karma::commands
