// Producers that repeat, overtake and contradict themselves: what counts, what is refused, and that a restart, which
// replays the log, comes to the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::int64_t kMidnight = ManualClock::kNoon + 12 * 3600;  // between 2026-05-05 and 2026-05-06

std::string increment(std::string_view more) {
  return R"(,"series":"s","key":1,"value":5,"idempotency_key":"k")" + std::string(more);
}
constexpr std::string_view kBucket = R"(,"bucket":20260505)";

bool repeated(const std::string& reply) { return reply.find(R"("idempotent":true)") != std::string::npos; }
bool applied(const std::string& reply) { return reply.find(R"("idempotent":false)") != std::string::npos; }

class Repeats : public testing::Test {
 protected:
  void SetUp() override { node_.open(); }

  std::string sum(std::string_view series = "s") {
    return node_.expect("counter.sum", R"(,"series":")" + std::string(series) + R"(","key":1)");
  }
  void begin(std::string_view mode, std::string_view id = "x") {
    node_.expect("ingest.begin", R"(,"stream_id":")" + std::string(id) + R"(","mode":")" + std::string(mode) + '"');
  }
  static std::string chunk(int number, std::string_view items, std::string_view series = "s",
                           std::string_view id = "x") {
    return R"(,"stream_id":")" + std::string(id) + R"(","series":")" + std::string(series) + R"(","chunk_seq":)" +
           std::to_string(number) + R"(,"items":)" + std::string(items);
  }
  // What stands in system.stats.
  std::string stat(std::string_view name) {
    const std::string stats = node_.expect("system.stats");
    const std::string field = '"' + std::string(name) + "\":";
    const std::size_t at = stats.find(field);
    EXPECT_NE(at, std::string::npos) << name;
    return stats.substr(at + field.size(), stats.find_first_of(",}", at) - at - field.size());
  }
  // The same after the log was replayed, and after everything came from snapshots.
  void expect_over_restarts(const std::string& expected_sum) {
    EXPECT_EQ(sum(), expected_sum);
    node_.reopen();
    EXPECT_EQ(sum(), expected_sum);
    node_.close(true);
    node_.open();
    EXPECT_EQ(sum(), expected_sum);
  }

  Node node_;
};

TEST_F(Repeats, AKeyThatWasPrunedCountsAgainAlsoWithAnotherContent) {
  EXPECT_TRUE(applied(node_.call("counter.increment", increment(kBucket))));
  const std::string before = R"(,"before":)" + std::to_string(ManualClock::kNoon + 1);
  EXPECT_TRUE(failed_with(node_.call("idempotency.prune", before), "validation_error")) << "not yet";
  node_.clock.advance(10);
  EXPECT_EQ(node_.expect("idempotency.prune", before), R"({"deleted":1})");
  EXPECT_TRUE(applied(node_.call("counter.increment", increment(R"(,"bucket":20260506)"))));
  expect_over_restarts("10");
  EXPECT_TRUE(repeated(node_.call("counter.increment", increment(R"(,"bucket":20260506)"))));
  EXPECT_EQ(node_.expect("idempotency.prune", before), R"({"deleted":0})") << "it has got no younger or older";
}

TEST_F(Repeats, TheAgeOfAKeyIsTheServersNotTheClients) {
  node_.config.idempotency_max_age_seconds = 100;
  node_.reopen();
  const std::string request = increment(std::string(kBucket) + R"(,"idempotency_created_at_unix":1)");
  EXPECT_TRUE(applied(node_.call("counter.increment", request)));
  node_.clock.advance(99);
  EXPECT_TRUE(repeated(node_.call("counter.increment", request)));
  node_.reopen();
  EXPECT_TRUE(repeated(node_.call("counter.increment", request)));
  node_.clock.advance(2);
  EXPECT_TRUE(applied(node_.call("counter.increment", request))) << "too old, and nothing else was written meanwhile";
  expect_over_restarts("10");
}

TEST_F(Repeats, WithoutABucketMidnightMakesAnotherRequestOfIt) {
  node_.clock.set(kMidnight - 1);
  EXPECT_TRUE(applied(node_.call("counter.increment", increment(""))));
  EXPECT_TRUE(repeated(node_.call("counter.increment", increment(""))));
  node_.clock.set(kMidnight);
  EXPECT_TRUE(failed_with(node_.call("counter.increment", increment("")), "idempotency_conflict"));
  // One day was meant everywhere: in the series, in the fingerprint, in the log.
  EXPECT_TRUE(repeated(node_.call("counter.increment", increment(kBucket))));
  node_.reopen();
  EXPECT_TRUE(repeated(node_.call("counter.increment", increment(kBucket))));
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"s","key":1,"range":{"from":20260505,"to":20260505})"), "5");
}

