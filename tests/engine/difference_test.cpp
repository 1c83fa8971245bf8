// What a slave remembers of a difference.
#include "engine/difference.h"

#include <gtest/gtest.h>

#include "io/replace_file.h"
#include "support/crashable_file_system.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

TEST(Difference, IsReadAsItWasWritten) {
  test::CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories(test::kDirectory).ok());
  EXPECT_FALSE(read_difference(files, test::kDirectory).has_value());
  const Difference written{.what = "series 'a\"b\n'", .keep_as = "diverged-unknown-7"};
  ASSERT_TRUE(write_difference(files, test::kDirectory, written).ok());
  const std::optional<Difference> read = read_difference(files, test::kDirectory);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->what, written.what);
  EXPECT_EQ(read->keep_as, written.keep_as);
  ASSERT_TRUE(forget_difference(files, test::kDirectory).ok());
  EXPECT_FALSE(read_difference(files, test::kDirectory).has_value());
  EXPECT_TRUE(forget_difference(files, test::kDirectory).ok());
}

TEST(Difference, IsNotForgottenWhereItsFileIsDamaged) {
  test::CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories(test::kDirectory).ok());
  ASSERT_TRUE(write_difference(files, test::kDirectory, {.what = "w", .keep_as = ""}).ok());
  const std::string path = test::in_directory(kDifferenceName);
  std::string text = *read_file(files, path);
  ++text[text.size() / 2];
  files.edit(path, text);
  const std::optional<Difference> read = read_difference(files, test::kDirectory);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->what, "karma.difference.json is damaged");
  EXPECT_FALSE(read->keep_as.has_value());
}

}  // namespace
}  // namespace karma::engine
