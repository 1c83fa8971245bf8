// Starts on directories that lack something: files removed, put back from an older backup, given up by name. Whatever
// the start says, `karma check` says too.
#include <gtest/gtest.h>

#include <sstream>

#include <karma/tools.h>

#include "core/crc32c.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

std::string total(int value) {
  return "{\"series\":\"links\",\"key\":1,\"bucket\":20260505,\"value\":" + std::to_string(value) + "}\n";
}

class StartUp : public testing::Test {
 protected:
  static void add(Node& node, int count, const std::string& fields = "") {
    for (int i = 0; i < count; ++i)
      node.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505)" + fields);
  }
  static std::unique_ptr<Node> copy(const Node& node) { return node.after_crash(Unsynced::kept); }
  static void remove(Node& node, std::string_view suffix) {
    for (const std::string& name : names(*node.files))
      if (name.ends_with(suffix)) node.files->erase(in_directory(name));
  }
  // Files of the other directory take the place of these.
  static void put_back(Node& node, Node& backup, bool (*wanted)(const std::string& name)) {
    for (const std::string& name : names(*node.files))
      if (wanted(name)) node.files->erase(in_directory(name));
    for (const std::string& name : names(*backup.files))
      if (wanted(name)) node.files->edit(in_directory(name), *backup.files->content(in_directory(name)));
  }
  static bool is_snapshot(const std::string& name) {
    return name.ends_with(".tree") || name.ends_with(".meta.json") || name == "karma.manifest.json" ||
           name == "karma.idempotency.json";
  }
  static bool is_log(const std::string& name) { return name.starts_with("karma.wal"); }

  // Returns why it does not start.
  static std::string refused(Node& node, const std::string& named) {
    const std::string found = check(*node.files);
    EXPECT_EQ(found[0], '1') << found;
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(dump_directory(kDirectory, out, err, *node.files), 1);
    EXPECT_EQ(out.str(), "");
    const std::string refusal = node.try_open();
    EXPECT_NE(refusal, "") << "starts with " << node.live_content();
    EXPECT_NE(refusal.find(named), std::string::npos) << refusal;
    node.close();
    return refusal;
  }
  static void starts(Node& node, int expected) {
    const std::string refusal = node.try_open();
    ASSERT_EQ(refusal, "");
    EXPECT_EQ(node.live_content(), total(expected));
    node.close();
  }
  // With the name that the refusal gives; and from then on without.
  static void starts_given_up(Node& node, const std::string& refusal, const std::string& expected) {
    const std::size_t at = refusal.find("--recover=");
    ASSERT_NE(at, std::string::npos) << refusal;
    node.config.recover = {refusal.substr(at + 10, refusal.find_first_of(" ,", at) - at - 10)};
    ASSERT_EQ(node.try_open(), "");
    EXPECT_EQ(node.live_content(), expected);
    node.close();
    node.config.recover.clear();
    EXPECT_EQ(check(*node.files)[0], '0') << check(*node.files);
    ASSERT_EQ(node.try_open(), "");
    EXPECT_EQ(node.live_content(), expected);
    node.close();
  }
};

// 10 entries in snapshots, 5 in the log after them.
class StartUpAfterATrim : public StartUp {
 protected:
  void SetUp() override {
    node_.open();
    add(node_, 10, R"(,"value":2)");
    node_.expect("snapshot.create_all");
    add(node_, 5);
    node_.close();
    stopped_ = copy(node_);
    stopped_->open();
    stopped_->close(true);
  }
  Node node_;                      // the log from 11 to 15
  std::unique_ptr<Node> stopped_;  // all in snapshots, the log empty, trimmed to 15
};

TEST_F(StartUpAfterATrim, WithoutSnapshotsRefuses) {
  for (const bool log_is_empty : {false, true}) {
    Node& node = log_is_empty ? *stopped_ : node_;
    remove(node, ".tree");
    remove(node, ".json");
    const std::string refusal = refused(node, log_is_empty ? "karma.wal.lsn" : "karma.wal");
    EXPECT_NE(refusal.find(log_is_empty ? "1 to 15" : "1 to 10"), std::string::npos) << refusal;
    starts_given_up(node, refusal, log_is_empty ? "" : total(5));
  }
}

