// The inputs that are kept, played without a fuzzer: seeds, and what was once found.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "commands/catalog.h"
#include "fuzz/targets.h"

namespace karma::test::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs_of(std::string_view target) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(fs::path(KARMA_TESTS_DIRECTORY) / "fuzz/corpus" / target))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, ShowsNoFault) {
  const std::vector<fs::path> inputs = inputs_of(GetParam().name);
  EXPECT_FALSE(inputs.empty());
  for (const fs::path& input : inputs) EXPECT_EQ(GetParam().fault_of(read(input)), "") << input;
}

INSTANTIATE_TEST_SUITE_P(Each, FuzzCorpus, testing::ValuesIn(kTargets),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(FuzzSeeds, HoldEveryOp) {
  std::string all;
  for (const fs::path& input : inputs_of("requests")) all += read(input);
  for (const commands::Op& op : commands::catalog())
    EXPECT_NE(all.find('"' + std::string(op.name) + '"'), all.npos) << op.name << " is in no seed";
}

}  // namespace
}  // namespace karma::test::fuzz
