// A small life of a node with everything in it that writes to the disk, and what must be true of it at each LSN.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/engine_fixture.h"
#include "support/model.h"

namespace karma::test {

// Pipelines of mutations, and between them snapshots of everything and of single series.
class Script {
 public:
  struct Step {
    std::vector<Request> requests;  // a pipeline, or
    std::string act;                // another request
  };

  explicit Script(std::uint64_t seed) : random_(seed), workload_(random_, false) {
    contents_.push_back(model_.content());
    for (const std::size_t length : {3, 1, 5}) pipeline(length);
    snapshot_of_one();
    pipeline(4);
    act("snapshot.create_all");
    pipeline(2);
    drop_one();
    pipeline(3);
    act("snapshot.create_all");
    pipeline(1);
    snapshot_of_one();
    snapshot_of_one();
    pipeline(6);
  }

  const std::vector<Step>& steps() const { return steps_; }
  // The content after the entry of that LSN.
  const std::vector<std::string>& contents() const { return contents_; }

  static Config config(int preallocate_bytes = 0) {
    Config config = test_config();
    config.wal_segment_bytes = preallocate_bytes == 0 ? 500 : 10 * preallocate_bytes;
    config.wal_preallocate_bytes = preallocate_bytes;
    config.dump_retention_per_tree = 2;
    return config;
  }

 private:
  void pipeline(std::size_t length) {
    Step step;
    while (step.requests.size() < length) add(step, workload_.next_mutation());
    steps_.push_back(std::move(step));
  }
  // What would be refused is left out: every request of the script makes an entry.
  void add(Step& step, const Request& request) {
    if (!succeeded(model_.execute(request))) return;
    step.requests.push_back(request);
    contents_.push_back(model_.content());
  }
  void act(std::string_view op, std::string_view fields = "") {
    steps_.push_back({{}, R"({"v":2,"op":")" + std::string(op) + '"' + std::string(fields) + '}'});
  }
  std::string any_series() {
    if (model_.series.empty()) {
      Step step;
      Request create;
      create.op = "tree.create";
      create.series = "links";
      add(step, create);
      steps_.push_back(std::move(step));
    }
    auto chosen = model_.series.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random_.up_to(model_.series.size() - 1)));
    return chosen->first;
  }
  void snapshot_of_one() { act("snapshot.create", ",\"series\":\"" + any_series() + '"'); }
  void drop_one() {
    Request drop;
    drop.op = "tree.drop";
    drop.series = any_series();
    Step step;
    add(step, drop);
    steps_.push_back(std::move(step));
  }

  Random random_;
  Workload workload_;
  Model model_;
  std::vector<Step> steps_;
  std::vector<std::string> contents_;
};

// Lives the script until nothing is acknowledged any more. Returns how many entries were.
inline std::uint64_t live(Node& node, const Script& script) {
  std::uint64_t acknowledged = 0;
  bool refused = false;
  if (!node.try_open().empty()) return 0;
  for (const Script::Step& step : script.steps()) {
    if (!step.act.empty()) {
      node(step.act);
      continue;
    }
    std::vector<std::string> lines;
    for (const Request& request : step.requests) lines.push_back(request.to_json());
    for (const std::string& reply : node(lines)) {
      if (succeeded(reply)) {
        EXPECT_FALSE(refused) << "acknowledged after a refusal without repair";
        ++acknowledged;
      } else {
        // After a refusal others may miss what it should have made.
        EXPECT_TRUE(refused || failed_with(reply, "internal_error")) << reply;
        refused = true;
      }
    }
    node.clock.advance(1);
  }
  return acknowledged;
}

// The disk holds the state at one LSN, not before `acknowledged`. Starts the node, lets it work, and starts it again.
inline void expect_recovered(Node& node, const Script& script, std::uint64_t acknowledged) {
  ASSERT_TRUE(is_whole(*node.files)) << check(*node.files);
  ASSERT_EQ(node.try_open(), "");
  for (const std::string& name : names(*node.files)) {
    ASSERT_FALSE(name.ends_with(".new") || name.ends_with(".tmp")) << name << " is left of the crash";
  }
  const std::uint64_t lsn = node.lsn();
  ASSERT_GE(lsn, acknowledged);
  ASSERT_LT(lsn, script.contents().size());
  ASSERT_EQ(node.live_content(), script.contents()[lsn]) << "LSN " << lsn << ", acknowledged " << acknowledged;
  node.expect("counter.increment", R"(,"series":"after","key":1,"bucket":20260505,"value":7)");
  ASSERT_EQ(node.lsn(), lsn + 1);
  node.expect("snapshot.verify");
  node.close();
  const std::string expected =
      "{\"series\":\"after\",\"key\":1,\"bucket\":20260505,\"value\":7}\n" + script.contents()[lsn];
  using Unsynced = CrashableFileSystem::Unsynced;
  const auto next = node.after_crash(node.config.wal_fsync ? Unsynced::lost : Unsynced::kept);
  ASSERT_EQ(content(*next->files), expected) << "what was acknowledged is on the disk";
  ASSERT_EQ(next->try_open(), "");
  ASSERT_EQ(next->live_content(), expected);
  ASSERT_EQ(next->lsn(), lsn + 1);
}

}  // namespace karma::test
