// What is written, what counts as current, what is done about damage.
#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "core/crc32c.h"
#include "snapshot/fixture.h"
#include "snapshot/manifest.h"

namespace karma::snapshot {
namespace {

const Content kOld = {{"a", {{1, {{20260101, 5}}}, {10, {{20260102, 7}}}}}, {"b", {{2, {{20260101, 6}}}}}};
const Content kNew = {
    {"a", {{1, {{20260101, 8}}}}}, {"b", {{2, {{20260101, 6}, {20260103, 1}}}}}, {"c", {{3, {{5, 5}}}}}};
const Content kLater = {{"a", {{1, {{20260101, 100}}}}}, {"b", {{9, {{20260101, 100}}}}}};

TEST(SnapshotCreate, WritesTheFilesOfKarma10) {
  Node node;
  ASSERT_TRUE(node.save({{"links", {{42, {{20260505, 10}, {20260504, 300}}}}}, {"none", {}}}, 2).ok());
  EXPECT_EQ(node.names(), (std::vector<std::string>{"1700000000_links.tree", "1700000000_links.tree.meta.json",
                                                    "1700000000_none.tree", "1700000000_none.tree.meta.json",
                                                    "karma.idempotency.json", "karma.idempotency.json.meta.json",
                                                    "karma.manifest.json"}));
  EXPECT_EQ(node.text("1700000000_links.tree").size(), 66u);
  EXPECT_EQ(node.text("1700000000_none.tree").size(), 34u);
  EXPECT_EQ(
      node.text("1700000000_links.tree.meta.json"),
      "{\"tree\":\"links\",\"file\":\"1700000000_links.tree\",\"timestamp\":1700000000,\"last_lsn\":2,\"bytes\":66}\n");
  EXPECT_EQ(node.text("karma.idempotency.json"), "{\"records\":[]}\n");
  EXPECT_EQ(
      node.text("karma.idempotency.json.meta.json"),
      "{\"file\":\"karma.idempotency.json\",\"timestamp\":1700000000,\"last_lsn\":2,\"bytes\":15,\"record_count\":3,"
      "\"committed_stream_count\":1}\n");
  EXPECT_EQ(node.events, (std::vector<std::string>{"backup.dump tree=links path=1700000000_links.tree",
                                                   "backup.dump tree=none path=1700000000_none.tree"}));
}

TEST(SnapshotCreate, IsRestoredAsItWas) {
  Node node;
  ASSERT_TRUE(node.save(kNew, 12, "{\"records\":[1]}").ok());
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, kNew);
  EXPECT_EQ(found->set_lsn, Lsn{12});
  EXPECT_EQ(found->exactly_once_lsn, Lsn{12});
  EXPECT_EQ(found->newest, Lsn{12});
  EXPECT_EQ(found.lsn("a"), 12u);
  EXPECT_EQ(found->file_count, 3u);
  EXPECT_EQ(found->exactly_once_json, "{\"records\":[1]}");
  EXPECT_FALSE(found->log_restarted);
  EXPECT_TRUE(found->warnings.empty());
}

TEST(SnapshotCreate, OfNothingIsASetToo) {
  Node node;
  ASSERT_TRUE(node.save({}, 4).ok());
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found.content.empty());
  EXPECT_EQ(found->set_lsn, Lsn{4});
}

TEST(SnapshotCreate, TwiceInASecondOverwritesNothing) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  ASSERT_TRUE(node.save(kNew, 3).ok());
  EXPECT_EQ(node.trees(), (std::vector<std::string>{"1700000000_a.tree", "1700000000_b.tree", "1700000001_a.tree",
                                                    "1700000001_b.tree", "1700000001_c.tree"}));
  EXPECT_EQ(node.restore().content, kNew);
}

TEST(SnapshotCreate, TimestampsGrowWhenTheClockStepsBack) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  node.clock.now = 1600000000;
  ASSERT_TRUE(node.save(kNew, 5).ok());
  ASSERT_TRUE(node.save_one("a", kLater, 6).ok());
  EXPECT_TRUE(node.has("1700000001_a.tree"));
  EXPECT_TRUE(node.has("1700000002_a.tree"));
  Content wanted = kNew;
  wanted["a"] = kLater.at("a");
  EXPECT_EQ(node.restore().content, wanted);
  // And to Karma 1.0, which goes by timestamps, too.
  node.erase(kManifestName);
  EXPECT_EQ(node.restore().content, wanted);
}

