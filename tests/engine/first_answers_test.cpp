// A snapshot of one series is of a later moment than the exactly-once state's file: a repeat must get the first answer
// all the same, after a kill, for every op that honours a key, and what was refused must not pass for done.
#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

struct Keyed {
  std::string op;
  std::string fields;
};

// Each on its own counters of series s, which prepare() has filled.
const std::vector<Keyed> kWrites = {
    {"counter.increment", R"(,"key":1,"bucket":20260101,"value":5)"},
    {"counter.decrement", R"(,"key":2,"bucket":20260101,"value":900)"},
    {"counter.reset", R"(,"key":3)"},
    {"counter.delete_range", R"(,"key":4,"range":{"from":20260101,"to":20260131})"},
    {"counter.batch_reset", R"(,"keys":[5,6,70])"},
    {"counter.batch_delete_range", R"(,"keys":[7,8,71],"range":{"from":20260101,"to":20260131})"},
    {"series.batch_add", R"(,"items":[[9,20260101,5],[10,20260102,6]])"},
    {"series.batch_set", R"(,"items":[[11,20260101,5],[12,20260102,6]])"},
};

std::string without_idempotent(std::string reply) {
  for (const std::string_view field : {R"(,"idempotent":true)", R"(,"idempotent":false)"}) {
    if (const std::size_t at = reply.find(field); at != reply.npos) reply.erase(at, field.size());
  }
  return reply;
}

class FirstAnswers : public testing::Test {
 protected:
  static void prepare(Node& node, const std::string& series) {
    if (!node.is_open()) node.open();
    std::string items;
    for (int key = 1; key <= 12; ++key)
      items += (items.empty() ? "[" : ",[") + std::to_string(key) + ",20260101,100],[" + std::to_string(key) +
               ",20260601,100]";
    node.expect("series.batch_add", R"(,"series":")" + series + R"(","items":[)" + items + "]");
  }
  static std::string send(Node& node, const std::string& series, std::size_t write) {
    const Keyed& keyed = kWrites[write];
    return node.call(keyed.op, R"(,"series":")" + series + '"' + keyed.fields + R"(,"idempotency_key":")" + series +
                                   std::to_string(write) + '"');
  }
  static std::vector<std::string> send_all(Node& node, const std::string& series) {
    std::vector<std::string> replies;
    for (std::size_t i = 0; i < kWrites.size(); ++i) replies.push_back(send(node, series, i));
    return replies;
  }
  static void expect_repeats(Node& node, const std::string& series, const std::vector<std::string>& first) {
    const std::string before = content(*node.files);
    for (std::size_t i = 0; i < kWrites.size(); ++i) {
      const std::string again = send(node, series, i);
      EXPECT_NE(again.find(R"("idempotent":true)"), again.npos) << kWrites[i].op << " " << again;
      EXPECT_EQ(without_idempotent(again), without_idempotent(first[i])) << kWrites[i].op;
    }
    EXPECT_EQ(content(*node.files), before);
  }
  static std::unique_ptr<Node> killed(const Node& node) {
    auto next = node.after_crash(Unsynced::kept);
    next->open();
    return next;
  }
};

TEST_F(FirstAnswers, ComeAgainAfterASnapshotOfTheSeriesAndAKill) {
  for (const bool whole_set_before : {false, true}) {
    SCOPED_TRACE(whole_set_before);
    Node node;
    prepare(node, "s");
    prepare(node, "other");
    if (whole_set_before) node.expect("snapshot.create_all");
    const std::vector<std::string> of_other = send_all(node, "other");
    const std::vector<std::string> first = send_all(node, "s");
    for (const std::string& reply : first) EXPECT_TRUE(reply.find(R"("success":true)") != reply.npos) << reply;
    node.expect("snapshot.create", R"(,"series":"s")");
    auto second = killed(node);
    expect_repeats(*second, "s", first);
    expect_repeats(*second, "other", of_other);
    // What one life learned from the manifest, the next one must not have forgotten.
    second->expect("snapshot.create", R"(,"series":"other")");
    auto third = killed(*second);
    expect_repeats(*third, "s", first);
    expect_repeats(*third, "other", of_other);
    third->expect("snapshot.create_all");
    auto fourth = killed(*third);
    expect_repeats(*fourth, "s", first);
    expect_repeats(*fourth, "other", of_other);
  }
}

