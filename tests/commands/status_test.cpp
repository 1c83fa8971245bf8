// Ops that tell of many things: they answer however many there are. And a slave that follows nobody.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include <karma/version.h>

#include "support/engine_fixture.h"

namespace karma::commands {
namespace {

using nlohmann::json;
using test::failed_with;
using test::in_directory;
using test::Node;

json ask(Node& node, std::string_view op, const std::string& fields = "") {
  return json::parse(node.expect(op, fields));
}

// All pages of a list, by the names in it.
std::set<std::string> names_of_all(Node& node, std::string_view op, std::string_view list, std::string_view name,
                                   std::size_t limit) {
  std::set<std::string> found;
  std::string cursor;
  while (true) {
    const json page = ask(node, op, ",\"limit\":" + std::to_string(limit) + cursor);
    EXPECT_LE(page[list].size(), limit);
    for (const json& element : page[list]) EXPECT_TRUE(found.insert(element[name]).second);
    if (!page.contains("next_cursor") || page["next_cursor"].is_null()) return found;
    EXPECT_FALSE(page[list].empty());
    cursor = ",\"cursor\":" + page["next_cursor"].dump();
  }
}

TEST(Status, ANodeWithoutANetworkIsNotOpenToIt) {
  Node node;
  node.config.bind = "0.0.0.0";
  node.open();
  EXPECT_EQ(ask(node, "system.stats")["open_to_network"], false);
  EXPECT_EQ(ask(node, "system.stats")["version"], version());
  EXPECT_TRUE(ask(node, "system.health")["warnings"].empty());
}

TEST(IngestReplies, KeepToTheLimitOfResponses) {
  constexpr std::size_t kLimit = 600;
  Node node;
  node.config.max_response_bytes = kLimit;
  node.open();
  std::string escaped;
  for (int i = 0; i < 200; ++i) escaped += R"(\u0001)";
  const std::string long_id = R"(,"stream_id":")" + escaped + R"(","mode":"add")";
  EXPECT_TRUE(failed_with(node.call("ingest.begin", long_id), "response_too_large"));
  EXPECT_TRUE(failed_with(node.call("ingest.abort", long_id.substr(0, long_id.find(",\"mode"))), "response_too_large"));
  EXPECT_EQ(node.lsn(), 0U);
  node.expect("ingest.begin", R"(,"mode":"add","stream_id":")" + std::string(200, 'x') + '"');
  // What the reply tells of the stream's state is not known before.
  const std::string begin = R"(,"stream_id":"i","mode":"add")";
  node.expect("ingest.begin", begin);
  std::string series;
  for (int i = 0; i < 128; ++i) series += R"(\")";
  const std::string chunk = R"(,"stream_id":"i","chunk_seq":1,"items":[[1,20260505,1]],"series":")" + series + '"';
  node.expect("ingest.chunk", chunk);
  const std::string again = node.call("ingest.begin", begin);
  EXPECT_LE(again.size(), kLimit);
  node.close();
  node.config.max_response_bytes = 400;
  node.open();
  EXPECT_TRUE(failed_with(node.call("ingest.begin", begin), "response_too_large"));
}

TEST(RecoveryStatus, NeverFailsOverTheNumberOfCheckpoints) {
  Node node;
  node.config.max_response_bytes = 1 << 20;
  node.config.recovery_max_checkpoints = 1200;
  std::string checkpoints;
  std::set<std::string> sources;
  for (int i = 0; i < 3000; ++i) {
    const std::string source = "source-" + std::to_string(10000 + i) + std::string(500, 'x');
    sources.insert(source);
    checkpoints +=
        std::string(i == 0 ? "" : ",") + R"({"source":")" + source + R"(","offset":"1","updated_at_unix":5})";
  }
  node.files->edit(in_directory("recovery.json"), "{\"checkpoints\":[" + checkpoints + "]}\n");
  node.open();
  EXPECT_EQ(ask(node, "recovery.status")["checkpoint_count"], 3000);
  EXPECT_EQ(names_of_all(node, "recovery.status", "checkpoints", "source", 1000), sources);
  EXPECT_EQ(names_of_all(node, "recovery.status", "checkpoints", "source", 7), sources);
  const std::string one = *sources.rbegin();
  EXPECT_EQ(ask(node, "recovery.status", ",\"source\":\"" + one + "\"")["checkpoints"].size(), 1u);
  const json status = ask(node, "replication.status");
  EXPECT_EQ(status["recovery_checkpoint_count"], 3000);
  EXPECT_EQ(status["recovery"]["checkpoint_count"], 3000);
  EXPECT_TRUE(status["recovery"].contains("next_cursor"));
  EXPECT_TRUE(failed_with(node.call("recovery.checkpoint", R"(,"source":"new","offset":1)"), "validation_error"));
  EXPECT_EQ(ask(node, "recovery.forget", ",\"source\":\"" + one + "\"")["forgotten"], true);
  EXPECT_EQ(ask(node, "recovery.forget", ",\"source\":\"" + one + "\"")["forgotten"], false);
  EXPECT_EQ(ask(node, "recovery.status")["checkpoint_count"], 2999);
  node.reopen();
  EXPECT_EQ(ask(node, "recovery.status")["checkpoint_count"], 2999);
}

TEST(RecoveryStatus, AFewAreToldAsInTheFirstGeneration) {
  Node node;
  node.open();
  EXPECT_EQ(node.expect("recovery.status"), R"({"checkpoint_count":0,"checkpoints":[]})");
  node.expect("recovery.checkpoint", R"(,"source":"a","offset":1)");
  EXPECT_EQ(
      node.expect("recovery.status"),
      R"({"checkpoint_count":1,"checkpoints":[{"source":"a","offset":"1","event_id":null,"updated_at_unix":1777982400}]})");
}

TEST(ReplicationStatus, NeverFailsOverTheNumberOfSeries) {
  Node node;
  node.config.max_response_bytes = 4096;
  node.open();
  for (int i = 0; i < 60; ++i) node.expect("tree.create", ",\"series\":\"s" + std::to_string(i) + "\"");
  node.expect("snapshot.create_all");
  const json status = ask(node, "replication.status");
  EXPECT_EQ(status["latest_snapshots"].size() + status["latest_snapshots_left_off"].get<std::size_t>(), 60u);
}

TEST(IngestStatus, ListsWhatIsActive) {
  Node node;
  node.config.ingest_max_streams = 150;
  node.config.max_response_bytes = 20000;
  node.open();
  std::set<std::string> ids;
  for (int i = 0; i < 150; ++i) {
    ids.insert("stream-" + std::to_string(i));
    node.expect("ingest.begin", ",\"mode\":\"add\",\"stream_id\":\"stream-" + std::to_string(i) + "\"");
    if (i == 0) node.clock.advance(60);
  }
  node.expect("ingest.chunk",
              R"(,"stream_id":"stream-7","series":"s","chunk_seq":1,"items":[[1,20260505,3],[2,20260505,3]])");
  node.clock.advance(3600);
  const auto expect_listed = [&] {
    EXPECT_EQ(names_of_all(node, "ingest.status", "streams", "stream_id", 1000), ids);
    EXPECT_EQ(names_of_all(node, "ingest.status", "streams", "stream_id", 4), ids);
    const json one = ask(node, "ingest.status", R"(,"stream_id":"stream-7")");
    EXPECT_EQ(one["active_count"], 150);
    EXPECT_EQ(one["max_streams"], 150);
    EXPECT_EQ(one["streams"], json::parse(R"([{"stream_id":"stream-7","mode":"add","series":"s","granularity":null,
      "last_chunk_seq":1,"points":2,"began_at_unix":1777982460,"age_seconds":3600}])"));
    EXPECT_EQ(ask(node, "ingest.status", R"(,"stream_id":"none")")["streams"].size(), 0u);
  };
  expect_listed();
  node.reopen();  // from the log
  expect_listed();
  node.close(true);  // from a snapshot
  node.open();
  expect_listed();