TEST(SnapshotCreate, SurvivesEveryName) {
  Node node;
  Content content;
  std::uint64_t value = 0;
  for (const std::string& name :
       {std::string("x/y"), std::string("../evil"), std::string("a\0b", 3), std::string(), std::string("."),
        std::string(".."), std::string(300, 'n'), std::string(299, 'n') + "m", std::string("%41"),
        std::string("x.tree"), std::string("*"), std::string("a\nb"), std::string("\xff\xfe"),
        std::string("%karma%x%2Fy"), std::string("\xc3\x9c \xe6\x97\xa5"), std::string("-")}) {
    content[name][1][20260101] = ++value;
  }
  ASSERT_TRUE(node.save(content, 9).ok());
  EXPECT_EQ(node.restore().content, content);
  EXPECT_TRUE(node.manager().check()->faults.empty());
  EXPECT_EQ(node.manager().latest()->size(), content.size());
  ASSERT_TRUE(node.save_one("x/y", content, 9).ok());
  EXPECT_EQ(node.restore().content, content);
  // The files alone tell it too, by their names and sidecars.
  node.erase(kManifestName);
  EXPECT_EQ(node.restore().content, content);
}

TEST(SnapshotCreate, DroppedSeriesStayDropped) {
  Node node;
  ASSERT_TRUE(node.save(kNew, 3).ok());
  Content rest = kNew;
  rest.erase("b");
  ASSERT_TRUE(node.save(rest, 5).ok());
  EXPECT_EQ(node.restore().content, rest);
  for (const std::string& name : node.names()) EXPECT_EQ(name.find("_b.tree"), name.npos) << name;
  EXPECT_EQ(node.events.back(), "backup.prune removed=1");
}

TEST(SnapshotCreate, KeepsTheNewestOfEachSeries) {
  Node node(std::make_unique<test::CrashableFileSystem>(), 2);
  for (std::uint64_t lsn = 1; lsn <= 5; ++lsn) ASSERT_TRUE(node.save(kNew, lsn).ok());
  EXPECT_EQ(node.trees(), (std::vector<std::string>{"1700000003_a.tree", "1700000003_b.tree", "1700000003_c.tree",
                                                    "1700000004_a.tree", "1700000004_b.tree", "1700000004_c.tree"}));
  EXPECT_EQ(node.names().size(), 6u * 2 + 3);
  Node all(std::make_unique<test::CrashableFileSystem>(), 0);
  for (std::uint64_t lsn = 1; lsn <= 5; ++lsn) ASSERT_TRUE(all.save(kNew, lsn).ok());
  EXPECT_EQ(all.trees().size(), 15u);
}

TEST(SnapshotCreate, PrunesFilesOfKarma10ButNothingElse) {
  Node node(std::make_unique<test::CrashableFileSystem>(), 2);
  for (const int i : {1, 2, 3, 4}) node.write_as_1_0("a", kOld, 1600000000 + i, {});
  node.write_as_1_0("dropped", {{"dropped", {}}}, 1600000000, 1);
  node.write("junk.tree", "x");
  node.write("5_.tree", "x");
  node.write("notes.txt", "x");
  node.write("1500000000_gone.tree.meta.json", "{}");
  ASSERT_TRUE(node.save({{"a", kOld.at("a")}}, 5).ok());
  EXPECT_EQ(node.trees(), (std::vector<std::string>{"1600000004_a.tree", "1700000000_a.tree", "5_.tree", "junk.tree"}));
  EXPECT_TRUE(node.has("notes.txt"));
  EXPECT_FALSE(node.has("1500000000_gone.tree.meta.json"));
  EXPECT_EQ(node.events.back(), "backup.prune removed=4");
}

TEST(SnapshotCreateOne, ReplacesOneSeriesOfTheSet) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3, "{\"r\":1}").ok());
  auto meta = node.save_one("a", kLater, 8);
  ASSERT_TRUE(meta.ok());
  EXPECT_EQ(meta->file, "1700000001_a.tree");
  EXPECT_EQ(meta->last_lsn, Lsn{8});
  auto found = node.restore();
  Content wanted = kOld;
  wanted["a"] = kLater.at("a");
  EXPECT_EQ(found.content, wanted);
  EXPECT_EQ(found.lsn("a"), 8u);
  EXPECT_EQ(found.lsn("b"), 3u);
  EXPECT_EQ(found->set_lsn, Lsn{3});
  EXPECT_EQ(found->exactly_once_lsn, Lsn{3});
  EXPECT_EQ(found->exactly_once_json, "{\"r\":1}");
  EXPECT_EQ(found->newest, Lsn{8});
  EXPECT_TRUE(node.manager().check()->faults.empty());
}

