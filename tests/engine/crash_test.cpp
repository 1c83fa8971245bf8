// Power cuts at every single operation that changes the disk, in a life with pipelines, rotation and snapshots, and
// once more during the recovery from the first: what was acknowledged is there, what was not is there up to some entry
// and in order, nothing is there twice, and LSNs never go back.
#include <gtest/gtest.h>

#include "engine/crash_script.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

class EngineCrash : public testing::TestWithParam<int> {
 protected:
  // False: the script came to its end before the `nth` operation.
  bool cut_at(std::uint64_t nth) {
    SCOPED_TRACE("power off at operation " + std::to_string(nth));
    Node node;
    node.config = Script::config(GetParam());
    node.files->power_off_at(nth, seed_ + nth);
    const std::uint64_t acknowledged = live(node, script_);
    const bool reached = node.files->power_is_off();
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
      SCOPED_TRACE("unsynced " + std::to_string(static_cast<int>(unsynced)));
      expect_recovered(*node.after_crash(unsynced, seed_ + nth), script_, acknowledged);
      if (HasFailure()) return false;
    }
    EXPECT_TRUE(reached || acknowledged + 1 == script_.contents().size());
    // A second cut costs as many starts as a start has operations: a third of the first cuts gets them, by the seed.
    if (nth % 3 == seed_ % 3) cut_recovery(node, nth, acknowledged);
    return reached;
  }

  void cut_recovery(const Node& first, std::uint64_t nth, std::uint64_t acknowledged) {
    bool reached = true;
    for (std::uint64_t again = 1; reached && !HasFailure(); ++again) {
      SCOPED_TRACE("and at operation " + std::to_string(again) + " of the next start");
      const auto second = first.after_crash(Unsynced::some, seed_ + nth);
      second->files->power_off_at(again, seed_ + again);
      (void)second->try_open();
      second->close();
      reached = second->files->power_is_off();
      expect_recovered(*second->after_crash(Unsynced::some, seed_ + again), script_, acknowledged);
    }
  }

  const std::uint64_t seed_ = test_seed();
  const Script script_{seed_};
};

INSTANTIATE_TEST_SUITE_P(PreallocatedBytes, EngineCrash, testing::Values(0, 400));

TEST_P(EngineCrash, AtEveryOperationKeepsWhatWasAcknowledged) {
  SCOPED_TRACE(seed_text(seed_));
  std::uint64_t operations = 1;
  while (cut_at(operations) && !HasFailure()) ++operations;
  EXPECT_GT(operations, 60u) << "the script does too little";
}

// With --wal-fsync=false only a dying process is survived, but that exactly.
TEST_P(EngineCrash, WithoutFsyncNothingWrittenIsLostByAKilledProcess) {
  SCOPED_TRACE(seed_text(seed_));
  Node node;
  node.config = Script::config(GetParam());
  node.config.wal_fsync = false;
  const std::uint64_t acknowledged = live(node, script_);
  EXPECT_EQ(node.files->count(CrashableFileSystem::Operation::write) > 0, true);
  expect_recovered(*node.after_crash(Unsynced::kept), script_, acknowledged);
}

TEST(EngineStart, RemovesWhatACrashLeftOfReplacements) {
  Node node;
  node.files->edit(in_directory(".karma.wal.lsn.123.0123456789abcdef.tmp"), "5");
  node.files->edit(in_directory("notes.txt"), "not ours");
  node.open();
  node.expect("counter.increment", R"(,"series":"s","key":1)");
  const std::vector<std::string> left = names(*node.files);
  EXPECT_EQ(std::count_if(left.begin(), left.end(), [](const auto& name) { return name.ends_with(".tmp"); }), 0);
  EXPECT_TRUE(node.files->content(in_directory("notes.txt"))) << "files of others are left alone";
}

TEST(EngineStart, OneNodePerDirectory) {
  Node node;
  node.open();
  Result<std::unique_ptr<Engine>> second = Engine::open(node.config, *node.files, node.clock);
  EXPECT_FALSE(second.ok());
  node.reopen();
  const auto crashed = node.after_crash(Unsynced::kept);
  EXPECT_EQ(crashed->try_open(), "") << "the lock of a dead process keeps nobody out";
}

}  // namespace
}  // namespace karma::test