TEST_F(StartUpAfterATrim, WithoutSnapshotsButTheirSidecarsOrTheExactlyOnceRefuses) {
  for (const bool log_is_empty : {false, true}) {
    const Node& original = log_is_empty ? *stopped_ : node_;
    auto node = copy(original);
    remove(*node, ".tree");
    node->files->erase(in_directory("karma.manifest.json"));
    refused(*node, "_links.tree");
    node = copy(original);
    remove(*node, ".tree");
    remove(*node, ".tree.meta.json");
    node->files->erase(in_directory("karma.manifest.json"));
    refused(*node, "karma.wal");
    node = copy(original);
    remove(*node, ".tree");
    refused(*node, "_links.tree");
  }
}

TEST_F(StartUpAfterATrim, WithoutTheManifestAlone) {
  node_.files->erase(in_directory("karma.manifest.json"));
  EXPECT_EQ(check(*node_.files)[0], '0') << check(*node_.files);
  starts(node_, 25);
}

// Nothing but karma.wal.lsn tells the LSN of such a snapshot.
TEST_F(StartUpAfterATrim, WithoutManifestExactlyOnceAndSidecars) {
  remove(*stopped_, ".json");
  EXPECT_EQ(check(*stopped_->files)[0], '0') << check(*stopped_->files);
  ASSERT_EQ(stopped_->try_open(), "");
  EXPECT_EQ(stopped_->live_content(), total(25));
  stopped_->expect("snapshot.verify");
  stopped_->close(true);
  EXPECT_EQ(check(*stopped_->files)[0], '0') << check(*stopped_->files);
  starts(*stopped_, 25);
}

// An older backup's snapshots beside today's log, and the other way round.
TEST_F(StartUpAfterATrim, WithPartsOfAnOlderBackup) {
  Node backup;
  backup.open();
  add(backup, 3, R"(,"value":2)");
  backup.close(true);
  for (const bool log_is_empty : {false, true}) {
    SCOPED_TRACE(log_is_empty);
    const Node& original = log_is_empty ? *stopped_ : node_;
    auto node = copy(original);
    put_back(*node, backup, is_snapshot);
    std::string refusal = refused(*node, log_is_empty ? "karma.wal.lsn" : "karma.wal");
    EXPECT_NE(refusal.find(log_is_empty ? "4 to 15" : "4 to 10"), std::string::npos) << refusal;
    starts_given_up(*node, refusal, total(log_is_empty ? 6 : 11));

    // Only the manifest and the snapshots: today's exactly-once state says how far the state was.
    node = copy(original);
    put_back(*node, backup, [](const std::string& name) {
      return name.ends_with(".tree") || name.ends_with(".tree.meta.json") || name == "karma.manifest.json";
    });
    refused(*node, "karma.");

    // Without manifest.
    node = copy(original);
    put_back(*node, backup, is_snapshot);
    node->files->erase(in_directory("karma.manifest.json"));
    refused(*node, "karma.wal");

    // The log of the backup beside today's snapshots: they hold more, nothing is missing.
    node = copy(original);
    put_back(*node, backup, is_log);
    starts(*node, log_is_empty ? 25 : 20);
  }
}

TEST_F(StartUpAfterATrim, WithALogThatEndsBeforeItsOwnNote) {
  node_.files->edit(in_directory("karma.wal.lsn"), "40\n");
  const std::string refusal = refused(node_, "karma.wal.lsn");
  EXPECT_NE(refusal.find("16 to 40"), std::string::npos) << refusal;
  starts_given_up(node_, refusal, total(25));
}

// A snapshot of one series reaches further than those of the others, so the log must be there up to it.
TEST_F(StartUpAfterATrim, WithoutTheLogThatASnapshotOfOneSeriesStandsOn) {
  node_.open();
  node_.expect("counter.increment", R"(,"series":"users","key":1,"bucket":20260505)");
  node_.expect("snapshot.create", R"(,"series":"users")");
  node_.close();
  node_.files->erase(in_directory("karma.wal"));
  refused(node_, "_users.tree");
}