TEST(SnapshotCreateOne, BeginsASetInANewDirectory) {
  Node node;
  ASSERT_TRUE(node.save_one("a", kOld, 2).ok());
  auto found = node.restore(log_from(1, 2));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, (Content{{"a", kOld.at("a")}}));
  EXPECT_EQ(found->set_lsn, Lsn{0});
  EXPECT_FALSE(found->exactly_once_json);
}

TEST(SnapshotCreateOne, TakesTheFilesOfKarma10IntoTheSet) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000001, 4);
  node.write_as_1_0("b", kOld, 1600000001, 5);
  node.write_as_1_0("b", kLater, 1600000000, 3);
  node.write("karma.idempotency.json", "{\"records\":[7]}\n");
  ASSERT_TRUE(node.save_one("a", kLater, 8).ok());
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, (Content{{"a", kLater.at("a")}, {"b", kOld.at("b")}}));
  EXPECT_EQ(found.lsn("b"), 5u);
  EXPECT_EQ(found->exactly_once_json, "{\"records\":[7]}");
  node.flip("1600000001_b.tree", 40);
  EXPECT_FALSE(node.restore().ok());
  node.flip("1600000001_b.tree", 40);
  node.flip("karma.idempotency.json", 12);
  EXPECT_FALSE(node.restore().ok());
}

TEST(SnapshotCreate, FailsWithoutTraceWhenTheDiskIsFull) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  const auto before = node.names();
  for (std::uint64_t nth = 1; nth <= 9; ++nth) {
    test::CrashableFileSystem::Fault fault;
    fault.nth = nth;
    fault.count = 1;
    node.files->fail(fault);
    EXPECT_FALSE(node.save(kNew, 5).ok()) << nth;
    node.files->heal();
    EXPECT_EQ(node.names(), before);
    EXPECT_EQ(node.restore().content, kOld);
  }
  ASSERT_TRUE(node.save(kNew, 5).ok());
  EXPECT_EQ(node.restore().content, kNew);
}

// --- which file is current

TEST(SnapshotSelection, WithoutManifestTheLargerLsnWins) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000009, 3);
  node.write_as_1_0("a", kNew, 1600000001, 8);
  node.write_as_1_0("b", kNew, 1600000005, {});
  node.write_as_1_0("b", kOld, 1600000004, {});
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, (Content{{"a", kNew.at("a")}, {"b", kNew.at("b")}}));
  EXPECT_EQ(found.lsn("a"), 8u);
  EXPECT_EQ(found->series_lsn.at("b"), Lsn{0});
  EXPECT_EQ(found->set_lsn, Lsn{0});
  EXPECT_EQ(found->newest, Lsn{8});
}

TEST(SnapshotSelection, WithoutManifestTimestampsDecideWhereAnLsnIsUnreadable) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000001, 3);
  const std::string file = node.write_as_1_0("a", kNew, 1600000009, 8);
  node.write(file + ".meta.json", "{oops");
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, (Content{{"a", kNew.at("a")}}));
  EXPECT_TRUE(found.warned_of(file + ".meta.json is damaged"));
  // But not if entries of the log could be in the file already.
  auto refused = node.restore(log_from(7, 9));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().find(file + ".meta.json"), std::string::npos);
  auto given_up = node.restore(log_from(7, 9), {file + ".meta.json"});
  ASSERT_TRUE(given_up.ok());
  EXPECT_EQ(given_up.content, found.content);
}

TEST(SnapshotSelection, StrayFilesAreIgnored) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  node.write("junk.tree", "junk");
  node.write("9999999999_.tree", "junk");
  node.write(".9999999999_a.tree", "junk");
  node.write(".1777925811_a.tree.123.0011aabb.tmp", "junk");
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, kOld);
  EXPECT_TRUE(found.warned_of("junk.tree"));
  EXPECT_EQ(node.manager().list()->size(), 2u);
  EXPECT_TRUE(node.manager().check()->faults.empty());
}

