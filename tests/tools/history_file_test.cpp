#include "tools/history_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace karma::tools {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

class HistoryFileTest : public testing::Test {
 protected:
  ~HistoryFileTest() override { fs::remove_all(directory_); }

  static fs::path new_directory() {
    std::string pattern = (fs::temp_directory_path() / "karma-history-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    return pattern;
  }

  const fs::path directory_ = new_directory();
  const fs::path path_ = directory_ / "history";
  const HistoryFile file_{path_.string()};
};

TEST_F(HistoryFileTest, LinesComeBackInTheirOrderAndAreForTheOwnerOnly) {
  EXPECT_TRUE(file_.load()->empty());
  EXPECT_FALSE(fs::exists(path_));
  for (const char* line : {"system.ping", "counter.sum series=s key=1"}) ASSERT_TRUE(file_.add(line).ok());
  EXPECT_EQ(*file_.load(), (std::vector<std::string>{"system.ping", "counter.sum series=s key=1"}));
  EXPECT_EQ(mode_of(path_), 0600u);
}

TEST_F(HistoryFileTest, AFileThatOthersCouldReadIsTakenFromThem) {
  std::ofstream(path_) << "a\nb\nhalf a li";
  fs::permissions(path_, static_cast<fs::perms>(0644));
  EXPECT_EQ(*file_.load(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(mode_of(path_), 0600u);
}

TEST_F(HistoryFileTest, OnlyTheLatestLinesAreKept) {
  std::ofstream out(path_);
  for (std::size_t i = 0; i <= 2 * HistoryFile::kMostLines; ++i) out << i << '\n';
  out.close();
  std::vector<std::string> lines = *file_.load();
  EXPECT_EQ(lines.size(), HistoryFile::kMostLines);
  EXPECT_EQ(lines.back(), std::to_string(2 * HistoryFile::kMostLines));
  EXPECT_EQ(*file_.load(), lines);
  std::size_t on_disk = 0;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) ++on_disk;
  EXPECT_EQ(on_disk, HistoryFile::kMostLines);
  EXPECT_EQ(mode_of(path_), 0600u);
}

TEST_F(HistoryFileTest, LinksAndDirectoriesAreRefused) {
  std::ofstream(path_) << "a\n";
  const fs::path link = directory_ / "link";
  fs::create_symlink(path_, link);
  EXPECT_FALSE(HistoryFile(link.string()).load().ok());
  EXPECT_FALSE(HistoryFile(link.string()).add("b").ok());
  EXPECT_FALSE(HistoryFile(directory_.string()).add("b").ok());
  EXPECT_EQ(*file_.load(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace karma::tools
