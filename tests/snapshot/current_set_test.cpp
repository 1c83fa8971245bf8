// What a running node knows of its directory without looking, and that many small files are written side by side.
#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "snapshot/fixture.h"
#include "snapshot/parallel.h"

namespace karma::snapshot {
namespace {

using Operation = test::CrashableFileSystem::Operation;

Content many_series(int count) {
  Content content;
  for (int i = 0; i < count; ++i) content["s" + std::to_string(i)] = {{1, {{20260101, 5}}}};
  return content;
}

class KnownSet : public testing::Test {
 protected:
  void create_all(const Content& content, std::uint64_t lsn) {
    const auto store = store_of(content);
    const Status created = manager_.create_all(freeze(*store, Lsn{lsn}));
    ASSERT_TRUE(created.ok()) << created.error().message;
  }
  std::string create_one(const std::string& name, std::uint64_t lsn, std::uint64_t value = 7) {
    const auto store = store_of({{name, {{1, {{20260101, value}}}}}});
    Result<Meta> meta = manager_.create_one(name, store->find(name)->view(), Lsn{lsn});
    EXPECT_TRUE(meta.ok()) << meta.error().message;
    return meta ? meta->file : "";
  }
  std::uint64_t looks() const {
    return node_.files->count(Operation::open) + node_.files->count(Operation::read) +
           node_.files->count(Operation::list);
  }
  std::vector<std::string> listed() {
    std::vector<std::string> files;
    const Result<std::vector<Meta>> all = manager_.list();
    for (const Meta& meta : *all) files.push_back(meta.file);
    std::sort(files.begin(), files.end());
    return files;
  }

  Node node_;
  Manager manager_ = node_.manager();
};

TEST_F(KnownSet, ASnapshotOfOneSeriesLooksAtNoOther) {
  create_all(many_series(200), 4);
  std::uint64_t before = looks();
  create_one("s7", 5);
  EXPECT_LE(looks() - before, 4u);
  store::Store store(7);
  Manager next = node_.manager();
  ASSERT_TRUE(next.restore(&store, {}, {}).ok());
  ASSERT_TRUE(next.finish_interrupted().ok());
  before = looks();
  ASSERT_TRUE(next.create_one("s8", store.find("s8")->view(), Lsn{6}).ok());
  EXPECT_LE(looks() - before, 4u) << "also after a start";
  EXPECT_EQ(next.latest()->size(), 200u);
  EXPECT_EQ(node_.restore().lsn("s7"), 5u);
  EXPECT_EQ(node_.restore().lsn("s8"), 6u);
  EXPECT_EQ(node_.restore().lsn("s9"), 4u);
  EXPECT_TRUE(node_.manager().check()->faults.empty());
}

TEST_F(KnownSet, IsWhatAFreshLookFinds) {
  create_all(many_series(20), 4);
  ++node_.clock.now;
  create_one("s7", 5);
  create_one("new", 6);
  ++node_.clock.now;
  create_all(many_series(5), 7);
  create_one("s2", 8);
  const auto files_of = [](Result<std::vector<Meta>> metas) {
    std::vector<std::string> files;
    for (const Meta& meta : *metas) files.push_back(meta.file + std::to_string(meta.last_lsn.value));
    std::sort(files.begin(), files.end());
    return files;
  };
  EXPECT_EQ(files_of(manager_.list()), files_of(node_.manager().list()));
  EXPECT_EQ(files_of(manager_.latest()), files_of(node_.manager().latest()));
  EXPECT_EQ(manager_.file_count(), node_.manager().file_count());
  EXPECT_EQ((*manager_.exactly_once_meta())->last_lsn, (*node_.manager().exactly_once_meta())->last_lsn);
  EXPECT_TRUE(node_.restore()->warnings.empty());
}

TEST_F(KnownSet, SmallFilesAreSyncedSideBySide) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t waiting = 0;
  bool met = false;
  bool alone = false;
  node_.files->before_sync([&] {
    std::unique_lock lock(mutex);
    met |= ++waiting == kFilesAtATime;
    changed.notify_all();
    // Were there only one at a time, it would never see the others.
    alone |= !changed.wait_for(lock, std::chrono::seconds(20), [&] { return met || alone; });
    --waiting;
  });
  create_all(many_series(100), 4);
  EXPECT_TRUE(met);
  EXPECT_EQ(node_.restore().content.size(), 100u);
}

TEST_F(KnownSet, AFailureAmongManyLeavesTheOldSet) {
  create_all(many_series(100), 4);
  for (const Operation operation : {Operation::create, Operation::write, Operation::sync, Operation::rename}) {
    node_.files->fail({.operation = operation, .nth = 50});
    Content changed = many_series(100);
    changed["s1"][1][20260101] = 99;
    const auto store = store_of(changed);
    const bool created = manager_.create_all(freeze(*store, Lsn{5})).ok();
    EXPECT_FALSE(created);
    node_.files->heal();
    EXPECT_EQ(node_.restore().content, operation == Operation::rename ? changed : many_series(100));
    create_all(many_series(100), 6);
    EXPECT_EQ(node_.restore().content, many_series(100));
    for (const std::string& name : node_.names()) EXPECT_FALSE(name.ends_with(".new")) << name;
  }
}

TEST_F(KnownSet, ANameIsNotUsedAgainAfterADrop) {
  create_all({{"kept", {{1, {{20260101, 1}}}}}, {"x", {{1, {{20260101, 1}}}}}}, 4);
  std::set<std::string> used;
  for (const std::string& file : node_.trees()) used.insert(file);
  create_all({{"kept", {{1, {{20260101, 1}}}}}}, 5);
  create_all({{"kept", {{1, {{20260101, 1}}}}}}, 6);
  create_all({{"kept", {{1, {{20260101, 1}}}}}, {"x", {{1, {{20260101, 2}}}}}}, 7);
  const Result<std::vector<Meta>> latest = manager_.latest();
  for (const Meta& meta : *latest) EXPECT_FALSE(used.contains(meta.file)) << meta.file;
}

TEST_F(KnownSet, AFileOfOthersIsNeverOverwritten) {
  create_all(many_series(2), 4);
  const std::string foreign = std::to_string(node_.clock.now + 1) + "_s1.tree";
  node_.write(foreign, "not ours");
  const std::string file = create_one("s1", 5);
  EXPECT_NE(file, foreign);
  EXPECT_EQ(node_.text(foreign), "not ours");
  create_all(many_series(2), 6);
  EXPECT_EQ(node_.text(foreign), "not ours");
}

TEST_F(KnownSet, FilesThatOthersPutThereOrTakeAwayAreNoticed) {
  create_all(many_series(2), 4);
  const std::string old = node_.write_as_1_0("s1", {{"s1", {{9, {{20260101, 9}}}}}}, 1600000000, 2);
  EXPECT_EQ(listed().size(), 3u);
  EXPECT_EQ(manager_.meta(old)->last_lsn, Lsn{2});
  Result<store::Series> content = manager_.load(old, store::Series(1));
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->total(Key{9}), 9u);
  create_all(many_series(2), 5);
  EXPECT_EQ(listed().size(), 5u);
  EXPECT_EQ(node_.restore().content, many_series(2));
  node_.erase(old);
  node_.erase(old + ".meta.json");
  EXPECT_EQ(listed().size(), 4u);
  EXPECT_EQ(manager_.meta(old).error().code, ErrorCode::not_found);
  EXPECT_EQ(manager_.meta("17_nosuch.tree").error().code, ErrorCode::not_found);
}

