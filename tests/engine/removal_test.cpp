// Deleting days of a whole series is acknowledged and visible at once, and its memory is gone through afterwards, while
// others write and read. Whatever happens meanwhile (reads, writes to the same counters, snapshots, a kill), the
// content is what it would be if it had been done in one step.
#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::uint64_t kKeys = 60000;  // takes dozens of steps
constexpr std::size_t kBatch = 10000;

class Removal : public testing::Test {
 protected:
  void SetUp() override {
    node_.open();
    for (const char* bucket : {"20260101", "20260102"}) {
      for (std::uint64_t first = 0; first < kKeys; first += kBatch) {
        std::string items;
        for (std::uint64_t key = first; key < first + kBatch; ++key)
          items += (items.empty() ? "[" : ",[") + std::to_string(key) + ',' + bucket + ",3]";
        node_.expect("series.batch_add", R"(,"series":"big","items":[)" + items + ']');
      }
    }
    node_.expect("counter.increment", R"(,"series":"other","key":1,"bucket":20260101)");
  }

  static std::string request(std::string_view op, std::string_view fields) {
    return R"({"v":2,"op":")" + std::string(op) + '"' + std::string(fields) + '}';
  }
  static std::string on_big(std::string_view op, std::string_view fields) {
    return request(op, R"(,"series":"big")" + std::string(fields));
  }
  static std::string counts(std::uint64_t keys, std::uint64_t buckets, std::uint64_t total) {
    return R"({"tree":"big","key_count":)" + std::to_string(keys) + R"(,"bucket_count":)" + std::to_string(buckets) +
           R"(,"total":)" + std::to_string(total) + R"(,"branches":9})";
  }

  Node node_;
};

TEST_F(Removal, WhatComesBehindItInThePipelineSeesItDone) {
  const std::vector<std::string> requests = {on_big("series.delete_before", R"(,"before":20260102)"),
                                             on_big("counter.sum", R"(,"key":59999)"),
                                             on_big("tree.info", ""),
                                             on_big("tree.summary", ""),
                                             on_big("counter.increment", R"(,"key":59999,"bucket":20260101,"value":4)"),
                                             on_big("counter.decrement", R"(,"key":59998,"bucket":20260102,"value":9)"),
                                             on_big("counter.batch_sum", R"(,"keys":[0,59997,59998,59999])"),
                                             on_big("tree.top", R"(,"limit":2)"),
                                             on_big("tree.keys", R"(,"limit":2,"cursor":59996)"),
                                             request("counter.sum", R"(,"series":"other","key":1)"),
                                             on_big("tree.info", "")};
  const std::vector<std::string> replies = {
      success("\"OK\""),
      success("3"),
      success(counts(kKeys, kKeys, 3 * kKeys)),
      success(R"({"tree":"big","total":180000,"active_keys":60000,"bucket_count":60000})"),
      success("4"),
      success("9"),
      success(R"([{"key":0,"value":3},{"key":59997,"value":3},{"key":59998,"value":0},{"key":59999,"value":7}])"),
      success(R"({"tree":"big","limit":2,"items":[{"key":59999,"value":7},{"key":0,"value":3}]})"),
      success(R"({"tree":"big","limit":2,"cursor":59996,"next_cursor":null,"keys":[{"key":59997,"total":3},)"
              R"({"key":59999,"total":7}]})"),
      success("1"),
      success(counts(kKeys - 1, kKeys, 3 * kKeys + 1))};
  EXPECT_EQ(node_(requests), replies);
}

TEST_F(Removal, ASnapshotInTheMiddleHoldsItDone) {
  for (const char* snapshot : {"snapshot.create_all", "snapshot.create"}) {
    const std::vector<std::string> replies =
        node_({on_big("tree.delete_range", R"(,"range":{"from":20260101,"to":20260101})"), on_big(snapshot, ""),
               on_big("tree.info", "")});
    EXPECT_TRUE(succeeded(replies[1])) << replies[1];
    EXPECT_EQ(replies[2], success(counts(kKeys, kKeys, 3 * kKeys)));
    const std::unique_ptr<Node> crashed = node_.after_crash(CrashableFileSystem::Unsynced::lost);
    crashed->open();
    EXPECT_EQ(crashed->expect("tree.info", R"(,"series":"big")"), counts(kKeys, kKeys, 3 * kKeys));
    EXPECT_EQ(check(*crashed->files).front(), '0');
  }
}

TEST_F(Removal, AKillInTheMiddleLosesNothingOfIt) {
  EXPECT_EQ(node_(on_big("series.delete_before", R"(,"before":20270101)")), success("\"OK\""));
  const std::unique_ptr<Node> crashed = node_.after_crash(CrashableFileSystem::Unsynced::lost);
  crashed->open();
  EXPECT_EQ(crashed->expect("tree.info", R"(,"series":"big")"), counts(0, 0, 0));
  EXPECT_EQ(node_.expect("tree.info", R"(,"series":"big")"), counts(0, 0, 0));
  node_.close(true);  // and a stop in the middle
  node_.open();
  EXPECT_EQ(node_.expect("tree.info", R"(,"series":"big")"), counts(0, 0, 0));
}

// One after the other, each while the ones before it are under way; then a drop, and all once more.
TEST_F(Removal, ManyAtOnceAndADropAmongThem) {
  std::vector<std::string> requests;
  for (int day = 1; day <= 40; ++day) {
    const std::string bucket = std::to_string(20260100 + day % 28 + 1);
    requests.push_back(on_big("tree.delete_range", R"(,"range":{"from":)" + bucket + R"(,"to":)" + bucket + "}"));
    requests.push_back(on_big("counter.increment", R"(,"key":5,"bucket":)" + bucket));
  }
  requests.push_back(on_big("series.delete_before", R"(,"before":20260120)"));
  for (const std::string& reply : node_(requests)) EXPECT_TRUE(succeeded(reply)) << reply;
  const std::string sum = node_.expect("counter.sum", R"(,"series":"big","key":5)");
  const std::string info = node_.expect("tree.info", R"(,"series":"big")");
  node_.reopen();
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"big","key":5)"), sum);
  EXPECT_EQ(node_.expect("tree.info", R"(,"series":"big")"), info);
  const std::vector<std::string> replies =
      node_({on_big("tree.delete_range", R"(,"range":{"from":20260101,"to":20260131})"), on_big("tree.drop", ""),
             on_big("counter.increment", R"(,"key":5,"bucket":20260101)"), on_big("tree.info", "")});
  EXPECT_EQ(replies.back(), success(counts(1, 1, 1)));
}

// The number under way is bounded, before the log.
TEST_F(Removal, TooManyAtOnceAreRefusedAndLeaveNothing) {
  const std::uint64_t lsn = node_.lsn();
  std::vector<std::string> requests;
  for (int day = 0; day < 600; ++day) {
    const std::string bucket = std::to_string(20270101 + day / 28 % 12 * 100 + day % 28);
    requests.push_back(on_big("tree.delete_range", R"(,"range":{"from":)" + bucket + R"(,"to":)" + bucket + "}"));
  }
  std::uint64_t done = 0;
  for (const std::string& reply : node_(requests)) {
    if (succeeded(reply)) {
      ++done;
    } else {
      EXPECT_TRUE(failed_with(reply, "internal_error")) << reply;
    }
  }
  EXPECT_GE(done, 256u);
  EXPECT_EQ(node_.lsn() - lsn, done);
  EXPECT_EQ(node_.expect("tree.info", R"(,"series":"big")"), counts(kKeys, 2 * kKeys, 6 * kKeys));
}

}  // namespace
}  // namespace karma::test