TEST_F(FirstAnswers, ComeAgainWhereAnOlderSnapshotStandsIn) {
  Node node;
  prepare(node, "s");
  node.expect("snapshot.create_all");
  const std::string older = find_name(*node.files, "", "_s.tree");
  const std::vector<std::string> first = send_all(node, "s");
  node.expect("snapshot.create", R"(,"series":"s")");
  const std::string kept = node.live_content();
  auto damaged = node.after_crash(Unsynced::kept);
  for (const std::string& name : names(*damaged->files)) {
    if (!name.ends_with("_s.tree") || name == older) continue;
    std::string bytes = *damaged->files->content(in_directory(name));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    damaged->files->edit(in_directory(name), bytes);
  }
  damaged->open();
  EXPECT_EQ(damaged->live_content(), kept);
  expect_repeats(*damaged, "s", first);
}

// Karma 1.0 logged before it refused.
std::string line_of_1_0(int lsn, const std::string& entry) {
  return R"({"v":2,"lsn":)" + std::to_string(lsn) + R"(,"entry":{"v":2,)" + entry + "}}\n";
}

TEST_F(FirstAnswers, WhatWasRefusedWhenItWasAppliedIsNotTakenForDone) {
  Node node;
  const std::string start = R"("op":"counter.increment","series":"s","key":1,"bucket":20260101,"value":)";
  node.files->edit(in_directory("karma.wal"),
                   line_of_1_0(1, start + "18446744073709551610") +
                       line_of_1_0(2, start + R"(50,"idempotency_key":"k")") +
                       line_of_1_0(3, R"("op":"ingest.begin","stream_id":"x","mode":"add")") +
                       line_of_1_0(4, R"("op":"ingest.chunk","stream_id":"x","series":"s","chunk_seq":1,)"
                                      R"("items":[[1,20260102,60]])"));
  node.open();
  node.expect("counter.reset", R"(,"series":"s","key":1)");
  node.expect("snapshot.create", R"(,"series":"s")");
  auto second = killed(node);
  auto third = killed(*second);
  third->expect("snapshot.create", R"(,"series":"s")");
  auto fourth = killed(*third);
  const std::string reply =
      fourth->call("counter.increment", R"(,"series":"s","key":1,"bucket":20260101,"value":50,"idempotency_key":"k")");
  EXPECT_NE(reply.find(R"("idempotent":false)"), reply.npos) << reply;
  const std::string chunk = R"(,"stream_id":"x","series":"s","chunk_seq":1,"items":[[1,20260102,60]])";
  EXPECT_NE(fourth->expect("ingest.chunk", chunk).find(R"("skipped":false)"), std::string::npos);
  EXPECT_EQ(fourth->expect("counter.sum", R"(,"series":"s","key":1)"), "110");
}

TEST_F(FirstAnswers, ComeAgainWithoutALog) {
  Node node;
  node.config.wal = false;
  prepare(node, "s");
  prepare(node, "other");
  const std::vector<std::string> of_other = send_all(node, "other");
  const std::vector<std::string> first = send_all(node, "s");
  node.expect("ingest.begin", R"(,"stream_id":"x","mode":"add")");
  node.expect("ingest.chunk", R"(,"stream_id":"x","series":"other","chunk_seq":1,"items":[[50,20260102,60]])");
  node.expect("snapshot.create", R"(,"series":"s")");
  auto second = killed(node);
  expect_repeats(*second, "s", first);
  // Nobody can tell which keys belong to which series: all or nothing.
  expect_repeats(*second, "other", of_other);
  second->expect("ingest.chunk", R"(,"stream_id":"x","series":"other","chunk_seq":1,"items":[[50,20260102,60]])");
  EXPECT_EQ(second->expect("counter.sum", R"(,"series":"other","key":50)"), "60");
}

// Outcomes that only the state can tell are held until the next whole set, but not without end.
TEST_F(FirstAnswers, ComeAgainWhenTheyAreTooManyToBeHeldApart) {
  Node node;
  prepare(node, "s");
  node.expect("snapshot.create_all");
  const std::vector<std::string> first = send_all(node, "s");
  const auto reset = [](int i) {
    return R"({"v":2,"op":"counter.batch_reset","series":"s","keys":[1],"idempotency_key":"many)" + std::to_string(i) +
           "\"}";
  };
  std::vector<std::string> many;
  for (int i = 0; i < 70000; ++i) many.push_back(reset(i));
  const std::vector<std::string> replies = node(many);
  node.expect("snapshot.create", R"(,"series":"s")");
  auto second = killed(node);
  EXPECT_EQ(without_idempotent((*second)(reset(0))), without_idempotent(replies[0]));
  EXPECT_EQ(without_idempotent((*second)(reset(69999))), without_idempotent(replies[69999]));
  expect_repeats(*second, "s", first);
}

}  // namespace
}  // namespace karma::test
