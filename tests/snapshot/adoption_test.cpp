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

const std::string kEpoch(32, 'a');
std::string copy(std::string_view rest) { return "diverged-" + kEpoch + "-" + std::string(rest); }

std::vector<std::string> directories(CrashableFileSystem& files) {
  const Result<std::vector<std::string>> names = files.list_directories(kDirectory);
  EXPECT_TRUE(names.ok());
  return *names;
}

TEST(Adoption, ADivergedCopyIsNamedAfterItsLastEntry) {
  CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories(kDirectory).ok());
  EXPECT_EQ(diverged_name(files, kDirectory, kEpoch, Lsn{12}), copy("12"));
  ASSERT_TRUE(files.create_directories(std::string(kDirectory) + "/" + copy("12")).ok());
  EXPECT_EQ(diverged_name(files, kDirectory, kEpoch, Lsn{12}), copy("12-2")) << "never into another one";
  EXPECT_EQ(diverged_name(files, kDirectory, "", Lsn{7}), "diverged-unknown-7");
  EXPECT_EQ(lsn_of_diverged(copy("12")), Lsn{12});
  EXPECT_EQ(lsn_of_diverged(copy("12-2")), Lsn{12});
  EXPECT_EQ(lsn_of_diverged("diverged-unknown-7"), Lsn{7});
  EXPECT_TRUE(tells_epoch(copy("12-2")));
  EXPECT_FALSE(tells_epoch("diverged-unknown-7"));
  for (const std::string& name : {copy(""), copy("x"), copy("12-"), copy("12-keep"), std::string("diverged-1"),
                                  std::string("diverged-mine"), std::string("diverged-mine-12"), std::string("data")})
    EXPECT_EQ(lsn_of_diverged(name), std::nullopt) << name;
  EXPECT_FALSE(tells_epoch("")) << "nothing is kept";
}

// A file for the earlier copy, which a later one replaces.
std::unique_ptr<CrashableFileSystem> with_an_earlier_copy(std::string_view keep_as) {
  auto files = prepared(keep_as);
  files->edit(std::string(kDirectory) + "/" + copy("5") + "/karma.wal", "older");
  files->edit(std::string(kDirectory) + "/" + copy("5") + "/notes", "of people");
  files->edit(std::string(kDirectory) + "/diverged-keep/karma.wal", "renamed by people");
  return files;
}

TEST(Adoption, ADivergedCopyStaysUntilALaterOneHasTakenItsPlace) {
  const auto nothing_kept = with_an_earlier_copy({});
  ASSERT_TRUE(adopt_bootstrap(*nothing_kept, kDirectory).ok());
  EXPECT_EQ(content(*nothing_kept, std::string(kDirectory) + "/" + copy("5")).size(), 2U);
  // At every moment at least one is there, and in the end it is the later one.
  for (std::uint64_t call = 1, ended = 0; ended == 0; ++call) {
    for (const auto unsynced : {CrashableFileSystem::Unsynced::lost, CrashableFileSystem::Unsynced::kept,
                                CrashableFileSystem::Unsynced::some}) {
      SCOPED_TRACE("call " + std::to_string(call));
      auto files = with_an_earlier_copy(copy("9"));
      files->power_off_at(call, call);
      if (adopt_bootstrap(*files, kDirectory).ok()) ended = call;
      auto left = files->after_crash(unsynced, call);
      const auto later = content(*left, std::string(kDirectory) + "/" + copy("9"));
      const auto earlier = content(*left, std::string(kDirectory) + "/" + copy("5"));
      EXPECT_TRUE(later == kKept || earlier.size() == 2);
      ASSERT_TRUE(adopt_bootstrap(*left, kDirectory).ok());
      EXPECT_EQ(content(*left, kDirectory), kNew);
      EXPECT_EQ(content(*left, std::string(kDirectory) + "/" + copy("9")), kKept);
      EXPECT_EQ(directories(*left), (std::vector<std::string>{copy("9"), "diverged-keep", "karma.bootstrap"}));
    }
  }
}

TEST(Adoption, EarlierDivergedCopiesStayIfTheyAreTo) {
  const auto files = with_an_earlier_copy({});
  ASSERT_TRUE(complete_bootstrap(*files, kDirectory, copy("9"), true).ok());
  ASSERT_TRUE(adopt_bootstrap(*files, kDirectory).ok());
  EXPECT_EQ(content(*files, kDirectory), kNew);
  EXPECT_EQ(directories(*files), (std::vector<std::string>{copy("5"), copy("9"), "diverged-keep", "karma.bootstrap"}));
}

TEST(Adoption, ACopyThatIsInUseOrHoldsDirectoriesStaysAndIsTold) {
  const auto files = with_an_earlier_copy(copy("9"));
  const std::string base = std::string(kDirectory) + "/";
  files->edit(base + copy("6") + "/karma.lock", "");
  files->edit(base + copy("7") + "/more/of_people", "");
  files->edit(base + copy("7") + "/karma.wal", "");
  const auto lock = files->lock(base + copy("6") + "/karma.lock");
  ASSERT_TRUE(lock.ok());
  std::vector<std::string> told;
  ASSERT_TRUE(adopt_bootstrap(*files, kDirectory, [&](const std::string& message) { told.push_back(message); }).ok());
  EXPECT_EQ(told.size(), 2U);
  EXPECT_FALSE(files->content(base + copy("5") + "/karma.wal"));
  EXPECT_TRUE(files->content(base + copy("6") + "/karma.lock"));
  EXPECT_TRUE(files->content(base + copy("7") + "/karma.wal")) << "not a part of it";
}

}  // namespace
}  // namespace karma::snapshot
