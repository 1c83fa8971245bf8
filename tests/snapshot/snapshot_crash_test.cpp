// A crash before, inside and after every single operation on the disk, whatever of it was not synced: afterwards the
// old set is there or the new one, and the node goes on.
#include <string>

#include <gtest/gtest.h>

#include "snapshot/fixture.h"

namespace karma::snapshot {
namespace {

using test::CrashableFileSystem;

const Content kFirst = {{"a", {{1, {{20260101, 1}}}}}, {"dropped", {{2, {{20260101, 2}}}}}};
const Content kOld = {
    {"a", {{1, {{20260101, 5}}}}}, {"b", {{2, {{20260101, 6}}}}}, {"dropped", {{2, {{20260101, 3}}}}}};
const Content kNew = {{"a", {{1, {{20260101, 8}}}}}, {"b", {{2, {{20260101, 9}}}}}, {"new", {{3, {{20260101, 1}}}}}};
const Content kLast = {{"a", {{7, {{20260101, 7}}}}}};

std::unique_ptr<CrashableFileSystem> two_sets() {
  Node node(std::make_unique<CrashableFileSystem>(), 2);
  EXPECT_TRUE(node.save(kFirst, 2).ok());
  EXPECT_TRUE(node.save(kOld, 4, "{\"r\":\"old\"}").ok());
  return node.files->after_crash(CrashableFileSystem::Unsynced::kept);
}

struct After {
  Content old_content;
  Content new_content;
  std::string old_exactly_once;
  std::string new_exactly_once;
};

// The node after the crash: exactly one of the two, both before and after it tidied up, and it can go on.
void expect_old_or_new(std::unique_ptr<CrashableFileSystem> disk, const After& after, int& old_count, int& new_count) {
  Node node(std::move(disk), 2);
  auto found = node.restore();
  ASSERT_TRUE(found.ok()) << found.error();
  const bool is_new = found.content == after.new_content && found->exactly_once_json == after.new_exactly_once;
  const bool is_old = found.content == after.old_content && found->exactly_once_json == after.old_exactly_once;
  ASSERT_TRUE(is_new || is_old);
  ++(is_new ? new_count : old_count);
  EXPECT_TRUE(node.manager().check()->faults.empty());

  ASSERT_TRUE(node.manager().finish_interrupted().ok());
  for (const std::string& name : node.names()) EXPECT_FALSE(name.ends_with(".new")) << name;
  auto finished = node.restore();
  ASSERT_TRUE(finished.ok()) << finished.error();
  EXPECT_EQ(finished.content, found.content);
  EXPECT_EQ(finished->exactly_once_json, found->exactly_once_json);
  EXPECT_TRUE(finished->warnings.empty());
  EXPECT_TRUE(node.manager().check()->faults.empty());
  EXPECT_EQ(node.manager().latest()->size(), found.content.size());

  ASSERT_TRUE(node.save(kLast, 9, "{\"r\":\"last\"}").ok());
  auto last = node.restore();
  ASSERT_TRUE(last.ok()) << last.error();
  EXPECT_EQ(last.content, kLast);
}

// Plays `act` on a disk whose power goes off at its nth change, for every n.
template <class Act>
void crash_everywhere(const After& after, Act act) {
  int old_count = 0;
  int new_count = 0;
  std::uint64_t n = 1;
  for (bool off = true; off; ++n) {
    ASSERT_LT(n, 500u);
    for (const std::uint64_t seed : {1, 2, 3}) {
      Node node(two_sets(), 2);
      node.clock.now += 10;
      node.files->power_off_at(n, seed);
      act(node);
      off = node.files->power_is_off();
      for (const auto unsynced : {CrashableFileSystem::Unsynced::lost, CrashableFileSystem::Unsynced::kept,
                                  CrashableFileSystem::Unsynced::some}) {
        SCOPED_TRACE("change " + std::to_string(n) + " seed " + std::to_string(seed) + " unsynced " +
                     std::to_string(static_cast<int>(unsynced)));
        expect_old_or_new(node.files->after_crash(unsynced, seed), after, old_count, new_count);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(old_count, 0);
  EXPECT_GT(new_count, 0);
}

TEST(SnapshotCrash, OfAWholeSetLeavesTheOldOrTheNew) {
  crash_everywhere({kOld, kNew, "{\"r\":\"old\"}", "{\"r\":\"new\"}"},
                   [](Node& node) { (void)node.save(kNew, 6, "{\"r\":\"new\"}"); });
}

TEST(SnapshotCrash, OfOneSeriesLeavesTheOldOrTheNew) {
  Content changed = kOld;
  changed["a"] = kNew.at("a");
  crash_everywhere({kOld, changed, "{\"r\":\"old\"}", "{\"r\":\"old\"}"},
                   [](Node& node) { (void)node.save_one("a", kNew, 6); });
}

TEST(SnapshotCrash, WhileAnEarlierOneIsTidiedUp) {
  // A set that was committed but not renamed, and then a crash inside finish_interrupted().
  Node interrupted(two_sets(), 2);
  CrashableFileSystem::Fault fault;
  fault.operation = CrashableFileSystem::Operation::rename;
  fault.nth = 3;
  fault.count = CrashableFileSystem::kForEver;
  interrupted.files->fail(fault);
  ASSERT_FALSE(interrupted.save(kNew, 6, "{\"r\":\"new\"}").ok());
  interrupted.files->heal();
  ASSERT_EQ(interrupted.restore().content, kNew);
  int old_count = 0;
  int new_count = 0;
  bool off = true;
  for (std::uint64_t n = 1; off; ++n) {
    Node node(interrupted.files->after_crash(CrashableFileSystem::Unsynced::kept), 2);
    node.files->power_off_at(n, n);
    (void)node.manager().finish_interrupted();
    off = node.files->power_is_off();
    expect_old_or_new(node.files->after_crash(CrashableFileSystem::Unsynced::some, n),
                      {kOld, kNew, "{\"r\":\"old\"}", "{\"r\":\"new\"}"}, old_count, new_count);
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(old_count, 0);
}

TEST(SnapshotCrash, BeforeTheRenamesKarma10StillSeesTheOldSet) {
  Node node(two_sets(), 2);
  CrashableFileSystem::Fault fault;
  fault.operation = CrashableFileSystem::Operation::rename;
  fault.nth = 2;
  fault.count = CrashableFileSystem::kForEver;
  node.files->fail(fault);
  ASSERT_FALSE(node.save(kNew, 6).ok());
  node.files->heal();
  EXPECT_EQ(node.restore().content, kNew);
  node.erase(kManifestName);  // Karma 1.0 does not read it
  EXPECT_EQ(node.restore().content, kOld);
}

TEST(SnapshotCrash, EveryFailingOperationLeavesTheOldOrTheNew) {
  using Operation = CrashableFileSystem::Operation;
  for (const Operation operation : {Operation::create, Operation::write, Operation::sync, Operation::rename,
                                    Operation::remove, Operation::sync_directory}) {
    for (std::uint64_t nth = 1; nth < 30; ++nth) {
      SCOPED_TRACE("operation " + std::to_string(static_cast<int>(operation)) + " " + std::to_string(nth));
      Node node(two_sets(), 2);
      CrashableFileSystem::Fault fault;
      fault.operation = operation;
      fault.nth = nth;
      fault.written = 5;
      node.files->fail(fault);
      const bool saved = node.save(kNew, 6, "{\"r\":\"new\"}").ok();
      node.files->heal();
      auto found = node.restore();
      ASSERT_TRUE(found.ok()) << found.error();
      EXPECT_TRUE(found.content == kNew || (!saved && found.content == kOld));
      ASSERT_TRUE(node.save(kLast, 9).ok());
      EXPECT_EQ(node.restore().content, kLast);
      EXPECT_TRUE(node.manager().check()->faults.empty());
    }
  }
}

}  // namespace
}  // namespace karma::snapshot
