// What is refused is refused before the log, and pending writes of the same batch are taken into account: a refusal
// leaves no line, and every line that is there replays.
#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::string_view kSeries = R"(,"series":"s")";

std::string request(std::string_view op, std::string_view fields) {
  return R"({"v":2,"op":")" + std::string(op) + '"' + std::string(fields) + '}';
}

std::string on_series(std::string_view op, std::string_view fields = "") {
  return request(op, std::string(kSeries) + std::string(fields));
}

std::string add(std::string_view value) {
  return on_series("counter.increment", R"(,"key":1,"bucket":20260505,"value":)" + std::string(value));
}

std::string no_series() { return failure("not_found", R"(Tree "s" not found)"); }
std::string overflow() { return failure("validation_error", "Counter overflow key=1 bucket=20260505"); }

class Verdicts : public testing::Test {
 protected:
  void SetUp() override { node_.open(); }

  // The requests as one pipeline; then the same state must come out of the log, which holds `entries` lines in all.
  void expect(const std::vector<std::string>& requests, const std::vector<std::string>& replies,
              std::uint64_t entries) {
    EXPECT_EQ(node_(requests), replies);
    EXPECT_EQ(node_.lsn(), entries);
    const std::string before = node_.live_content();
    node_.reopen();
    EXPECT_EQ(node_.lsn(), entries);
    EXPECT_EQ(node_.live_content(), before);
    EXPECT_EQ(check(*node_.after_crash(CrashableFileSystem::Unsynced::lost)->files).front(), '0');
  }

  Node node_;
};

TEST_F(Verdicts, WhatNeedsASeriesIsRefusedBeforeTheLog) {
  const std::vector<std::string> requests = {
      on_series("tree.drop"), on_series("series.delete_before", R"(,"before":20260101)"), on_series("series.compact"),
      on_series("counter.batch_reset", R"(,"keys":[1])"),
      on_series("counter.batch_delete_range", R"(,"keys":[1],"range":{"from":20260101,"to":20260102})")};
  expect(requests, std::vector<std::string>(requests.size(), no_series()), 0);
  EXPECT_FALSE(node_.files->content(in_directory("karma.wal")).value_or("").size() > 0);
}

TEST_F(Verdicts, ADropIsSeenByTheNextOneOfTheSamePipeline) {
  node_.expect("tree.create", kSeries);
  expect({on_series("tree.drop"), on_series("tree.drop")}, {success("\"OK\""), no_series()}, 2);
}

TEST_F(Verdicts, CreateDropAndIncrementInOnePipeline) {
  expect(
      {on_series("tree.create"), add("2"), on_series("tree.drop"), add("3"), on_series("counter.sum", R"(,"key":1)")},
      {success("\"OK\""), success("2"), success("\"OK\""), success("3"), success("3")}, 4);
}

TEST_F(Verdicts, ASeriesCreatedInThePipelineCanBeUsedInIt) {
  expect({add("2"), on_series("series.delete_before", R"(,"before":20260101)"),
          on_series("counter.batch_reset", R"(,"keys":[1,1,2])")},
         {success("2"), success("\"OK\""), success(R"({"reset":1,"missing":2})")}, 3);
}

TEST_F(Verdicts, AnOverflowByTwoWritesOfOneBatchRefusesTheSecondOnly) {
  expect({add("18446744073709551615"), add("1"), add("2"), on_series("counter.reset", R"(,"key":1)"), add("3")},
         {success("18446744073709551615"), overflow(), overflow(), success("\"OK\""), success("3")}, 3);
}

TEST_F(Verdicts, AnOverflowIsDecidedOnTheStateThatItMeets) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  // The decrement makes room for exactly one.
  expect({on_series("counter.decrement", R"(,"key":1,"bucket":20260505)"), add("1"), add("1")},
         {success("1"), success("1"), overflow()}, 3);
}

TEST_F(Verdicts, ABatchIsAppliedWhollyOrNotAtAll) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  const std::string before = node_.live_content();
  const std::string refused = failure("validation_error", "Counter overflow in batch item key=1 bucket=20260506");
  expect({on_series("series.batch_add", R"(,"items":[[2,20260505,1],[1,20260506,1],[3,20260505,1]])"),
          on_series("series.batch_set", R"(,"items":[[2,20260505,1],[1,20260506,1]])"),
          on_series("series.batch_add", R"(,"items":[[2,20260505,18446744073709551615],[3,20260505,1]])")},
         {refused, refused, failure("validation_error", "Batch total overflow")}, 1);
  EXPECT_EQ(node_.live_content(), before);
}

