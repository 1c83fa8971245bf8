// A clean stop: what it writes, and when there is nothing to write.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

// Except the history, to which a start may add.
std::map<std::string, std::string> all_files(CrashableFileSystem& files) {
  std::map<std::string, std::string> found;
  for (const std::string& name : names(files)) found[name] = files.content(in_directory(name)).value_or("");
  found.erase("karma.history.json");
  return found;
}

const std::string kWrite = R"(,"series":"s","key":1,"bucket":20260505)";

class Stop : public testing::Test {
 protected:
  void SetUp() override {
    node_.open();
    node_.expect("counter.increment", kWrite);
    node_.close(true);
    first_ = all_files(*node_.files);
    ASSERT_TRUE(first_.contains("karma.manifest.json"));
    node_.clock.advance(3600);
    node_.open();
  }
  // Whether it wrote snapshots; after it the files hold all either way.
  bool writes_snapshots() {
    const std::string live = node_.live_content();
    node_.close(true);
    EXPECT_EQ(content(*node_.files), live);
    EXPECT_TRUE(check(*node_.files).starts_with("0 ok: ")) << check(*node_.files);
    EXPECT_EQ(node_.files->content(in_directory("karma.wal")), "") << "Karma 1.0 would count it again";
    return all_files(*node_.files)["karma.manifest.json"] != first_["karma.manifest.json"];
  }

  Node node_;
  std::map<std::string, std::string> first_;
};

TEST_F(Stop, WithoutAWriteSinceTheLastSnapshotChangesNothing) {
  node_.expect("counter.sum", R"(,"series":"s","key":1)");
  EXPECT_FALSE(writes_snapshots());
  EXPECT_EQ(all_files(*node_.files), first_);
  node_.open();
  node_.expect("counter.increment", kWrite);
  EXPECT_TRUE(writes_snapshots()) << "the next one counts";
}

TEST_F(Stop, AfterAWriteTakesSnapshots) {
  node_.expect("counter.increment", kWrite);
  EXPECT_TRUE(writes_snapshots());
}

TEST_F(Stop, AfterASnapshotOfEverythingNeedsNoOther) {
  node_.expect("counter.increment", kWrite);
  node_.expect("snapshot.create_all");
  const std::string manifest = *node_.files->content(in_directory("karma.manifest.json"));
  EXPECT_TRUE(writes_snapshots());
  EXPECT_EQ(*node_.files->content(in_directory("karma.manifest.json")), manifest) << "the one before the stop";
}

TEST_F(Stop, AfterASnapshotOfOneSeriesTakesTheOthers) {
  node_.expect("counter.increment", R"(,"series":"other","key":1,"bucket":20260505)");
  node_.expect("snapshot.create", R"(,"series":"s")");
  EXPECT_TRUE(writes_snapshots());
}

TEST_F(Stop, WithoutALogAlwaysTakesSnapshots) {
  node_.close();
  node_.config.wal = false;
  node_.open();
  node_.expect("counter.increment", kWrite);
  EXPECT_TRUE(writes_snapshots());
}

TEST_F(Stop, AfterAStartThatGaveSomethingUpTakesSnapshots) {
  node_.close();
  std::string log = *node_.files->content(in_directory("karma.manifest.json"));
  node_.files->edit(in_directory("karma.manifest.json"), log + "x");
  node_.config.recover = {"karma.manifest.json"};
  node_.open();
  EXPECT_TRUE(writes_snapshots());
}

}  // namespace
}  // namespace karma::test
