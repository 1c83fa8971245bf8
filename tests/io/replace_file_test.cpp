#include "io/replace_file.h"

#include <gtest/gtest.h>

#include "support/crashable_file_system.h"

namespace karma {
namespace {

using test::CrashableFileSystem;
using Operation = CrashableFileSystem::Operation;
using Unsynced = CrashableFileSystem::Unsynced;

const std::string kOld = "the old content";
const std::string kNew = "the new content, which is longer";

TEST(ReplaceFile, IsDurableWhenItReturns) {
  CrashableFileSystem files;
  files.edit("d/state", kOld);
  ASSERT_TRUE(replace_file(files, "d", "state", kNew).ok());
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content("d/state"), kNew);
}

TEST(ReplaceFile, LeavesOldOrNewAtACrashAtAnyMoment) {
  bool finished = false;
  for (std::uint64_t at = 1; !finished; ++at) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CrashableFileSystem files;
      files.edit("d/state", kOld);
      files.power_off_at(at, seed);
      const bool done = replace_file(files, "d", "state", kNew).ok();
      finished = !files.power_is_off();
      ASSERT_EQ(done, finished);
      for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
        const auto disk = files.after_crash(unsynced, seed);
        const auto content = disk->content("d/state");
        ASSERT_TRUE(content == kNew || (content == kOld && !done)) << "operation " << at << ": " << *content;
        ASSERT_TRUE(remove_temp_files(*disk, "d").ok());
        ASSERT_EQ(disk->list("d")->size(), 1u);
      }
    }
  }
}

TEST(ReplaceFile, KeepsTheOldContentAndNoTempFileWhenAnythingFails) {
  for (const Operation operation : {Operation::create, Operation::write, Operation::sync, Operation::rename}) {
    CrashableFileSystem files;
    files.edit("d/state", kOld);
    files.fail({.operation = operation, .written = 3});
    EXPECT_FALSE(replace_file(files, "d", "state", kNew).ok());
    EXPECT_EQ(files.content("d/state"), kOld);
    EXPECT_EQ(files.list("d")->size(), 1u) << static_cast<int>(operation);
  }
}

TEST(ReplaceFile, ReportsAFailedSyncOfTheDirectory) {
  CrashableFileSystem files;
  files.fail({.operation = Operation::sync_directory});
  EXPECT_FALSE(replace_file(files, "d", "state", kNew).ok());
}

TEST(ReplaceFile, TakesLargeContentInPieces) {
  CrashableFileSystem files;
  std::string expected;
  auto replace = ReplaceFile::create(files, "d", "big");
  ASSERT_TRUE(replace.ok());
  for (const std::size_t length : {10u, 1000000u, 100000u, 3000000u, 7u}) {
    const std::string piece(length, static_cast<char>('a' + length % 26));
    expected += piece;
    ASSERT_TRUE((*replace)->append(piece).ok());
    EXPECT_EQ((*replace)->size(), expected.size());
  }
  EXPECT_FALSE(files.exists("d/big"));
  ASSERT_TRUE((*replace)->commit().ok());
  EXPECT_EQ(files.content("d/big"), expected);
}

TEST(ReplaceFile, CannotBeFinishedAfterAFailedWrite) {
  CrashableFileSystem files;
  files.fail({.operation = Operation::write});
  auto replace = ReplaceFile::create(files, "d", "big");
  ASSERT_TRUE(replace.ok());
  EXPECT_FALSE((*replace)->append(std::string(2 << 20, 'x')).ok());
  EXPECT_FALSE((*replace)->append("y").ok());
  EXPECT_FALSE((*replace)->commit().ok());
  replace->reset();
  EXPECT_TRUE(files.list("d")->empty());
}

TEST(TempFiles, AreKnownByTheirNames) {
  EXPECT_TRUE(is_temp_file_name(".karma.wal.lsn.123.0123456789abcdef.tmp"));
  EXPECT_TRUE(is_temp_file_name(".x.1.0123456789abcdef.tmp"));
  for (const char* name : {"karma.wal.lsn.123.0123456789abcdef.tmp", ".x.1.0123456789abcde.tmp", ".x.1.tmp", ".tmp",
                           ".", ".x.1.0123456789ABCDEF.tmp", ".x.y.0123456789abcdef.tmp", ".x..0123456789abcdef.tmp",
                           "..1.0123456789abcdef.tmp", ".x.1.0123456789abcdef.tmpx", ".1.0123456789abcdef.tmp"}) {
    EXPECT_FALSE(is_temp_file_name(name)) << name;
  }
}

TEST(TempFiles, AreRemovedAndNothingElse) {
  CrashableFileSystem files;
  files.edit("d/.x.1.0123456789abcdef.tmp", "");
  files.edit("d/.x.tmp", "");
  files.edit("d/karma.wal", "");
  ASSERT_TRUE(remove_temp_files(files, "d").ok());
  EXPECT_EQ(*files.list("d"), (std::vector<std::string>{".x.tmp", "karma.wal"}));
}

}  // namespace
}  // namespace karma
