// What a slave copies from masters of several kinds: Karma 1.0, played by a node of this version whose replies are
// rewritten; one with many series; one that changes while it is copied; one that Karma 1.0 has worked on.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/base64.h"
#include "core/buffer.h"
#include "io/replace_file.h"
#include "replication/nodes.h"
#include "replication/relay.h"
#include "replication/source.h"
#include "snapshot/manifest.h"
#include "support/scripted_server.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::be_1_0;
using test::caught_up;
using test::eventually;
using test::refusal;
using test::Relay;
using test::ReplicatingNode;
using test::Reply;
using test::ScriptedServer;

class Bootstrapping : public ::testing::Test {
 protected:
  void copy_from(const Relay& relay) {
    slave.follow(relay.port());
    slave.start();
  }
  void expect_same() {
    ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
    EXPECT_EQ(slave.content(), master.content());
  }
  json errors() { return slave.response("replication.status")["replication_bootstrap_error_count"]; }
  json file_of(const std::string& series) {
    const json info = master.response("snapshot.info");
    for (const json& meta : info["latest_by_tree"]) {
      if (meta["tree"] == series) return meta;
    }
    return {};
  }

  ReplicatingNode master;
  ReplicatingNode slave;
};

TEST_F(Bootstrapping, ASeriesWithoutASnapshotComesFromTheLog) {
  master.start();
  master.increment(1, 5, "a");
  master.increment(1, 7, "c");
  master.increment(1, 5, "a");
  (void)master.response("snapshot.create", {{"series", "a"}});
  master.increment(1, 100, "a");
  const Relay relay(master, be_1_0);
  copy_from(relay);
  expect_same();
  EXPECT_EQ(slave.sum(1, "c"), 7);
}

TEST_F(Bootstrapping, WhereTheLogOfASeriesWithoutASnapshotIsRefusedTheOperatorIsTold) {
  master.start();
  master.increment(1, 7, "c");
  master.increment(1, 5, "a");
  (void)master.response("snapshot.create", {{"series", "a"}});
  const Relay relay(master, [](const json& request, Reply& reply) {
    be_1_0(request, reply);
    // As 1.0 does below the least LSN of the newest snapshots.
    if (request["op"] == "replication.entries" && request["after_lsn"] < 2)
      reply = refusal("replication_gap", "Requested LSN 0 is older than snapshot LSN 2");
  });
  copy_from(relay);
  ASSERT_TRUE(eventually([&] {
    const json error = slave.response("replication.status")["replication_last_bootstrap_error"];
    return error.is_string() && error.get<std::string>().find("snapshot.create_all") != std::string::npos;
  })) << slave.ask("replication.status").dump();
  EXPECT_EQ(slave.ask("tree.list")["error_code"], "stale_replica");
  (void)master.response("snapshot.create_all");
  expect_same();
}

TEST_F(Bootstrapping, SeriesDroppedUnderKarma1_0StayDropped) {
  master.start();
  master.increment(1, 5, "a");
  master.increment(1, 5, "d");
  (void)master.response("snapshot.create_all");
  const json old = file_of("d");
  const json piece = master.response("snapshot.fetch_chunk", {{"file", old["file"]}});
  (void)master.response("tree.drop", {{"series", "d"}});
  master.increment(1, 5, "a");
  (void)master.response("snapshot.create_all");
  const Relay relay(master, [&](const json& request, Reply& reply) {
    be_1_0(request, reply);
    if (request["op"] == "snapshot.info") reply["response"]["latest_by_tree"].push_back(Reply(old));
    if (request["op"] == "snapshot.fetch_chunk" && request["file"] == old["file"])
      reply = {{"success", true}, {"response", Reply(piece)}};
  });
  copy_from(relay);
  expect_same();
  EXPECT_EQ(slave.response("tree.list"), json({"a"}));
}

TEST_F(Bootstrapping, AllSeriesMayBeNewerThanTheLastWholeSet) {
  master.start();
  master.increment(1, 5);
  (void)master.response("counter.increment",
                        {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "a"}});
  (void)master.response("snapshot.create_all");
  for (int i = 0; i < 5; ++i) master.increment(2, 3);
  (void)master.response("snapshot.create", {{"series", "s"}});
  const Relay relay(master, be_1_0);
  copy_from(relay);
  expect_same();
  EXPECT_EQ(errors(), 0);
  // The log that came along counts once, also when the slave starts again.
  master.increment(3);
  expect_same();
  ASSERT_TRUE(eventually([&] { return slave.files->content("data/karma.replication.lsn").has_value(); }));
  slave.crash(1);
  slave.start();
  expect_same();
}