TEST_F(KnownSet, ADirectoryThatWasEmptiedGetsAWholeSet) {
  create_all(many_series(3), 4);
  for (const std::string& name : node_.names()) node_.erase(name);
  create_all(many_series(3), 5);
  EXPECT_EQ(node_.restore().content, many_series(3));
  EXPECT_TRUE(node_.manager().check()->faults.empty());
}

TEST_F(KnownSet, APieceOfTheExactlyOnceIsReadAlone) {
  create_all(many_series(3), 4);
  std::uint64_t before = looks();
  ASSERT_TRUE((*manager_.exactly_once_meta()).has_value());
  ASSERT_TRUE(manager_.read(std::string(kExactlyOnceName), 2, 5).ok());
  EXPECT_EQ(looks() - before, 2u) << "one open, one read";
  node_.erase(kManifestName);  // as in a directory of Karma 1.0
  Manager next = node_.manager();
  ASSERT_TRUE((*next.exactly_once_meta()).has_value());
  before = looks();
  ASSERT_TRUE((*next.exactly_once_meta()).has_value());
  EXPECT_EQ(looks(), before);
}

TEST_F(KnownSet, AnExactlyOnceStateThatCannotBeReadIsAnErrorAndNotGuessedAt) {
  node_.write(kExactlyOnceName, R"({"records":[],"committed_streams":[]})");
  node_.files->fail({.operation = Operation::open,
                     .count = test::CrashableFileSystem::kForEver,
                     .name = std::string(kExactlyOnceName),
                     .text = "Permission denied"});
  const Result<std::optional<ExactlyOnceMeta>> meta = node_.manager().exactly_once_meta();
  ASSERT_FALSE(meta.ok());
  EXPECT_NE(meta.error().message.find("karma.idempotency.json"), std::string::npos);
}

}  // namespace
}  // namespace karma::snapshot