TEST_F(StartUpAfterATrim, WithoutTheBeginningOfTheLog) {
  node_.config.wal_segment_bytes = 1;
  node_.open();
  add(node_, 5);
  node_.close();
  const std::string oldest = find_name(*node_.files, "karma.wal.0", ".segment");
  node_.files->erase(in_directory(oldest));
  std::string refusal = refused(node_, ".segment");
  for (const std::string other : {"recovery.json", "karma.manifest.json", "karma.idempotency.json", "karma.wal"}) {
    if (other == "recovery.json") node_.files->edit(in_directory(other), "{\"checkpoints\":[]}\n");
    node_.config.recover = {other};
    EXPECT_NE(node_.try_open(), "") << other;
    node_.close();
  }
  for (const std::string missing : {"nosuch.file", "data/karma.wal", "../karma.wal", ""}) {
    node_.config.recover = {missing};
    EXPECT_NE(node_.try_open().find("does not exist"), std::string::npos) << missing;
    node_.close();
  }
  node_.config.recover = {oldest};
  EXPECT_NE(node_.try_open().find("does not exist"), std::string::npos) << "not the file that is gone";
  node_.close();
  node_.config.recover.clear();
  refusal = refused(node_, ".segment");
  const std::size_t lost = 1 + oldest.ends_with("00000000000000000011.segment") * 4;
  starts_given_up(node_, refusal, total(30 - static_cast<int>(lost)));
}

// ExactlyOnceState and snapshots later than the manifest look like those of Karma 1.0, and a series without such a
// snapshot like one that was dropped then: unless a file tells of one.
TEST_F(StartUp, ASeriesWhoseLaterSnapshotIsOfNoUseWasNotDropped) {
  Node today;
  today.open();
  add(today, 3);
  today.expect("counter.increment", R"(,"series":"other","key":1,"bucket":20260505)");
  today.close(true);
  const auto backup = copy(today);
  today.open();
  add(today, 5);
  today.expect("counter.increment", R"(,"series":"other","key":1,"bucket":20260505,"idempotency_key":"k")");
  today.close(true);
  put_back(today, *backup, [](const std::string& name) { return name == "karma.manifest.json"; });
  EXPECT_EQ(check(*today.files)[0], '0') << check(*today.files);
  std::string tree;  // the later one
  for (const std::string& name : names(*today.files))
    if (name.ends_with("_links.tree")) tree = std::max(tree, name);
  const std::string sidecar = tree + ".meta.json";
  for (const bool tree_is_lost : {false, true}) {
    SCOPED_TRACE(tree_is_lost);
    const auto node = copy(today);
    node->files->erase(in_directory(tree_is_lost ? tree : sidecar));
    const std::string left = tree_is_lost ? sidecar : tree;
    const std::string refusal = refused(*node, "--recover=" + left + " ");
    EXPECT_NE(refusal.find("LSNs 5 to 10"), std::string::npos) << refusal;
    starts_given_up(*node, refusal,
                    "{\"series\":\"links\",\"key\":1,\"bucket\":20260505,\"value\":3}\n"
                    "{\"series\":\"other\",\"key\":1,\"bucket\":20260505,\"value\":2}\n");
  }
}

TEST_F(StartUpAfterATrim, AManifestOfANewerKarmaIsNotDamaged) {
  std::string text = *node_.files->content(in_directory("karma.manifest.json"));
  text.replace(text.find("\"format\":1"), 10, "\"format\":2");
  const std::size_t end = text.rfind(",\"crc32c\":");
  text.resize(end);
  text += ",\"crc32c\":" + std::to_string(crc32c(text)) + "}\n";
  node_.files->edit(in_directory("karma.manifest.json"), text);
  const std::string refusal =
      refused(node_, "karma.manifest.json was written by a newer Karma (format 2; this one reads 1)");
  EXPECT_EQ(refusal.find("damaged"), std::string::npos) << refusal;
  EXPECT_EQ(check(*node_.files).find("damaged"), std::string::npos) << check(*node_.files);
}

// Without a log nothing brings an older snapshot forward.
TEST_F(StartUp, ADamagedSnapshotOfUnloggedChangesRefuses) {
  Node node;
  node.open();
  add(node, 5);
  node.close(true);
  node.clock.advance(10);
  node.config.wal = false;
  node.open();
  add(node, 1, R"(,"value":1000)");
  node.expect("snapshot.create", R"(,"series":"links")");
  node.close();
  node.config.wal = true;
  starts(*copy(node), 1005);
  const std::string name = find_name(*node.files, std::to_string(ManualClock::kNoon + 10), "_links.tree");
  std::string bytes = *node.files->content(in_directory(name));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  node.files->edit(in_directory(name), bytes);
  refused(node, name);
}

