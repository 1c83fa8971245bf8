#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <karma/file_system.h>

#include "io/path.h"
#include "io/replace_file.h"

namespace karma {
namespace {

using Open = FileSystem::Open;

class PosixFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "karma-io-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  mode_t mode(const std::string& name) const {
    struct stat info = {};
    EXPECT_EQ(::stat(path(name).c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  FileSystem& files_ = posix_file_system();
  std::string directory_;
};

TEST_F(PosixFileSystem, ReadsBackWhatWasWritten) {
  auto file = files_.open(path("a"), Open::write);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->write_at(0, "hello").ok());
  EXPECT_TRUE((*file)->write_at(8, "you").ok());
  EXPECT_TRUE((*file)->sync().ok());
  EXPECT_EQ((*file)->size().value(), 11u);
  char bytes[16];
  EXPECT_EQ((*file)->read_at(0, bytes, sizeof bytes).value(), 11u);
  EXPECT_EQ(std::string_view(bytes, 11), std::string_view("hello\0\0\0you", 11));
  EXPECT_EQ((*file)->read_at(11, bytes, sizeof bytes).value(), 0u);
  EXPECT_TRUE((*file)->truncate(4).ok());
  EXPECT_EQ(read_file(files_, path("a")).value(), "hell");
}

TEST_F(PosixFileSystem, WhatIsStartedEarlyIsStillSynced) {
  auto file = files_.open(path("a"), Open::create_new);
  ASSERT_TRUE(file.ok());
  const std::string bytes(100000, 'x');
  ASSERT_TRUE((*file)->write_at(0, bytes).ok());
  (*file)->start_sync(0, 50000);
  (*file)->start_sync(90000, 1000000);  // a hint: also beyond the end it does no harm
  ASSERT_TRUE((*file)->write_at(bytes.size(), "end").ok());
  EXPECT_TRUE((*file)->sync().ok());
  EXPECT_EQ(read_file(files_, path("a")).value(), bytes + "end");
}

TEST_F(PosixFileSystem, OpenKeepsOrRefusesWhatExists) {
  EXPECT_FALSE(files_.open(path("a"), Open::read).ok());
  EXPECT_TRUE(files_.open(path("a"), Open::create_new).ok());
  EXPECT_EQ(mode("a") & 0077, 0u);
  EXPECT_FALSE(files_.open(path("a"), Open::create_new).ok());
  ASSERT_TRUE((*files_.open(path("a"), Open::write))->write_at(0, "x").ok());
  EXPECT_TRUE(files_.open(path("a"), Open::write).ok());
  EXPECT_EQ(read_file(files_, path("a")).value(), "x");
}

TEST_F(PosixFileSystem, ADirectoryHeldOpenIsSyncedWithoutADescriptor) {
  auto held = files_.open_directory(directory_);
  ASSERT_TRUE(held.ok());
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status by_name = files_.sync_directory(directory_);
  const Status by_descriptor = (*held)->sync();
  const bool exists = files_.exists(path("none"));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(by_descriptor.ok());
  EXPECT_FALSE(exists);
  ASSERT_FALSE(by_name.ok());
  EXPECT_NE(by_name.error().message.find("Too many open files"), std::string::npos) << by_name.error().message;
}

TEST_F(PosixFileSystem, TellsTheRoomOnTheDisk) {
  const auto space = files_.space(directory_);
  ASSERT_TRUE(space.ok()) << space.error().message;
  EXPECT_GT(space->size, 0u);
  EXPECT_LE(space->free, space->size);
  EXPECT_FALSE(files_.space(path("none")).ok());
}

TEST_F(PosixFileSystem, WhatCannotBeLookedAtMayExist) {
  EXPECT_FALSE(files_.exists(path("none")));
  EXPECT_FALSE(files_.exists(path("none/none")));
  EXPECT_TRUE(files_.exists(path(std::string(300, 'x')))) << "a name too long for an answer";
}

TEST_F(PosixFileSystem, FilesAreForTheOwnerWhateverTheUmask) {
  for (const mode_t mask : {0000, 0022, 0077, 0777}) {
    const mode_t before = ::umask(mask);
    const std::string digits = std::to_string(mask);
    EXPECT_TRUE(files_.open(path("written" + digits), Open::write).ok());
    EXPECT_TRUE(files_.open(path("new" + digits), Open::create_new).ok());
    EXPECT_TRUE(files_.lock(path("lock" + digits)).ok());
    EXPECT_TRUE(replace_file(files_, directory_, "replaced" + digits, "x").ok());
    ::umask(before);
    for (const char* name : {"written", "new", "lock", "replaced"})
      EXPECT_EQ(mode(name + digits), 0600u) << name << mask;
  }
  ASSERT_EQ(::chmod(path("new0").c_str(), 0640), 0);
  EXPECT_TRUE(files_.open(path("new0"), Open::write).ok());
  EXPECT_EQ(mode("new0"), 0640u) << "what was there keeps its mode";
}

TEST_F(PosixFileSystem, ALinkThatLeadsNowhereIsFilled) {
  ASSERT_EQ(::symlink(path("target").c_str(), path("link").c_str()), 0);
  EXPECT_TRUE(files_.open(path("link"), Open::write).ok());
  EXPECT_TRUE(files_.exists(path("target")));
}

// The limit on the size of files, as an administrator may set it: pwrite() first writes a part.
TEST_F(PosixFileSystem, AFileThatReachesItsLimitIsAnErrorOfTheWrite) {
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limited = {10, before.rlim_max};
  auto file = files_.open(path("a"), Open::write);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
  const Status wrote = (*file)->write_at(0, "hello, world");
  const Status cut = (*file)->truncate(5);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  ASSERT_FALSE(wrote.ok());
  EXPECT_EQ(wrote.error().message, "Cannot write a: File too large");
  EXPECT_TRUE(cut.ok());
  EXPECT_EQ(read_file(files_, path("a")).value(), "hello");
}

TEST_F(PosixFileSystem, ListsRegularFilesWhateverTheirNames) {
  for (const std::string name : {"*.tree", ".hidden", "a b", "[x]"})
    ASSERT_TRUE(files_.open(path(name), Open::write).ok());
  ASSERT_TRUE(files_.create_directories(path("sub/deep")).ok());
  ASSERT_EQ(::symlink(path("a b").c_str(), path("link").c_str()), 0);
  auto names = files_.list(directory_).value();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"*.tree", ".hidden", "[x]", "a b", "link"}));
  EXPECT_TRUE(files_.exists(path("sub/deep")));
}

