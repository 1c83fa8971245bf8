// snapshot.load: every time, and whatever a snapshot may hold.
#include <gtest/gtest.h>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::string_view kMore = R"(,"series":"s","key":1,"bucket":20260101,"value":100)";

std::string load_of(const std::string& file) { return R"(,"file":")" + file + '"'; }
std::string sum(Node& node, int key = 1) {
  return node.expect("counter.sum", R"(,"series":"s","key":)" + std::to_string(key));
}

TEST(SnapshotLoad, LoadsEveryTimeWithAndWithoutALog) {
  for (const bool wal : {true, false}) {
    SCOPED_TRACE(wal);
    Node node;
    node.config.wal = wal;
    node.open();
    node.expect("counter.increment", R"(,"series":"s","key":1,"bucket":20260101,"value":5)");
    node.expect("snapshot.create", R"(,"series":"s")");
    const std::string file = find_name(*node.files, "", "_s.tree");
    for (int life = 0; life < 2; ++life) {
      for (int time = 0; time < 3; ++time) {
        node.expect("counter.increment", kMore);
        node.expect("snapshot.load", load_of(file));
        EXPECT_EQ(sum(node), "5") << "life " << life << " time " << time;
      }
      node.close(true);
      node.open();
      EXPECT_EQ(sum(node), "5");
    }
  }
}

TEST(SnapshotLoad, LoadsValuesThatAddUpBeyond64Bits) {
  Node node;
  node.open();
  for (int key = 1; key <= 3; ++key)
    node.expect("counter.increment",
                R"(,"series":"s","bucket":20260101,"value":18446744073709551615,"key":)" + std::to_string(key));
  node.expect("snapshot.create", R"(,"series":"s")");
  const std::string file = find_name(*node.files, "", "_s.tree");
  node.expect("tree.reset", R"(,"series":"s")");
  node.expect("snapshot.load", load_of(file));
  for (const bool again : {false, true}) {
    if (again) node.reopen();
    for (int key = 1; key <= 3; ++key) EXPECT_EQ(sum(node, key), "18446744073709551615");
  }
}

// The keys of a file come in the storage order of another series, which is that of their hashes.
TEST(SnapshotLoad, MakesPagesAsSmallAsThoseThatGrew) {
  constexpr int kKeys = 400000;
  CrashableFileSystem files;
  ManualClock clock;
  const Config config = test_config();
  EventLog log(clock, false);
  Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config, files, clock, log);
  ASSERT_TRUE(opened.ok());
  engine::Engine& engine = **opened;
  {
    Client client(engine, config);
    for (int first = 0; first < kKeys; first += 10000) {
      std::string items;
      for (int key = first; key < first + 10000; ++key)
        items += (items.empty() ? "[" : ",[") + std::to_string(key) + ",20260101,1]";
      ASSERT_TRUE(succeeded(client.ask(R"({"v":2,"op":"series.batch_add","series":"s","items":[)" + items + "]}")));
    }
    ASSERT_TRUE(succeeded(client.ask(R"({"v":2,"op":"snapshot.create","series":"s"})")));
    const std::size_t pages = engine.store().find("s")->page_count();
    const std::string file = find_name(files, "", "_s.tree");
    ASSERT_TRUE(succeeded(client.ask(R"({"v":2,"op":"snapshot.load")" + load_of(file) + "}")));
    EXPECT_GE(engine.store().find("s")->page_count(), pages * 9 / 10);
    (void)engine.shutdown(false);
  }
}

TEST(SnapshotLoad, NeedsNoRoomOfTheIngestStreamsAndTakesNone) {
  Node node;
  node.config.ingest_max_streams = 1;
  node.config.ingest_max_staged_points = 2;
  node.open();
  node.expect("series.batch_add", R"(,"series":"s","items":[[1,20260101,1],[2,20260101,1],[3,20260101,1]])");
  node.expect("snapshot.create", R"(,"series":"s")");
  const std::string file = find_name(*node.files, "", "_s.tree");
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"replace_series")");
  const std::string chunk = R"(,"stream_id":"x","series":"t","items":)";
  node.expect("ingest.chunk", chunk + R"([[1,20260101,1]],"chunk_seq":1)");
  node.expect("counter.increment", kMore);
  node.expect("snapshot.load", load_of(file));
  EXPECT_EQ(sum(node), "1");
  node.expect("ingest.chunk", chunk + R"([[2,20260101,1]],"chunk_seq":2)");
  EXPECT_TRUE(failed_with(node.call("ingest.chunk", chunk + R"([[3,20260101,1]],"chunk_seq":3)"), "validation_error"));
  node.reopen();
  EXPECT_EQ(sum(node), "1");
  EXPECT_EQ(sum(node, 3), "1");
}

}  // namespace
}  // namespace karma::test