// The snapshot of one series is on the disk; then so must be the entries of the others.
TEST_F(StartUp, WithoutSyncsASnapshotOfOneSeriesTakesTheLogAlong) {
  Node node;
  node.config.wal_fsync = false;
  node.open();
  node.expect("counter.increment", R"(,"series":"users","key":1,"bucket":20260505)");
  add(node, 5);
  node.expect("snapshot.create", R"(,"series":"links")");
  add(node, 2);
  const auto crashed = node.after_crash(Unsynced::lost);
  node.close();
  ASSERT_EQ(crashed->try_open(), "");
  EXPECT_NE(crashed->live_content().find(total(5)), std::string::npos);
  EXPECT_NE(crashed->live_content().find("users"), std::string::npos);
}

TEST_F(StartUp, DamagedCheckpointsRefuseUntilTheyAreGivenUp) {
  Node node;
  node.open();
  add(node, 5);
  node.expect("recovery.checkpoint", R"(,"source":"ch","offset":"1000")");
  node.close();
  EXPECT_EQ(check(*node.files)[0], '0');
  std::string bytes = *node.files->content(in_directory("recovery.json"));
  bytes[bytes.find("1000")] = '9';
  node.files->edit(in_directory("recovery.json"), bytes);
  const std::string refusal = refused(node, "recovery.json");
  node.config.recover = {"recovery.json"};
  node.open();
  EXPECT_EQ(node.live_content(), total(5));
  EXPECT_EQ(node.expect("recovery.status"), R"({"checkpoint_count":0,"checkpoints":[]})");
}

TEST_F(StartUp, WithoutRestoreRememberedKeysAreKept) {
  const std::string write = R"(,"series":"links","key":1,"bucket":20260505,"idempotency_key":"k")";
  Node node;
  node.open();
  node.expect("counter.increment", write);
  node.expect("tree.drop", R"(,"series":"links")");
  node.close(true);
  for (const bool wal : {true, false}) {
    node.config.restore = false;
    node.config.wal = wal;
    node.open();
    EXPECT_TRUE(failed_with(node.call("snapshot.create_all"), "internal_error"));
    node.close(wal);
    node.config.restore = true;
    node.config.wal = true;
    node.open();
    EXPECT_NE(node.call("counter.increment", write).find("\"idempotent\":true"), std::string::npos);
    node.close();
  }
}

// What a crash leaves is put right without a start, and no more than that.
TEST_F(StartUp, RepairDoesWhatAStartDoesToTheFiles) {
  Node node;
  node.open();
  add(node, 5);
  node.close(true);
  node.open();
  add(node, 2);
  node.close();
  const auto whole = copy(node);
  const std::string log = *node.files->content(in_directory("karma.wal"));
  const std::string tree = find_name(*node.files, "", "_links.tree");
  for (const std::string& name : {tree, tree + ".meta.json"}) {
    node.files->edit(in_directory(name + ".new"), *node.files->content(in_directory(name)));
    node.files->erase(in_directory(name));
  }
  node.files->edit(in_directory("karma.wal"), log + R"({"v":2,"lsn":8,"ent)");
  node.files->edit(in_directory(".recovery.json.12.0123456789abcdef.tmp"), "{");
  node.files->edit(in_directory("100_other.tree.new"), "never committed");
  const std::string said = repair(*node.files);
  EXPECT_EQ(said[0], '0') << said;
  EXPECT_NE(said.find("repaired: karma.wal"), std::string::npos) << said;
  EXPECT_EQ(names(*node.files), names(*whole->files));
  for (const std::string& name : names(*whole->files))
    EXPECT_EQ(node.files->content(in_directory(name)), whole->files->content(in_directory(name))) << name;
  EXPECT_EQ(repair(*node.files).find("repaired"), std::string::npos) << "the second time there is nothing to do";
  starts(node, 7);
}

