#include "snapshot/adoption.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/crashable_file_system.h"

namespace karma::snapshot {
namespace {

using test::CrashableFileSystem;

constexpr const char* kDirectory = "data";

std::unique_ptr<CrashableFileSystem> prepared(std::string_view keep_as) {
  auto files = std::make_unique<CrashableFileSystem>();
  EXPECT_TRUE(files->create_directories(kDirectory).ok());
  for (const char* name : {"karma.lock", "karma.wal", "1_s.tree", "karma.manifest.json", "token"})
    files->edit(std::string(kDirectory) + "/" + name, "old");
  const Result<std::string> staging = begin_bootstrap(*files, kDirectory);
  EXPECT_TRUE(staging.ok());
  for (const char* name : {"karma.wal", "2_s.tree", "2_t.tree"}) files->edit(*staging + "/" + name, "new");
  EXPECT_FALSE(has_complete_bootstrap(*files, kDirectory));
  EXPECT_TRUE(complete_bootstrap(*files, kDirectory, keep_as).ok());
  EXPECT_TRUE(has_complete_bootstrap(*files, kDirectory));
  return files;
}

std::map<std::string, std::string> content(CrashableFileSystem& files, const std::string& directory) {
  std::map<std::string, std::string> found;
  const Result<std::vector<std::string>> names = files.list(directory);
  EXPECT_TRUE(names.ok());
  for (const std::string& name : *names) found[name] = *files.content(directory + "/" + name);
  return found;
}

const std::map<std::string, std::string> kNew = {
    {"karma.lock", "old"}, {"token", "old"}, {"karma.wal", "new"}, {"2_s.tree", "new"}, {"2_t.tree", "new"}};
const std::map<std::string, std::string> kKept = {
    {"karma.wal", "old"}, {"1_s.tree", "old"}, {"karma.manifest.json", "old"}};

TEST(Adoption, WithoutACompleteCopyNothingHappens) {
  CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories(kDirectory).ok());
  files.edit(std::string(kDirectory) + "/karma.wal", "old");
  const Result<std::string> staging = begin_bootstrap(files, kDirectory);
  ASSERT_TRUE(staging.ok());
  files.edit(*staging + "/karma.wal", "half");
  const Result<bool> adopted = adopt_bootstrap(files, kDirectory);
  ASSERT_TRUE(adopted.ok());
  EXPECT_FALSE(*adopted);
  EXPECT_EQ(files.content(std::string(kDirectory) + "/karma.wal"), "old");
  ASSERT_TRUE(begin_bootstrap(files, kDirectory).ok());
  EXPECT_TRUE(content(files, *staging).empty()) << "the next one begins anew";
}

TEST(Adoption, ACompleteCopyIsNotBegunAnew) {
  const auto files = prepared({});
  EXPECT_FALSE(begin_bootstrap(*files, kDirectory).ok());
  ASSERT_TRUE(adopt_bootstrap(*files, kDirectory).ok());
  EXPECT_TRUE(begin_bootstrap(*files, kDirectory).ok());
}

// Wherever the power fails, the next start finishes; between, the marker says that the new files count.
TEST(Adoption, ACrashAtEachCallLeavesTheOldDataOrTheNew) {
  for (const std::string& keep_as : std::vector<std::string>{"", "diverged-1"}) {
    for (std::uint64_t call = 1, ended = 0; ended == 0; ++call) {
      for (const auto unsynced : {CrashableFileSystem::Unsynced::lost, CrashableFileSystem::Unsynced::kept,
                                  CrashableFileSystem::Unsynced::some}) {
        SCOPED_TRACE("call " + std::to_string(call) + " keep_as " + keep_as);
        auto files = prepared(keep_as);
        files->power_off_at(call, call);
        if (adopt_bootstrap(*files, kDirectory).ok()) ended = call;
        auto left = files->after_crash(unsynced, call);
        ASSERT_TRUE(adopt_bootstrap(*left, kDirectory).ok());
        EXPECT_EQ(content(*left, kDirectory), kNew);
        EXPECT_FALSE(has_complete_bootstrap(*left, kDirectory));
        if (!keep_as.empty()) {
          EXPECT_EQ(content(*left, std::string(kDirectory) + "/" + keep_as), kKept);
        }
      }
    }
  }
}

TEST(Adoption, EachFailingCallCanBeRepeated) {
  for (std::uint64_t call = 1, ended = 0; ended == 0; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    auto files = prepared("diverged-1");
    files->fail_call(call, "Input/output error");
    const Result<bool> adopted = adopt_bootstrap(*files, kDirectory);
    files->heal();
    if (adopted.ok() && *adopted) ended = call;
    ASSERT_TRUE(adopt_bootstrap(*files, kDirectory).ok());
    EXPECT_EQ(content(*files, kDirectory), kNew);
    EXPECT_EQ(content(*files, std::string(kDirectory) + "/diverged-1"), kKept);
  }
}

}  // namespace
}  // namespace karma::snapshot