  // Whoever is refused learns what to do about it.
  const json refused = json::parse(node.call("ingest.begin", R"(,"mode":"add","stream_id":"one-more")"));
  EXPECT_EQ(refused["error_code"], "validation_error");
  const std::string message = refused["response"];
  for (const char* part : {"the limit is 150", "ingest.status", "ingest.abort",
                           R"("stream-0" (no series yet, add, 0 points, 3660 s old))"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_LT(message.size(), 1000u);
  node.expect("ingest.abort", R"(,"stream_id":"stream-0")");
  node.expect("ingest.begin", R"(,"mode":"add","stream_id":"one-more")");
}

TEST(IngestStatus, OfAnOldLogTheAgeIsNotKnown) {
  Node node;
  node.files->edit(in_directory("karma.wal"),
                   R"({"v":2,"lsn":1,"entry":{"v":2,"op":"ingest.begin","stream_id":"old","mode":"replace_series"}})"
                   "\n");
  node.open();
  const json stream = ask(node, "ingest.status")["streams"][0];
  EXPECT_EQ(stream["stream_id"], "old");
  EXPECT_TRUE(stream["began_at_unix"].is_null());
  EXPECT_TRUE(stream["age_seconds"].is_null());
}

// It must not look as if it were up to date.
TEST(Slave, ThatFollowsNobodyIsDegradedAndItsLagUnknown) {
  Node node;
  node.config.role = Role::slave;
  node.open();
  EXPECT_TRUE(ask(node, "system.stats")["replication_lag_entries"].is_null());
  EXPECT_TRUE(ask(node, "replication.status")["replication_lag_entries"].is_null());
  const std::string metrics = node.expect("system.metrics");
  EXPECT_EQ(metrics.find("karma_replication_lag_entries"), std::string::npos);
  EXPECT_NE(metrics.find("karma_replication_replayed_lsn"), std::string::npos);
  // It has a moment to find its master.
  EXPECT_EQ(ask(node, "system.health")["status"], "ok");
  EXPECT_NE(ask(node, "system.health")["warnings"].dump().find("follows no master"), std::string::npos);
  node.clock.advance(2);
  EXPECT_EQ(ask(node, "system.health")["status"], "degraded");
  EXPECT_NE(ask(node, "system.health")["problems"].dump().find("follows no master"), std::string::npos);
  node.close();
  node.config.role = Role::master;
  node.open();
  node.clock.advance(60);
  EXPECT_EQ(ask(node, "system.health")["status"], "ok");
  EXPECT_EQ(ask(node, "system.stats")["replication_lag_entries"], 0);
}

}  // namespace
}  // namespace karma::commands