TEST_F(Bootstrapping, TheNumberOfSeriesIsNotBoundedByAReply) {
  master.config.max_response_bytes = 12000;
  master.start();
  test::SocketClient client(master.port());
  std::string requests;
  constexpr int kSeries = 60;
  for (int i = 0; i < kSeries; ++i) {
    const std::string name = std::string(100, 'n') + std::to_string(i);
    requests += json{{"v", 2}, {"op", "tree.create"}, {"series", name}}.dump() + "\n";
  }
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < kSeries; ++i) ASSERT_TRUE(json::parse(client.line())["success"]);
  (void)master.response("snapshot.create_all");
  ASSERT_EQ(master.ask("snapshot.info")["error_code"], "response_too_large");
  slave.follow(master);
  slave.start();
  ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
  EXPECT_EQ(slave.response("system.stats")["trees"], kSeries);
}

TEST_F(Bootstrapping, AManifestThatIsNotOfWhatComesIsNotLeftOut) {
  master.start();
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  const json before = master.response("snapshot.manifest_fetch_chunk");
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  int pieces = 0;
  const Relay relay(master, [&](const json& request, Reply& reply) {
    if (request["op"] == "snapshot.manifest_fetch_chunk" && ++pieces <= 2) reply["response"] = Reply(before);
  });
  copy_from(relay);
  expect_same();
  EXPECT_EQ(errors(), 1);
  EXPECT_TRUE(slave.files->exists("data/karma.manifest.json"));
}

TEST_F(Bootstrapping, WhatMayBeReplacedIsCopiedFirst) {
  master.start();
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  Relay relay(master, [](const json&, Reply&) {});
  copy_from(relay);
  expect_same();
  std::vector<std::string> ops = relay.ops();
  ops.resize(6);
  EXPECT_EQ(ops, std::vector<std::string>({"replication.status", "snapshot.manifest_fetch_chunk",
                                           "snapshot.manifest_fetch_chunk", "idempotency.snapshot_fetch_chunk",
                                           "snapshot.fetch_chunk", "replication.status"}));
}

TEST_F(Bootstrapping, AMasterWhoseHistoryChangesMeanwhileIsCopiedAgain) {
  master.start();
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  int asked = 0;
  const Relay relay(master, [&](const json& request, Reply& reply) {
    if (request["op"] == "replication.status" && ++asked == 1)
      reply["response"]["history"] = Reply::parse(R"([["0123456789abcdef0123456789abcdef",1,1]])");
  });
  copy_from(relay);
  expect_same();
  EXPECT_EQ(errors(), 1);
}

TEST_F(Bootstrapping, CheckpointsComeAlongFromKarma1_0Too) {
  master.start();
  (void)master.response("recovery.checkpoint", {{"source", "a"}, {"offset", "7"}});
  master.increment(1, 5);
  Relay relay(master, be_1_0);
  copy_from(relay);
  expect_same();
  ASSERT_TRUE(eventually([&] { return slave.response("recovery.status") == master.response("recovery.status"); }));
  const std::vector<std::string> ops = relay.ops();
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "recovery.status"), 0) << "its status has all of them";
}

// A producer goes on after its checkpoint: nothing before it may be missing.
TEST_F(Bootstrapping, CheckpointsCountWhenTheDataOfTheirMomentIsThere) {
  master.start();
  master.increment(1, 5);
  std::atomic<bool> held{true};
  std::atomic<int> pages{0};
  Relay relay(master, [&](const json& request, Reply& reply) {
    if (request["op"] != "replication.entries" || !held || reply["response"]["entries"].empty()) return;
    ++pages;
    reply["response"]["entries"] = Reply::array();
    reply["response"].erase("epoch_last");
  });
  (void)master.response("recovery.checkpoint", {{"source", "a"}, {"offset", "7"}});
  copy_from(relay);
  ASSERT_TRUE(eventually([&] {
    const std::vector<std::string> ops = relay.ops();
    return std::count(ops.begin(), ops.end(), "recovery.status") != 0;
  }));
  const int before = pages;
  ASSERT_TRUE(eventually([&] { return pages >= before + 20; }));
  EXPECT_EQ(slave.response("recovery.status")["checkpoint_count"], 0);
  held = false;
  expect_same();
  ASSERT_TRUE(eventually([&] { return slave.response("recovery.status") == master.response("recovery.status"); }));
}