TEST(SnapshotSelection, WhatKarma10WroteAfterTheManifestCounts) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 10, "{\"r\":1}").ok());
  // With the clock stepped back, and with it right; a new series; the exactly-once state.
  node.write_as_1_0("a", kLater, 1600000000, 15);
  node.write_as_1_0("b", kLater, 1700000009, 15);
  node.write_as_1_0("n", {{"n", {{1, {{5, 5}}}}}}, 1700000009, 15);
  node.write("karma.idempotency.json", "{\"r\":2}\n");
  node.write(
      "karma.idempotency.json.meta.json",
      "{\"file\":\"karma.idempotency.json\",\"timestamp\":1700000009,\"last_lsn\":15,\"bytes\":8,\"record_count\":0,"
      "\"committed_stream_count\":0}\n");
  auto found = node.restore();
  ASSERT_TRUE(found.ok()) << found.error();
  Content wanted = kLater;
  wanted["n"] = {{1, {{5, 5}}}};
  EXPECT_EQ(found.content, wanted);
  EXPECT_EQ(found.lsn("a"), 15u);
  EXPECT_EQ(found->set_lsn, Lsn{10});
  EXPECT_EQ(found->exactly_once_json, "{\"r\":2}");
  EXPECT_EQ(found->exactly_once_lsn, Lsn{15});
  EXPECT_EQ(found->newest, Lsn{15});
  EXPECT_TRUE(node.manager().check()->faults.empty());
  EXPECT_EQ(node.manager().latest()->at(0).last_lsn, Lsn{15});
  // And our next snapshot of one series keeps them.
  ASSERT_TRUE(node.save_one("a", kNew, 16).ok());
  wanted["a"] = kNew.at("a");
  found = node.restore();
  ASSERT_TRUE(found.ok()) << found.error();
  EXPECT_EQ(found.content, wanted);
  EXPECT_EQ(found->exactly_once_lsn, Lsn{15});
}

TEST(SnapshotSelection, WithTheLogOffKarma10sLaterFilesCountAtTheSameLsn) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 10).ok());
  node.write_as_1_0("a", kLater, 1700000009, 10);
  Content wanted = kOld;
  wanted["a"] = kLater.at("a");
  EXPECT_EQ(node.restore().content, wanted);
}

TEST(SnapshotSelection, AFileThatKarma10WroteOverCounts) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 10).ok());
  node.write_as_1_0("a", kLater, 1700000000, 15);
  Content wanted = kOld;
  wanted["a"] = kLater.at("a");
  auto found = node.restore();
  ASSERT_TRUE(found.ok()) << found.error();
  EXPECT_EQ(found.content, wanted);
  EXPECT_EQ(found.lsn("a"), 15u);
}

TEST(SnapshotSelection, UnlistedFilesThatAreNotNewerAreIgnored) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 10).ok());
  node.write_as_1_0("a", kLater, 1700000009, 9);
  node.write_as_1_0("dropped", {{"dropped", {}}}, 1700000009, 9);
  // Karma 1.0 ended between file and sidecar: its log still has everything.
  const std::string bare = node.write_as_1_0("b", kLater, 1700000010, {});
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, kOld);
  EXPECT_TRUE(found.warned_of(bare));
}

TEST(SnapshotSelection, AnUnlistedFileWithADamagedSidecarRefuses) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 10).ok());
  const std::string file = node.write_as_1_0("a", kLater, 1700000009, 15);
  node.write(file + ".meta.json", "{");
  auto found = node.restore();
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().find(file + ".meta.json"), std::string::npos);
  EXPECT_EQ(node.restore({}, {file + ".meta.json"}).content, kOld);
}

TEST(SnapshotSelection, OlderFilesOfOursNeverComeBack) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 1000).ok());
  // A replica that begins again from another master has smaller LSNs than its old files.
  ASSERT_TRUE(node.save(kNew, 50).ok());
  EXPECT_EQ(node.trees().size(), 5u);
  auto found = node.restore();
  EXPECT_EQ(found.content, kNew);
  EXPECT_EQ(found.lsn("a"), 50u);
  EXPECT_EQ(found->newest, Lsn{1000});
  ASSERT_TRUE(node.save_one("a", kLater, 51).ok());
  EXPECT_EQ(node.restore().content.at("a"), kLater.at("a"));
}

