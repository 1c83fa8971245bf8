// The exactly-once state and the series may be of different moments: after snapshot.create, and in directories of
// Karma 1.0.
#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::string_view kKeyed = R"(,"series":"s","key":1,"bucket":20260101,"value":5,"idempotency_key":"k")";

TEST(ExactlyOnceRecovery, AKeyIsKnownThoughOnlyItsSeriesIsInASnapshot) {
  Node node;
  node.open();
  node.expect("counter.increment", kKeyed);
  node.expect("snapshot.create", R"(,"series":"s")");
  node.reopen();
  EXPECT_NE(node.call("counter.increment", kKeyed).find("\"response\":5,\"idempotent\":true"), std::string::npos);
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "5");
}

TEST(ExactlyOnceRecovery, ChunksCountOnceThoughOnlyTheirSeriesIsInASnapshot) {
  Node node;
  node.open();
  const auto chunk = [&](int number) {
    return node.call("ingest.chunk", R"(,"stream_id":"x","series":"s","chunk_seq":)" + std::to_string(number) +
                                         R"(,"items":[[1,20260101,5]])");
  };
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"add")");
  chunk(1);
  node.expect("snapshot.create", R"(,"series":"s")");
  chunk(2);
  node.reopen();
  EXPECT_NE(chunk(1).find("\"skipped\":true"), std::string::npos);
  EXPECT_NE(chunk(2).find("\"skipped\":true"), std::string::npos);
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "10");
}

TEST(ExactlyOnceRecovery, AReplacedSeriesInASnapshotIsNotReplacedAgain) {
  Node node;
  node.open();
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"replace_series")");
  node.expect("ingest.chunk", R"(,"stream_id":"x","series":"s","chunk_seq":1,"items":[[1,20260101,5]])");
  node.expect("ingest.commit", R"(,"stream_id":"x")");
  node.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260101,"value":2)");
  node.expect("snapshot.create", R"(,"series":"s")");
  node.reopen();
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "7");
  EXPECT_NE(node.call("ingest.commit", R"(,"stream_id":"x")").find("already_committed"), std::string::npos);
}

TEST(ExactlyOnceRecovery, AnInterruptedLoadIsAbortedAtTheNextStart) {
  Node node;
  const std::string begin = R"("entry":{"v":2,"op":"ingest.begin","stream_id":)";
  node.files->edit(in_directory("karma.wal"), R"({"v":2,"lsn":1,)" + begin +
                                                  R"("snapshot.load/1_s.tree/5","mode":"replace_series"}})" + "\n" +
                                                  R"({"v":2,"lsn":2,)" + begin + R"("mine","mode":"add"}})" + "\n");
  node.open();
  EXPECT_NE(node.expect("system.stats").find("\"ingest_active_streams\":1,"), std::string::npos);
  node.reopen();
  EXPECT_NE(node.expect("system.stats").find("\"ingest_active_streams\":1,"), std::string::npos);
}

// Karma 1.0 logs neither times nor what a prune removed: what is in its log was new when it was logged.
TEST(ExactlyOnceRecovery, AKeyThatWasPrunedAndUsedAgainCountsTwice) {
  Node node;
  const std::string entry =
      R"("entry":{"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260101,"value":)";
  node.files->edit(in_directory("karma.wal"),
                   R"({"v":2,"lsn":1,)" + entry + R"(5,"idempotency_key":"k"}})" + "\n" +
                       R"({"v":2,"lsn":2,"entry":{"v":2,"op":"idempotency.prune","before":1}})" + "\n" +
                       R"({"v":2,"lsn":3,)" + entry + R"(6,"idempotency_key":"k"}})" + "\n");
  node.open();
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "11");
  EXPECT_TRUE(failed_with(node.call("counter.increment", kKeyed), "idempotency_conflict"));
}

TEST(ExactlyOnceRecovery, AnAgedKeyIsForgottenAtReplayAsItWasLive) {
  Node node;
  node.config.idempotency_max_age_seconds = 100;
  node.open();
  node.expect("counter.increment", kKeyed);
  node.clock.advance(101);
  node.expect("counter.increment", kKeyed);
  node.clock.advance(-50);
  node.reopen();
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "10");
  EXPECT_NE(node.call("counter.increment", kKeyed).find("\"idempotent\":true"), std::string::npos);
}

TEST(ExactlyOnceRecovery, ADamagedExactlyOnceRefusesTheStart) {
  Node node;
  node.open();
  node.expect("counter.increment", kKeyed);
  node.expect("snapshot.create_all");
  node.close();
  node.files->edit(in_directory("karma.idempotency.json"), R"({"records":[],"committed_streams":[]})");
  EXPECT_NE(node.try_open().find("karma.idempotency.json"), std::string::npos);
}

TEST(ExactlyOnceRecovery, ManyChunksInAPipelineShareABatch) {
  Node node;
  node.open();
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"set")");
  std::vector<std::string> chunks;
  for (int number = 1; number <= 100; ++number)
    chunks.push_back(R"({"v":2,"op":"ingest.chunk","stream_id":"x","series":"s","chunk_seq":)" +
                     std::to_string(number) + R"(,"items":[[1,20260101,)" + std::to_string(number) + "]]}");
  const std::uint64_t syncs = node.files->count(CrashableFileSystem::Operation::sync);
  for (const std::string& reply : node(chunks)) EXPECT_TRUE(succeeded(reply)) << reply;
  EXPECT_LE(node.files->count(CrashableFileSystem::Operation::sync) - syncs, 2u);
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":1)"), "100");
}

TEST(ExactlyOnceRecovery, BoundsRefuseWithoutSideEffects) {
  Node node;
  node.config.ingest_max_streams = 1;
  node.config.ingest_max_staged_points = 2;
  node.open();
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"replace_series")");
  EXPECT_TRUE(failed_with(node.call("ingest.begin", R"(,"stream_id":"y","mode":"add")"), "validation_error"));
  const std::string chunk = R"(,"stream_id":"x","series":"s","chunk_seq":1,"items":)";
  EXPECT_TRUE(failed_with(node.call("ingest.chunk", chunk + "[[1,20260101,1],[2,20260101,1],[3,20260101,1]]"),
                          "validation_error"));
  node.expect("ingest.chunk", chunk + "[[1,20260101,1],[2,20260101,1]]");
  node.expect("ingest.commit", R"(,"stream_id":"x")");
  node.expect("ingest.begin", R"(,"stream_id":"y","mode":"add")");
}

}  // namespace
}  // namespace karma::test