TEST_F(PosixFileSystem, DirectoriesAreListedApartAndRemovedWhenTheyAreEmpty) {
  ASSERT_TRUE(files_.create_directories(path("d")).ok());
  ASSERT_EQ(::symlink(directory_.c_str(), path("link").c_str()), 0);
  EXPECT_EQ(files_.list_directories(directory_).value(), std::vector<std::string>{"d"});
  ASSERT_TRUE(files_.open(path("d/a"), Open::write).ok());
  EXPECT_FALSE(files_.remove_directory(path("d")).ok()) << "there is a file in it";
  ASSERT_TRUE(files_.remove(path("d/a")).ok());
  EXPECT_TRUE(files_.remove_directory(path("d")).ok());
  EXPECT_FALSE(files_.exists(path("d")));
  EXPECT_FALSE(files_.list_directories(path("d")).ok());
}

TEST_F(PosixFileSystem, ErrorsNameTheFileButNotWhereItIs) {
  for (const Error& error :
       {files_.open(path("none"), Open::read).error(), files_.rename(path("none"), path("other")).error(),
        files_.remove(path("none")).error(), files_.list(path("none")).error(),
        files_.sync_directory(path("none")).error(), files_.open(path("none/none"), Open::write).error()}) {
    EXPECT_NE(error.message.find("none"), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find('/'), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("No such file or directory"), std::string::npos) << error.message;
    EXPECT_EQ(error.code, ErrorCode::internal_error);
  }
}

TEST_F(PosixFileSystem, ALockKeepsOthersOutUntilItGoes) {
  auto lock = files_.lock(path("karma.lock"));
  ASSERT_TRUE(lock.ok());
  EXPECT_FALSE(files_.lock(path("karma.lock")).ok());
  lock->reset();
  EXPECT_TRUE(files_.lock(path("karma.lock")).ok()) << "a file that was left behind is no lock";
}

TEST_F(PosixFileSystem, AFullDiskIsAnErrorOfTheWrite) {
  auto file = files_.open("/dev/full", Open::write);
  ASSERT_TRUE(file.ok());
  const Status wrote = (*file)->write_at(0, "x");
  ASSERT_FALSE(wrote.ok());
  EXPECT_EQ(wrote.error().message, "Cannot write full: No space left on device");
}

TEST_F(PosixFileSystem, ReplacedFilesAreForTheOwnerAndLeaveNothingBehind) {
  ASSERT_TRUE(replace_file(files_, directory_, "state", "one").ok());
  ASSERT_TRUE(replace_file(files_, directory_, "state", "two").ok());
  EXPECT_EQ(read_file(files_, path("state")).value(), "two");
  EXPECT_EQ(mode("state") & 0077, 0u);
  EXPECT_EQ(files_.list(directory_).value(), std::vector<std::string>{"state"});
}

TEST(Paths, AreJoinedAndSplit) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", "b"), "./b");
  EXPECT_EQ(base_name("/x/y"), "y");
  EXPECT_EQ(base_name("y/"), "y");
  EXPECT_EQ(base_name("/"), "/");
  EXPECT_EQ(parent_path("/x/y/"), "/x");
  EXPECT_EQ(parent_path("/x"), "/");
  EXPECT_EQ(parent_path("x"), ".");
}

}  // namespace
}  // namespace karma