TEST(SnapshotSelection, OfAPromotedSlaveOfKarma10TheLogIsNotCovered) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000000, 21);
  node.write("karma.replication.lsn", "21\n");
  EXPECT_TRUE(node.restore(log_from(1, 5))->log_restarted);
  EXPECT_TRUE(node.restore(log_from(1, 50))->log_restarted);
  EXPECT_EQ(node.restore(log_from(1, 5))->newest, Lsn{21});
  EXPECT_FALSE(node.restore(log_from(22, 30))->log_restarted);
  EXPECT_FALSE(node.restore()->log_restarted);
  node.write("karma.replication.lsn", "40\n");
  EXPECT_EQ(node.restore()->newest, Lsn{40});
  node.erase("karma.replication.lsn");
  EXPECT_FALSE(node.restore(log_from(1, 5))->log_restarted);
}

TEST(SnapshotSelection, OfAPromotedSlaveThatHasTrimmedItsLogTimestampsCount) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000000, 21);
  node.write_as_1_0("a", kNew, 1600000009, 5);
  node.write("karma.replication.lsn", "21\n");
  LogReach log = log_from(6, 8);
  log.lsn_file = Lsn{5};
  auto found = node.restore(log);
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->log_restarted);
  EXPECT_EQ(found.content, (Content{{"a", kNew.at("a")}}));
  // Before it trims, the old snapshot and all of the log are the state.
  log = log_from(1, 8);
  found = node.restore(log);
  EXPECT_TRUE(found->log_restarted);
  EXPECT_EQ(found.content, (Content{{"a", kOld.at("a")}}));
}

TEST(SnapshotSelection, OurOwnDirectoryIsNeverTakenForAPromotedSlave) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 60).ok());
  node.write("karma.replication.lsn", "80\n");
  EXPECT_FALSE(node.restore(log_from(50, 80))->log_restarted);
  EXPECT_EQ(node.restore(log_from(50, 80))->newest, Lsn{80});
}

// --- damage

struct TwoSets : Node {
  TwoSets() {
    EXPECT_TRUE(save(kOld, 3, "{\"r\":1}").ok());
    clock.now += 100;
    EXPECT_TRUE(save(kNew, 8, "{\"r\":2}").ok());
  }
  const std::string a = "1700000100_a.tree";
  const std::string c = "1700000100_c.tree";
};

TEST(SnapshotDamage, FallsBackWhereTheLogReachesBack) {
  TwoSets node;
  node.flip(node.a, 30);
  auto found = node.restore(log_from(4, 9));
  ASSERT_TRUE(found.ok()) << found.error();
  Content wanted = kNew;
  wanted["a"] = kOld.at("a");
  EXPECT_EQ(found.content, wanted);
  EXPECT_EQ(found.lsn("a"), 3u);
  EXPECT_EQ(found.lsn("b"), 8u);
  EXPECT_TRUE(found.warned_of(node.a + " is damaged: "));
  EXPECT_TRUE(found.warned_of("1700000000_a.tree is used instead"));
}

TEST(SnapshotDamage, RefusesWhereTheLogDoesNotReachBack) {
  TwoSets node;
  node.flip(node.a, 30);
  for (const LogReach& log : {LogReach{}, log_from(5, 9), log_from(4, 7)}) {
    auto found = node.restore(log);
    ASSERT_FALSE(found.ok());
    EXPECT_NE(found.error().find(node.a), std::string::npos);
  }
  auto given_up = node.restore({}, {node.a});
  ASSERT_TRUE(given_up.ok());
  EXPECT_EQ(given_up.content.at("a"), kOld.at("a"));
  EXPECT_EQ(given_up.lsn("a"), 3u);
}

TEST(SnapshotDamage, AMissingFileIsDamage) {
  TwoSets node;
  node.erase(node.a);
  EXPECT_FALSE(node.restore().ok());
  EXPECT_TRUE(node.restore(log_from(4, 9)).ok());
  EXPECT_FALSE(node.manager().check()->faults.empty());
}