TEST_F(Repeats, OpsThatHonourNoKeyTakeNoNoticeOfItUnlessTheyDelete) {
  const std::string keyed = R"(,"series":"s","idempotency_key":"k")";
  EXPECT_EQ(node_.call("tree.create", keyed), success("\"OK\""));
  EXPECT_EQ(node_.call("tree.create", keyed), success("\"OK\""));
  // A repeat would drop what was created meanwhile, and the caller thinks that it does not.
  EXPECT_TRUE(failed_with(node_.call("tree.drop", keyed), "validation_error"));
  EXPECT_TRUE(applied(node_.call("counter.increment", increment(kBucket)))) << "nor is it used up";
}

TEST_F(Repeats, AVerifyForgetsNoKeyAndNoStream) {
  for (const bool wal : {true, false}) {
    node_.config.wal = wal;
    node_.config.directory = wal ? "with" : "without";
    node_.reopen();
    EXPECT_TRUE(applied(node_.call("counter.increment", increment(kBucket))));
    begin("add");
    node_.expect("ingest.chunk", chunk(1, "[[1,20260101,1]]"));
    node_.expect("snapshot.verify");
    EXPECT_TRUE(repeated(node_.call("counter.increment", increment(kBucket))));
    EXPECT_NE(node_.expect("ingest.chunk", chunk(1, "[[1,20260101,1]]")).find("\"skipped\":true"), std::string::npos);
    EXPECT_EQ(sum(), "6");
    EXPECT_EQ(stat("ingest_chunks_applied"), "1");
  }
}

TEST_F(Repeats, ActiveStreamsOutliveASnapshotOfEverything) {
  for (const std::string mode : {"add", "set", "replace_series"}) {
    SCOPED_TRACE(mode);
    begin(mode, mode);
    node_.expect("ingest.chunk", chunk(1, "[[1,20260101,3]]", mode, mode));
    node_.expect("snapshot.create_all");
    node_.expect("ingest.chunk", chunk(2, "[[1,20260102,4]]", mode, mode));
    node_.reopen();
    EXPECT_NE(node_.expect("ingest.begin", R"(,"stream_id":")" + mode + R"(","mode":")" + mode + '"')
                  .find("\"last_chunk_seq\":2"),
              std::string::npos);
    node_.expect("ingest.chunk", chunk(3, "[[1,20260103,5]]", mode, mode));
    node_.expect("ingest.commit", R"(,"stream_id":")" + mode + '"');
    EXPECT_EQ(sum(mode), "12");
    node_.reopen();
    EXPECT_EQ(sum(mode), "12");
  }
}

TEST_F(Repeats, AChunkThatOverflowsHasNoEffectAndDoesNotUseItsNumberUp) {
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260101,"value":18446744073709551610)");
  begin("add");
  EXPECT_TRUE(failed_with(node_.call("ingest.chunk", chunk(1, "[[7,20260101,1],[1,20260102,6]]")), "validation_error"));
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"s","key":7)"), "0");
  EXPECT_TRUE(succeeded(node_.call("ingest.chunk", chunk(1, "[[7,20260101,1],[1,20260102,5]]"))));
  expect_over_restarts("18446744073709551615");
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"s","key":7)"), "1");
}

TEST_F(Repeats, OneOfSeveralChunksWithTheSameNumberCounts) {
  begin("add");
  std::vector<std::string> replies(6);
  {
    std::vector<std::jthread> producers;
    for (std::size_t i = 0; i < replies.size(); ++i)
      producers.emplace_back([&, i] {
        replies[i] = node_.call("ingest.chunk", chunk(1, "[[1,2026010" + std::to_string(i + 1) + ",5]]"));
      });
  }
  std::vector<std::string> pipeline;
  for (const std::string items : {"[[1,20260201,1]]", "[[1,20260202,1]]", "[[1,20260203,1]]"})
    pipeline.push_back(R"({"v":2,"op":"ingest.chunk")" + chunk(2, items) + "}");
  const std::vector<std::string> more = node_(pipeline);
  EXPECT_EQ(std::count_if(replies.begin(), replies.end(), succeeded), 1);
  EXPECT_EQ(std::count_if(more.begin(), more.end(), succeeded), 1);
  for (const std::string& reply : replies)
    EXPECT_TRUE(succeeded(reply) || failed_with(reply, "idempotency_conflict")) << reply;
  EXPECT_EQ(stat("ingest_chunks_rejected"), "7");
  EXPECT_EQ(node_.lsn(), 3u) << "what was refused is not logged";
  expect_over_restarts("6");
}

