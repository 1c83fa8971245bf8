#include "snapshot/staged_file.h"

#include <gtest/gtest.h>

#include <string>

#include "support/crashable_file_system.h"

namespace karma::snapshot {
namespace {

TEST(StagedFile, IsOnItsWayToTheDiskBeforeItIsSynced) {
  test::CrashableFileSystem files;
  Result<StagedFile> file = StagedFile::create(files, "/d", "x");
  ASSERT_TRUE(file.ok());
  std::string all;
  for (int piece = 0; piece < 20; ++piece) {
    const std::string bytes(700'000 + piece, static_cast<char>('a' + piece));
    ASSERT_TRUE(file->append(bytes).ok());
    all += bytes;
  }
  // Each byte once, and never many at the end, for which sync() would have to wait.
  EXPECT_LE(files.started_bytes(), all.size());
  EXPECT_GT(files.started_bytes(), all.size() - 6'000'000);
  EXPECT_EQ(file->bytes(), all.size());
  EXPECT_EQ(file->crc(), crc32c(all));

  // That alone is no promise.
  const std::string path = "/d/" + staged_name("x");
  EXPECT_NE(files.after_crash(test::CrashableFileSystem::Unsynced::lost)->content(path), all);
  ASSERT_TRUE(file->sync().ok());
  ASSERT_TRUE(files.sync_directory("/d").ok());
  EXPECT_EQ(files.after_crash(test::CrashableFileSystem::Unsynced::lost)->content(path), all);
}

TEST(StagedFile, AFailedSyncIsNotHiddenByAnEarlyStart) {
  test::CrashableFileSystem files;
  Result<StagedFile> file = StagedFile::create(files, "/d", "x");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->append(std::string(9'000'000, 'x')).ok());
  EXPECT_GT(files.started_bytes(), 0u);
  files.fail({.operation = test::CrashableFileSystem::Operation::sync});
  EXPECT_FALSE(file->sync().ok());
}

}  // namespace
}  // namespace karma::snapshot