TEST(SnapshotDamage, ADamagedOlderFileDoesNotStandIn) {
  TwoSets node;
  node.flip(node.a, 30);
  node.flip("1700000000_a.tree", 50, 7);
  EXPECT_FALSE(node.restore(log_from(4, 9)).ok());
  // The log from the very beginning does without any of them.
  auto found = node.restore(log_from(1, 9));
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found.content.contains("a"));
  EXPECT_EQ(found->series_lsn.at("a"), Lsn{0});
}

TEST(SnapshotDamage, WithoutOlderFileOnlyTheWholeLogDoes) {
  TwoSets node;
  node.flip(node.c, 30);
  EXPECT_FALSE(node.restore(log_from(2, 9)).ok());
  EXPECT_FALSE(node.restore(log_from(1, 7)).ok());
  auto found = node.restore(log_from(1, 9));
  ASSERT_TRUE(found.ok()) << found.error();
  EXPECT_EQ(found->series_lsn.at("c"), Lsn{0});
  EXPECT_TRUE(found.warned_of("made from the log alone"));
  auto given_up = node.restore({}, {node.c});
  ASSERT_TRUE(given_up.ok());
  EXPECT_FALSE(given_up.content.contains("c"));
}

TEST(SnapshotDamage, TheLogCannotMakeWhatWasThereBeforeIt) {
  Node node(std::make_unique<test::CrashableFileSystem>(), 1);
  node.write_as_1_0("a", kOld, 1600000000, {});
  ASSERT_TRUE(node.save(kNew, 5).ok());
  node.flip("1700000000_a.tree", 30);
  EXPECT_FALSE(node.restore(log_from(1, 9)).ok());
}

TEST(SnapshotDamage, TheLogCannotMakeWhatWasNeverInIt) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  const auto store = store_of(kNew);
  Frozen unlogged = freeze(*store, Lsn{3});
  unlogged.logged = false;
  ASSERT_TRUE(node.manager().create_all(unlogged).ok());
  ASSERT_TRUE(node.save(kLater, 5).ok());
  node.flip("1700000002_a.tree", 30);
  EXPECT_FALSE(node.restore(log_from(1, 9)).ok());
  ASSERT_TRUE(node.save(kLater, 6).ok());
  ASSERT_TRUE(node.save(kOld, 7).ok());
  node.flip("1700000004_a.tree", 30);
  auto found = node.restore(log_from(1, 9));
  ASSERT_TRUE(found.ok()) << found.error();
  EXPECT_EQ(found.lsn("a"), 6u);
}

TEST(SnapshotDamage, AnOlderFileOfTheSameContentIsAsGood) {
  Node node;
  ASSERT_TRUE(node.save(kOld, 3).ok());
  ASSERT_TRUE(node.save(kOld, 3).ok());
  node.flip("1700000001_a.tree", 30);
  EXPECT_EQ(node.restore().content, kOld);
}

TEST(SnapshotDamage, OfKarma10sFilesFallsBackByTheirSidecars) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000000, 3);
  const std::string file = node.write_as_1_0("a", kNew, 1600000001, 8);
  node.write(file, node.text(file).substr(0, 40));
  node.write(file + ".meta.json",
             "{\"tree\":\"a\",\"file\":\"" + file + "\",\"timestamp\":1600000001,\"last_lsn\":8,\"bytes\":40}");
  EXPECT_FALSE(node.restore().ok());
  EXPECT_FALSE(node.restore(log_from(5, 9)).ok());
  EXPECT_EQ(node.restore(log_from(4, 9)).lsn("a"), 3u);
}

TEST(SnapshotDamage, OfTheExactlyOnceRefuses) {
  TwoSets node;
  for (const std::function<void()>& damage : std::initializer_list<std::function<void()>>{
           [&] { node.flip(kExactlyOnceName, 3); }, [&] { node.write(kExactlyOnceName, ""); },
           [&] { node.erase(kExactlyOnceName); }}) {
    const std::string before = node.text(kExactlyOnceName);
    damage();
    auto found = node.restore(log_from(1, 9));
    ASSERT_FALSE(found.ok());
    EXPECT_NE(found.error().find(kExactlyOnceName), std::string::npos);
    auto given_up = node.restore(log_from(1, 9), {std::string(kExactlyOnceName)});
    ASSERT_TRUE(given_up.ok());
    EXPECT_FALSE(given_up->exactly_once_json);
    EXPECT_EQ(given_up->exactly_once_lsn, Lsn{0});
    EXPECT_TRUE(node.save_one("a", kLater, 9).ok());
    EXPECT_FALSE(node.restore(log_from(1, 9)).ok()) << "a snapshot of one series must not hide it";
    node.write(kExactlyOnceName, before);
  }
}

