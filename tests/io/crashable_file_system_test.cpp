// The file system of the tests: its faults are those of a disk.
#include "support/crashable_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/replace_file.h"

namespace karma::test {
namespace {

using Operation = CrashableFileSystem::Operation;
using Unsynced = CrashableFileSystem::Unsynced;
using Open = FileSystem::Open;

// One call of each kind; the errors of those that failed.
std::vector<std::string> one_call_each(CrashableFileSystem& files) {
  std::vector<std::string> errors;
  const auto note = [&](const auto& result) {
    if (!result) errors.push_back(result.error().message);
  };
  note(files.create_directories("data"));
  note(files.lock("data/lock"));
  note(files.list("data"));
  if (files.exists("data/none")) errors.emplace_back("exists");
  auto file = files.open("data/a", Open::write);
  note(file);
  if (file) {
    char byte;
    note((*file)->write_at(0, "x"));
    note((*file)->sync());
    note((*file)->size());
    note((*file)->read_at(0, &byte, 1));
    note((*file)->truncate(0));
  }
  note(files.open("data/there", Open::read));
  note(files.rename("data/there", "data/b"));
  note(files.remove("data/b"));
  note(files.sync_directory("data"));
  return errors;
}

TEST(CrashableFiles, EveryCallCanFailByItsNumber) {
  CrashableFileSystem healthy;
  healthy.edit("data/there", "");
  EXPECT_TRUE(one_call_each(healthy).empty());
  for (const char* error : {"Too many open files", "Input/output error"}) {
    for (std::uint64_t nth = 1; nth <= healthy.calls(); ++nth) {
      CrashableFileSystem files;
      files.edit("data/there", "");
      files.fail_call(nth, error);
      const std::vector<std::string> errors = one_call_each(files);
      ASSERT_FALSE(errors.empty()) << nth;
      EXPECT_TRUE(errors.front() == "exists" || errors.front().ends_with(error)) << errors.front();
    }
  }
  for (std::size_t i = 0; i < CrashableFileSystem::kOperationCount; ++i) {
    if (static_cast<Operation>(i) == Operation::create_directory) continue;  // the directory was there
    EXPECT_GT(healthy.count(static_cast<Operation>(i)), 0u) << i;
  }
}

TEST(CrashableFiles, EveryCallCanBeHeldUp) {
  CrashableFileSystem files;
  files.edit("data/there", "");
  std::vector<Operation> seen;
  files.before_call([&](Operation operation, const std::string&) { seen.push_back(operation); });
  EXPECT_TRUE(one_call_each(files).empty());
  EXPECT_EQ(seen.size(), files.calls());
}

TEST(CrashableFiles, ADirectoryThatIsLostTakesItsFilesAlong) {
  CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories("a/b").ok());
  EXPECT_EQ(files.count(Operation::create_directory), 2u);
  EXPECT_EQ(files.count(Operation::sync_directory), 2u);
  ASSERT_TRUE(replace_file(files, "a/b", "c", "kept").ok());
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content("a/b/c"), "kept");

  CrashableFileSystem killed;
  killed.fail({.operation = Operation::sync_directory});  // or the process ends after the creation
  ASSERT_FALSE(killed.create_directories("a").ok());
  ASSERT_TRUE(replace_file(killed, "a", "c", "there").ok());
  EXPECT_EQ(killed.content("a/c"), "there");
  EXPECT_EQ(killed.after_crash(Unsynced::lost)->content("a/c"), std::nullopt);
  ASSERT_TRUE(killed.create_directories("a").ok()) << "makes up for it";
  EXPECT_EQ(killed.after_crash(Unsynced::lost)->content("a/c"), "there");
}

TEST(CrashableFiles, AKilledProcessLeavesWhatItWroteAndNoLock) {
  CrashableFileSystem files;
  const auto lock = files.lock("lock");
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE((*files.open("a", Open::write))->write_at(0, "x").ok());
  files.power_off_at(1);
  ASSERT_FALSE(replace_file(files, ".", "b", "y").ok());
  EXPECT_FALSE(files.list(".").ok());
  files.power_on();
  EXPECT_TRUE(files.lock("lock").ok());
  EXPECT_EQ(files.content("a"), "x");
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content("a"), std::nullopt);
}

}  // namespace
}  // namespace karma::test
