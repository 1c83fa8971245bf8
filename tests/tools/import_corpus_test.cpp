// The files of tests/data/import, as cases.txt there says.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tools/input_file.h"
#include "tools/points_text.h"

namespace karma::tools {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(KARMA_TESTS_DIRECTORY) / "data/import";

struct Case {
  std::string file;
  std::string options;
  std::string expected;
};

// How a failure shows it.
void PrintTo(const Case& one, std::ostream* out) { *out << one.file << " " << one.options; }

std::vector<Case> cases() {
  std::vector<Case> all;
  std::ifstream lines(kFolder / "cases.txt");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    all.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return all;
}

PointsOptions options_of(const std::string& text) {
  PointsOptions options;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::string name = word.substr(0, word.find('='));
    const std::string value = word.substr(name.size() + 1);
    if (name == "--key-column") options.key_column = value;
    if (name == "--bucket-column") options.bucket_column = value;
    if (name == "--value-column") options.value_column = value;
    if (name == "--time-zone") options.time_zone = TimeZone::of(value);
  }
  return options;
}

// The points; or "!" and the first error, which begins with the number of its line.
std::string found_in(const Case& wanted) {
  const Result<std::unique_ptr<File>> file = open_input(kFolder / wanted.file, [](const std::string&) {});
  if (!file) return "!" + file.error().message;
  PointsReader reader(options_of(wanted.options), "links");
  std::string points;
  const Result<Sha256Digest> read =
      for_each_item(**file, reader, [&](std::uint64_t line, const Result<Item>& item) -> Status {
        if (!item) return validation_error(std::to_string(line) + ": " + item.error().message);
        points += (points.empty() ? "" : " ") + std::to_string(item->key.value) + "/" +
                  std::to_string(item->bucket.number()) + "/" + std::to_string(item->value);
        return {};
      });
  return read ? points : "!" + read.error().message;
}

class ImportCorpus : public testing::TestWithParam<Case> {};

TEST_P(ImportCorpus, ReadsAsTheTableSays) {
  const Case& wanted = GetParam();
  const std::string found = found_in(wanted);
  if (!wanted.expected.starts_with('!')) {
    EXPECT_EQ(found, wanted.expected) << wanted.file;
    return;
  }
  const std::string part = wanted.expected.substr(1);
  ASSERT_TRUE(found.starts_with('!')) << wanted.file << " reads as " << found;
  const bool with_line = part.find(": ") != std::string::npos && part[0] >= '0' && part[0] <= '9';
  EXPECT_EQ(found.find(part) != std::string::npos && (!with_line || found.starts_with("!" + part)), true)
      << wanted.file << ": " << found << "\nwanted: " << part;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = std::to_string(info.index) + "_";
  for (const char c : info.param.file) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, ImportCorpus, testing::ValuesIn(cases()), name_of);

TEST(ImportCorpusTable, EachFileIsInTheTable) {
  std::set<std::string> listed{"cases.txt"};
  for (const Case& one : cases()) listed.insert(one.file);
  std::set<std::string> there;
  for (const fs::directory_entry& entry : fs::directory_iterator(kFolder)) there.insert(entry.path().filename());
  EXPECT_EQ(there, listed);
  EXPECT_GE(there.size(), 41u);
}

}  // namespace
}  // namespace karma::tools