TEST(SnapshotDamage, OfTheManifestRefuses) {
  TwoSets node;
  node.flip(kManifestName, 20);
  auto found = node.restore(log_from(1, 9));
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().find(kManifestName), std::string::npos);
  EXPECT_FALSE(node.save_one("a", kLater, 9).ok());
  auto given_up = node.restore({}, {std::string(kManifestName)});
  ASSERT_TRUE(given_up.ok());
  EXPECT_EQ(given_up.content, kNew);
  EXPECT_FALSE(node.manager().check()->faults.empty());
  ASSERT_TRUE(node.save(kLater, 9).ok());
  EXPECT_EQ(node.restore().content, kLater);
  EXPECT_TRUE(node.manager().check()->faults.empty());
}

TEST(SnapshotDamage, EveryFlippedBitIsNoticed) {
  TwoSets healthy;
  ASSERT_TRUE(healthy.save_one("b", kLater, 9).ok());
  ASSERT_TRUE(healthy.manager().check()->faults.empty());
  const auto reference = healthy.restore();
  for (const std::string& name : healthy.names()) {
    const std::string text = healthy.text(name);
    const bool of_set =
        name != "1700000100_b.tree" && !name.starts_with("1700000100_b.") && !name.starts_with("1700000000_");
    for (std::size_t at = 0; at < text.size(); at += 1 + text.size() / 150) {
      for (const int bit : {0, 1 + static_cast<int>(at % 7)}) {
        SCOPED_TRACE(name + " at " + std::to_string(at) + " bit " + std::to_string(bit));
        healthy.flip(name, at, bit);
        EXPECT_FALSE(healthy.manager().check()->faults.empty());
        auto found = healthy.restore();
        if (found.ok()) {
          EXPECT_EQ(found.content, reference.content);
          EXPECT_EQ(found->series_lsn, reference->series_lsn);
          EXPECT_EQ(found->exactly_once_json, reference->exactly_once_json);
          EXPECT_EQ(found->exactly_once_lsn, reference->exactly_once_lsn);
          // Files that are not current are looked at by check() only.
          EXPECT_EQ(!found->warnings.empty(), of_set);
        }
        healthy.write(name, text);
      }
    }
  }
}

TEST(SnapshotDamage, OddFilesOfKarma10AreLoadedAndReported) {
  Node node;
  const std::string file = node.write_as_1_0("a", {{"a", {{1, {{5, 7}}}}}}, 1600000000, 3);
  std::string bytes = node.text(file);
  bytes[bytes.rfind("total") + 5] = 9;
  node.write(file, bytes);
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, (Content{{"a", {{1, {{5, 7}}}}}}));
  EXPECT_TRUE(found.warned_of("wrong total"));
  EXPECT_EQ(node.manager().check()->faults.size(), 1u);
}

// --- looking

TEST(SnapshotManager, ListsAndDescribes) {
  TwoSets node;
  auto list = node.manager().list();
  ASSERT_TRUE(list.ok());
  std::vector<std::string> files;
  for (const Meta& meta : *list) files.push_back(meta.file);
  EXPECT_EQ(files, (std::vector<std::string>{"1700000100_a.tree", "1700000100_b.tree", "1700000100_c.tree",
                                             "1700000000_a.tree", "1700000000_b.tree"}));
  auto latest = node.manager().latest();
  ASSERT_TRUE(latest.ok());
  ASSERT_EQ(latest->size(), 3u);
  EXPECT_EQ(latest->at(1).series, "b");
  EXPECT_EQ(latest->at(1).bytes, node.text("1700000100_b.tree").size());
  auto exactly_once = node.manager().exactly_once_meta();
  ASSERT_TRUE(exactly_once.ok() && *exactly_once);
  EXPECT_EQ((*exactly_once)->last_lsn, Lsn{8});
  EXPECT_EQ((*exactly_once)->record_count, 3u);
  EXPECT_EQ(node.manager().meta("1700000000_b.tree")->last_lsn, Lsn{3});
  EXPECT_EQ(node.manager().meta("1700000001_b.tree").error().code, ErrorCode::not_found);
  node.write("junk.tree", "");
  EXPECT_EQ(node.manager().meta("junk.tree").error().code, ErrorCode::validation_error);
}