TEST_F(Repeats, ASkippedChunkIsAnsweredInFullAndNotLogged) {
  begin("add");
  node_.expect("ingest.chunk", chunk(1, "[[1,20260101,5]]"));
  const std::uint64_t lsn = node_.lsn();
  const std::string skipped = R"({"stream_id":"x","chunk_seq":1,"skipped":true,"committed":)";
  EXPECT_EQ(node_.expect("ingest.chunk", chunk(1, "[[1,20260101,5]]")), skipped + R"(false,"applied":0,"total":0})");
  EXPECT_EQ(node_.lsn(), lsn);
  node_.expect("ingest.commit", R"(,"stream_id":"x")");
  EXPECT_EQ(node_.expect("ingest.chunk", chunk(1, "[[1,20260101,5]]")), skipped + R"(true,"applied":0,"total":0})");
  EXPECT_EQ(node_.lsn(), lsn + 1);
  EXPECT_EQ(stat("ingest_chunks_skipped"), "2");
  expect_over_restarts("5");
}

TEST_F(Repeats, ARefusedFirstChunkDoesNotBindItsStream) {
  begin("add");
  EXPECT_TRUE(failed_with(node_.call("ingest.chunk", chunk(1, "[[1,20260101,0]]", "wrong")), "validation_error"));
  EXPECT_TRUE(succeeded(node_.call("ingest.chunk", chunk(1, "[[1,20260101,5]]"))));
  EXPECT_EQ(node_.expect("tree.list"), R"(["s"])");
  expect_over_restarts("5");
}

TEST_F(Repeats, AReplacementDiscardsWhatWasWrittenSinceItsBegin) {
  node_.expect("counter.increment", increment(kBucket));
  begin("replace_series");
  node_.expect("ingest.chunk", chunk(1, "[[1,20260101,7]]"));
  node_.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260506,"value":2)");
  EXPECT_EQ(sum(), "7") << "5 and 2: what is staged is not seen";
  node_.expect("counter.increment", R"(,"series":"s","key":2,"bucket":20260506,"value":2)");
  node_.expect("ingest.commit", R"(,"stream_id":"x")");
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"s","key":2)"), "0");
  EXPECT_TRUE(repeated(node_.call("counter.increment", increment(kBucket)))) << "though its effect is gone";
  expect_over_restarts("7");
}

TEST_F(Repeats, AnAbortLeavesWhatWasCountedAndFreesTheId) {
  begin("add");
  node_.expect("ingest.chunk", chunk(1, "[[1,20260101,5]]"));
  EXPECT_EQ(node_.expect("ingest.abort", R"(,"stream_id":"x")"),
            R"({"stream_id":"x","status":"aborted","last_chunk_seq":1})");
  EXPECT_TRUE(failed_with(node_.call("ingest.chunk", chunk(2, "[[1,20260101,5]]")), "not_found"));
  begin("replace_series");
  node_.expect("ingest.chunk", chunk(1, "[[1,20260101,9]]"));
  node_.expect("ingest.abort", R"(,"stream_id":"x")");
  expect_over_restarts("5");
  EXPECT_EQ(stat("ingest_active_streams"), "0");
}

TEST_F(Repeats, NamesOfStreamsAreBounded) {
  const auto ids = [&](std::size_t bytes, std::size_t granularity_bytes) {
    return node_.call("ingest.begin", R"(,"mode":"add","stream_id":")" + std::string(bytes, 'i') +
                                          R"(","granularity":")" + std::string(granularity_bytes, 'g') + '"');
  };
  EXPECT_TRUE(failed_with(ids(1025, 1), "validation_error"));
  EXPECT_TRUE(failed_with(ids(1, 1025), "validation_error"));
  EXPECT_TRUE(succeeded(ids(1024, 1024)));
}

TEST_F(Repeats, ChunksAreTimedAndAReplayCountsNoneAgain) {
  begin("add");
  EXPECT_EQ(stat("ingest_latency_ms_avg"), "0.0");
  node_.expect("ingest.chunk", chunk(1, "[[1,20260101,5],[2,20260101,5]]"));
  for (const std::string name : {"ingest_latency_ms_last", "ingest_latency_ms_avg"})
    EXPECT_GT(std::stod(stat(name)), 0);
  EXPECT_EQ(stat("ingest_items_applied"), "2");
  node_.reopen();
  for (const std::string name : {"ingest_chunks_applied", "ingest_items_applied"}) EXPECT_EQ(stat(name), "0");
  EXPECT_EQ(stat("ingest_latency_ms_last"), "0.0");
  EXPECT_EQ(stat("ingest_active_streams"), "1");
}

}  // namespace
}  // namespace karma::test