// Karma 1.0 replays the whole log on top of the snapshots. So where they hold some of it, or where it needs what only
// Karma keeps in them, all of it goes into snapshots.
TEST_F(StartUp, RepairLeavesNoLogThatKarma1WouldCountTwiceOrCannotRead) {
  const auto repaired = [](Node& node) {
    const std::string said = repair(*node.files);
    EXPECT_EQ(said[0], '0') << said;
    EXPECT_NE(said.find("repaired: "), std::string::npos) << said;
    EXPECT_NE(said.find(" 0 log entries"), std::string::npos) << said;
    for (const std::string& name : names(*node.files)) EXPECT_FALSE(name.ends_with(".segment")) << name;
    EXPECT_EQ(node.files->content(in_directory("karma.wal")).value_or(""), "");
    EXPECT_EQ(repair(*node.files).find("repaired"), std::string::npos) << "the second time there is nothing to do";
  };
  {
    SCOPED_TRACE("a snapshot of one series");
    Node node;
    node.open();
    add(node, 5);
    node.expect("snapshot.create", R"(,"series":"links")");
    add(node, 2);
    node.close();
    repaired(node);
    EXPECT_EQ(*node.files->content(in_directory("karma.wal.lsn")), "7\n");
    starts(node, 7);
  }
  {
    SCOPED_TRACE("killed before the log was trimmed");
    Node node;
    node.open();
    add(node, 5);
    node.close();
    const std::string log = *node.files->content(in_directory("karma.wal"));
    node.open();
    node.expect("snapshot.create_all");
    node.close();
    node.files->edit(in_directory("karma.wal"), log);
    node.files->erase(in_directory("karma.wal.lsn"));
    repaired(node);
    starts(node, 5);
  }
  {
    SCOPED_TRACE("a stream that began before the snapshots");
    const std::string chunk = R"(,"stream_id":"i1","series":"links","items":[[1,20260505,1]],"chunk_seq":)";
    for (const bool committed : {false, true}) {
      Node node;
      node.open();
      node.expect("ingest.begin", R"(,"stream_id":"i1","mode":"add")");
      node.expect("ingest.chunk", chunk + "1");
      node.expect("snapshot.create_all");
      node.expect("ingest.chunk", chunk + "2");
      if (committed) node.expect("ingest.commit", R"(,"stream_id":"i1")");
      node.close();
      repaired(node);
      node.open();
      if (!committed) node.expect("ingest.chunk", chunk + "3");
      EXPECT_EQ(node.live_content(), total(committed ? 2 : 3));
    }
  }
  {
    SCOPED_TRACE("what Karma 1.0 logged before it refused");
    Node node;
    node.files->edit(in_directory("karma.wal"),
                     "{\"v\":2,\"lsn\":1,\"entry\":{\"v\":2,\"op\":\"tree.drop\",\"series\":\"nope\"}}\n");
    node.open();
    add(node, 2);
    node.close();
    repaired(node);
    starts(node, 2);
  }
}

// Nothing of it is in a snapshot: 1.0 makes all of it from the log, the stream too.
TEST_F(StartUp, RepairKeepsALogThatKarma1Replays) {
  Node node;
  node.open();
  add(node, 5);
  node.close(true);
  node.open();
  node.expect("ingest.begin", R"(,"stream_id":"i1","mode":"add")");
  add(node, 2);
  node.close();
  const std::string log = *node.files->content(in_directory("karma.wal"));
  EXPECT_EQ(repair(*node.files).find("repaired"), std::string::npos);
  EXPECT_EQ(*node.files->content(in_directory("karma.wal")), log);
}

TEST_F(StartUp, RepairTouchesNothingThatAStartWouldRefuse) {
  Node node;
  node.open();
  add(node, 5);
  node.close(true);
  node.files->edit(in_directory(".recovery.json.12.0123456789abcdef.tmp"), "{");
  node.files->edit(in_directory("karma.wal"), "garbage");
  node.files->erase(in_directory(find_name(*node.files, "", "_links.tree")));
  const std::vector<std::string> before = names(*node.files);
  const std::string said = repair(*node.files);
  EXPECT_EQ(said[0], '1') << said;
  EXPECT_EQ(names(*node.files), before);
  EXPECT_EQ(*node.files->content(in_directory("karma.wal")), "garbage");
}

}  // namespace
}  // namespace karma::test