TEST(SnapshotManager, ReadsPieces) {
  TwoSets node;
  const std::string whole = node.text(node.a);
  Manager manager = node.manager();
  EXPECT_EQ(*manager.read(node.a, 0, 1000000), whole);
  EXPECT_EQ(*manager.read(node.a, 10, 5), whole.substr(10, 5));
  EXPECT_EQ(*manager.read(node.a, whole.size(), 5), "");
  EXPECT_EQ(*manager.read(node.a, whole.size() + 1, 5), "");
  EXPECT_EQ(*manager.read(std::string(kExactlyOnceName), 0, ~std::uint64_t{0}), "{\"r\":2}\n");
  EXPECT_EQ(manager.read("1_x.tree", 0, 5).error().code, ErrorCode::not_found);
}

TEST(SnapshotManager, LoadsOneFile) {
  TwoSets node;
  store::Store store(3);
  auto loaded = node.manager().load("1700000000_a.tree", store.make_series());
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->total(Key{10}), 7u);
  EXPECT_EQ(node.manager().load("1_a.tree", store.make_series()).error().code, ErrorCode::not_found);
  node.flip("1700000000_a.tree", 30);
  EXPECT_EQ(node.manager().load("1700000000_a.tree", store.make_series()).error().code, ErrorCode::internal_error);
}

TEST(SnapshotManager, AnEmptyDirectoryIsFine) {
  Node node;
  auto found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->newest, Lsn{0});
  EXPECT_TRUE(node.manager().finish_interrupted().ok());
  EXPECT_TRUE(node.manager().list()->empty());
  EXPECT_TRUE(node.manager().latest()->empty());
  EXPECT_FALSE(node.manager().exactly_once_meta()->has_value());
  EXPECT_TRUE(node.manager().check()->faults.empty());
}

TEST(SnapshotManager, RestoreTellsItsProgressInBytes) {
  TwoSets node;
  store::Store store(3);
  std::size_t last = 0;
  std::size_t all = 0;
  ASSERT_TRUE(node.manager()
                  .restore(&store, {}, {},
                           [&](std::size_t done, std::size_t of) {
                             EXPECT_GE(done, last);
                             last = done;
                             all = of;
                           })
                  .ok());
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0u);
}

TEST(SnapshotCheck, CountsAndChangesNothing) {
  TwoSets node;
  node.write_as_1_0("a", kLater, 1600000000, {});
  const auto before = node.files->changes();
  auto checked = node.manager().check();
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->dump_count, 6u);
  EXPECT_EQ(checked->metadata_checked, 5u);
  EXPECT_EQ(checked->missing_metadata, 1u);
  EXPECT_TRUE(checked->faults.empty());
  EXPECT_EQ(node.files->changes(), before);
}

TEST(SnapshotCheck, FindsSidecarsThatLie) {
  TwoSets node;
  const std::string name = node.a + ".meta.json";
  const std::string text = node.text(name);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  for (const std::string& changed :
       {std::string("{oops"), with("\"bytes\":", "\"bytes\":1"), with("\"file\":\"", "\"file\":\"x"),
        with("\"timestamp\":", "\"timestamp\":9"), with("\"tree\":\"", "\"tree\":\"x"),
        with("\"last_lsn\":8", "\"last_lsn\":1"), with("\"last_lsn\":8", "\"last_lsn\":9")}) {
    node.write(name, changed);
    EXPECT_FALSE(node.manager().check()->faults.empty()) << changed;
    auto found = node.restore();
    EXPECT_EQ(found.content, kNew) << changed;
    EXPECT_EQ(found.lsn("a"), 8u) << changed;
    EXPECT_TRUE(found.warned_of(name)) << changed;
  }
}

TEST(SnapshotCheck, IsContentInADirectoryOfKarma10) {
  Node node;
  node.write_as_1_0("a", kOld, 1600000000, 3);
  node.write_as_1_0("a", kOld, 1600000001, {});
  node.write_as_1_0("b", kOld, 1600000001, 9);
  EXPECT_TRUE(node.manager().check()->faults.empty());
  EXPECT_EQ(node.manager().check()->missing_metadata, 1u);
}

}  // namespace
}  // namespace karma::snapshot