TEST_F(Verdicts, OneRefusalInABatchRefusesNoOther) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  std::vector<std::string> requests;
  std::vector<std::string> replies;
  for (int i = 0; i < 50; ++i) {
    requests.push_back(add("1"));
    replies.push_back(overflow());
    requests.push_back(on_series("counter.increment", R"(,"key":2,"bucket":20260505)"));
    replies.push_back(success("1"));
  }
  expect(requests, replies, 51);
}

// How many syncs a pipeline of these takes; all are answered alike.
std::uint64_t syncs(Node& node, const std::vector<std::string>& requests, const std::vector<std::string>& replies) {
  const auto count = [&] {
    const std::string stats = node.expect("system.stats");
    return std::stoull(stats.substr(stats.find(R"("wal_sync_count":)") + 17));
  };
  const std::uint64_t before = count();
  EXPECT_EQ(node(requests), replies);
  return count() - before;
}

// A counter that is full, or was, holds up those who write to it and nobody else.
TEST_F(Verdicts, OneFullCounterDoesNotEndGroupCommit) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  for (const bool after_its_reset : {false, true}) {
    if (after_its_reset) node_.expect("counter.reset", R"(,"series":"s","key":1)");
    std::vector<std::string> requests;
    std::vector<std::string> replies;
    for (int i = 0; i < 24; ++i) {
      const std::string key = std::to_string(100 + i);
      switch (i % 4) {
        case 0:
          requests.push_back(on_series("series.batch_add", R"(,"items":[[)" + key + ",20260505,1],[8,20260505,2]]"));
          replies.push_back(success(R"({"applied":2,"total":3})"));
          break;
        case 1:
          requests.push_back(on_series("series.batch_set", R"(,"items":[[)" + key + ",20260505,1]]"));
          replies.push_back(success(R"({"applied":1})"));
          break;
        default:
          requests.push_back(on_series("counter.increment", R"(,"key":)" + key + R"(,"bucket":20260505)"));
          replies.push_back(success("1"));
      }
    }
    EXPECT_LE(syncs(node_, requests, replies), 2u) << after_its_reset;
  }
}

// As long as nothing makes room for it, what overflows is refused where it stands.
TEST_F(Verdicts, RefusalsOfAFullCounterDoNotEndGroupCommit) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  std::vector<std::string> requests;
  std::vector<std::string> replies;
  for (int i = 0; i < 24; ++i) {
    requests.push_back(on_series("counter.increment", R"(,"key":2,"bucket":20260505)"));
    replies.push_back(success("1"));
    requests.push_back(add("1"));
    replies.push_back(overflow());
  }
  EXPECT_LE(syncs(node_, requests, replies), 2u);
}

TEST_F(Verdicts, OneFullCounterDoesNotEndGroupCommitOfAStream) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260505,"value":18446744073709551615)");
  node_.expect("ingest.begin", R"(,"stream_id":"a","mode":"add")");
  std::vector<std::string> requests;
  std::vector<std::string> replies;
  for (int i = 1; i <= 24; ++i) {
    const std::string number = std::to_string(i);
    requests.push_back(
        on_series("ingest.chunk", R"(,"stream_id":"a","chunk_seq":)" + number + R"(,"items":[[7,20260505,1]])"));
    replies.push_back(
        success(R"({"stream_id":"a","chunk_seq":)" + number + R"(,"skipped":false,"applied":1,"total":1})"));
  }
  EXPECT_LE(syncs(node_, requests, replies), 2u);
}

// The content that a commit brings may be fuller than what it replaces.
TEST_F(Verdicts, AnOverflowOfWhatACommitBringsIsRefusedBeforeTheLog) {
  node_.expect("ingest.begin", R"(,"stream_id":"a","mode":"replace_series")");
  node_.expect("ingest.chunk",
               R"(,"series":"s","stream_id":"a","chunk_seq":1,"items":[[1,20260505,18446744073709551615]])");
  expect({request("ingest.commit", R"(,"stream_id":"a")"), add("1")},
         {success(R"({"stream_id":"a","status":"committed","last_chunk_seq":1})"), overflow()}, 3);
}

TEST_F(Verdicts, ARefusedWriteCreatesNothing) {
  node_.config.max_response_bytes = 60;
  node_.reopen();
  EXPECT_TRUE(failed_with(node_.call("counter.increment", R"(,"series":"s","key":1)"), "response_too_large"));
  node_.config.max_response_bytes = 0;
  node_.reopen();
  EXPECT_EQ(node_.live_content(), "");
  EXPECT_EQ(node_.lsn(), 0u);
}

}  // namespace
}  // namespace karma::test