// Karma 1.0 does not know the manifest, and leaves it as it was.
TEST_F(Bootstrapping, AManifestOlderThanTheSnapshotsIsNotOffered) {
  master.start();
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  EXPECT_EQ(master.ask("snapshot.manifest_fetch_chunk")["success"], true);
  master.increment(1, 7, "t");
  const std::string old_name = file_of("s")["file"];
  const std::int64_t time = file_of("s")["timestamp"];
  const Result<std::string> bytes = read_file(*master.files, "data/" + old_name);
  ASSERT_TRUE(bytes.ok());
  master.server.reset();
  const snapshot::Meta later = {.series = "s",
                                .file = std::to_string(time + 5) + "_s.tree",
                                .timestamp = time + 5,
                                .last_lsn = Lsn{2},
                                .bytes = bytes->size()};
  ASSERT_TRUE(replace_file(*master.files, "data", later.file, *bytes).ok());
  ASSERT_TRUE(replace_file(*master.files, "data", later.file + ".meta.json", snapshot::encode_sidecar(later)).ok());
  master.start();
  EXPECT_EQ(master.ask("snapshot.manifest_fetch_chunk")["error_code"], "not_found");
  slave.follow(master);
  slave.start();
  expect_same();
  EXPECT_EQ(errors(), 0);
  (void)master.response("snapshot.create_all");
  EXPECT_EQ(master.ask("snapshot.manifest_fetch_chunk")["success"], true);
}

// --- replies that nobody should send -----------------------------------------------------------------------------

std::string page_of(const std::string& entries, bool truncated = false) {
  return R"({"success":true,"response":{"truncated_by_bytes":)" + std::string(truncated ? "true" : "false") +
         R"(,"source_lsn":1,"entries":[)" + entries + "]}}";
}

std::string encoded(const std::string& bytes) {
  Buffer out;
  append_base64(out, bytes);
  return R"({"lsn":1,"entry":{},"entry_base64":")" + std::string(out.view()) + R"("})";
}

class OddMaster {
 public:
  explicit OddMaster(std::string reply)
      : server_([reply](const std::string&) { return reply; }),
        source({.host = "127.0.0.1", .port = server_.port(), .token = {}}) {
    EXPECT_TRUE(source.connect().ok());
  }
  Status page(replication::Page& into) {
    EXPECT_TRUE(source.ask_for_page(Lsn{}, 10).ok());
    return source.take_page(Lsn{}, 10, into);
  }

 private:
  ScriptedServer server_;

 public:
  replication::Source source;
};

TEST(SourceOfEntries, BytesThatAreNoUtf8AreStillOneLineAndOneObject) {
  replication::Page page;
  ASSERT_TRUE(OddMaster(page_of(encoded("{\"series\":\"\xff\"}"))).page(page).ok());
  for (const char* bytes : {"{}\n{}", "{\"a\":\n1}", "{}{}", "{} x", "[]", "1", "{", ""})
    EXPECT_FALSE(OddMaster(page_of(encoded(bytes))).page(page).ok()) << bytes;
}

TEST(SourceOfEntries, AfterAnEmptyPageThereIsNoMore) {
  replication::Page page;
  ASSERT_TRUE(OddMaster(page_of("", true)).page(page).ok());
  EXPECT_FALSE(page.more);
  ASSERT_TRUE(OddMaster(page_of(R"({"lsn":1,"entry":{}})", true)).page(page).ok());
  EXPECT_TRUE(page.more);
}

TEST(SourceOfSnapshots, TheSizeOfAManifestIsBounded) {
  OddMaster master(
      R"({"success":true,"response":{"metadata":{},"total_bytes":268435457,"done":true,"data_base64":""}})");
  const auto manifest = master.source.manifest();
  ASSERT_FALSE(manifest.ok());
  EXPECT_NE(manifest.error().message.find("a manifest of 268435457 bytes"), std::string::npos)
      << manifest.error().message;
}

TEST(SourceOfReplies, TheLengthOfAReplyIsBounded) {
  const std::string reply = R"({"success":true,"response":")" + std::string(std::size_t{1} << 20, 'x') + "\"}";
  const ScriptedServer server([&](const std::string&) { return reply; });
  for (const std::size_t most : {std::size_t{2} << 20, std::size_t{100000}}) {
    protocol::Client client({.host = "127.0.0.1", .port = server.port(), .token = {}, .max_reply_bytes = most});
    ASSERT_TRUE(client.connect().ok());
    client.send("system.ping", protocol::Client::Fields::object());
    EXPECT_EQ(client.receive().ok(), most > reply.size());
  }
}

}  // namespace
}  // namespace karma
