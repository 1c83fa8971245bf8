// snapshot.fetch and its pieces.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Operation = CrashableFileSystem::Operation;

TEST(SnapshotFetch, WhatNoResponseCanHoldIsRefusedAndNotCutOff) {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("karma-fetch-" + std::to_string(::getpid()));
  Config config = test_config();
  config.directory = directory.string();
  {
    auto engine = Engine::open(config);
    ASSERT_TRUE(engine.ok());
    std::ofstream(directory / "5_big.tree").put('\0');
    std::filesystem::resize_file(directory / "5_big.tree", (std::uintmax_t{1} << 30) + 1);  // takes no room
    const std::string fetch = R"({"v":2,"op":"snapshot.fetch","file":"5_big.tree"})";
    EXPECT_EQ((*engine)->execute(fetch),
              failure("response_too_large", "Snapshot is too large for one response; use snapshot.fetch_chunk"));
    const std::string last =
        (*engine)->execute(R"({"v":2,"op":"snapshot.fetch_chunk","file":"5_big.tree","offset":1073741824,"limit":10})");
    EXPECT_NE(last.find(R"("bytes":1,"total_bytes":1073741825,"next_offset":1073741825,"done":true)"), last.npos)
        << last;
  }
  std::filesystem::remove_all(directory);
}

// So that a slave, which asks for more, gets it all the same.
TEST(SnapshotFetch, APieceIsAsLongAsAReplyMayBe) {
  Node node;
  node.config.max_response_bytes = 4096;
  node.open();
  for (int key = 0; key < 1000; ++key)
    node.expect("counter.increment", R"(,"series":"s","bucket":20260101,"key":)" + std::to_string(key));
  node.expect("snapshot.create_all");
  const std::string info = node.call("snapshot.info");
  const std::string file =
      info.substr(info.find(R"("file":")") + 8, info.find(".tree") + 5 - info.find(R"("file":")") - 8);
  std::uint64_t offset = 0;
  for (int pieces = 0; pieces < 100; ++pieces) {
    const std::string piece = node.call(
        "snapshot.fetch_chunk", R"(,"file":")" + file + R"(","limit":262144,"offset":)" + std::to_string(offset));
    const std::size_t next = piece.find(R"("next_offset":)");
    ASSERT_NE(next, piece.npos) << piece;
    EXPECT_LE(piece.size(), 4096u);
    offset = std::stoull(piece.substr(next + 14));
    if (piece.find(R"("done":true)") != piece.npos) break;
  }
  EXPECT_GT(offset, 4096u);
}

TEST(SnapshotFetch, APieceOfTheExactlyOnceIsReadAlone) {
  Node node;
  node.open();
  for (int i = 0; i < 100; ++i)
    node.expect("counter.increment", R"(,"series":"s","key":1,"idempotency_key":")" + std::to_string(i) + '"');
  node.expect("snapshot.create_all");
  for (const bool after_a_start : {false, true}) {
    if (after_a_start) node.reopen();
    const auto reads = [&] {
      return node.files->count(Operation::open) + node.files->count(Operation::read) +
             node.files->count(Operation::list);
    };
    const std::uint64_t before = reads();
    node.expect("idempotency.snapshot_fetch_chunk", R"(,"offset":100,"limit":10)");
    EXPECT_EQ(reads() - before, 2u) << "one open, one read";
  }
}

}  // namespace
}  // namespace karma::test
