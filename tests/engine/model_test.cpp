// Random requests against the plain model: every answer, and the state live, after a replay of the log, after snapshots
// of everything, and after snapshots of single series with the log after them. KARMA_TEST_SEED repeats a run.
#include <gtest/gtest.h>

#include "support/engine_fixture.h"
#include "support/model.h"

namespace karma::test {
namespace {

// A life of several starts, each ending another way.
class RandomLife {
 public:
  RandomLife(std::uint64_t seed, bool huge) : random_(seed), workload_(random_, huge) {
    node_.config.wal_segment_bytes = static_cast<int>(random_.up_to(3000));
    node_.config.wal_batch_size = random_.one_in(3) ? 3 : 1024;
    node_.config.dump_retention_per_tree = static_cast<int>(random_.up_to(2));
    node_.open();
  }

  void run(int generations) {
    for (int i = 0; i < generations && !testing::Test::HasFailure(); ++i) {
      for (std::uint64_t steps = 5 + random_.up_to(20); steps != 0; --steps) step();
      restart();
    }
  }

 private:
  void step() {
    if (random_.one_in(12)) return snapshot();
    // One at a time, or a pipeline.
    std::vector<Request> requests(random_.one_in(2) ? 1 : 1 + random_.up_to(30));
    std::vector<std::string> lines;
    for (Request& request : requests) {
      request = workload_.next();
      lines.push_back(request.to_json());
    }
    const std::vector<std::string> replies = node_(lines);
    ASSERT_EQ(replies.size(), requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) ASSERT_EQ(replies[i], model_.execute(requests[i])) << lines[i];
  }

  void snapshot() {
    if (random_.one_in(3)) {
      node_.expect("snapshot.create_all");
    } else if (!model_.series.empty()) {
      auto chosen = model_.series.begin();
      std::advance(chosen, static_cast<std::ptrdiff_t>(random_.up_to(model_.series.size() - 1)));
      node_.expect("snapshot.create", ",\"series\":\"" + chosen->first + '"');
    }
    node_.expect("snapshot.verify");
    node_.clock.set(node_.clock.unix_seconds() + static_cast<std::int64_t>(random_.up_to(3)) - 1);
  }

  void restart() {
    ASSERT_EQ(node_.live_content(), model_.content());
    const std::uint64_t lsn = node_.lsn();
    node_.close(random_.one_in(4));
    ASSERT_EQ(check(*node_.files).front(), '0');
    ASSERT_EQ(content(*node_.files), model_.content());
    node_.open();
    if (!node_.is_open()) return;
    ASSERT_EQ(node_.live_content(), model_.content());
    ASSERT_EQ(node_.lsn(), lsn);
  }

  Random random_;
  Workload workload_;
  Model model_;
  Node node_;
};

class EngineModel : public testing::TestWithParam<bool> {};

TEST_P(EngineModel, LiveReplayedAndSnapshottedAreTheSame) {
  const std::uint64_t seed = test_seed();
  for (std::uint64_t run = 0; run < 12 && !HasFailure(); ++run) {
    SCOPED_TRACE(seed_text(seed + run));
    RandomLife(seed + run, GetParam()).run(6);
  }
}

INSTANTIATE_TEST_SUITE_P(Values, EngineModel, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Huge" : "Small"; });

// Without a log only snapshots last.
TEST(EngineModel, WithoutALogTheSnapshotIsTheState) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_text(seed));
  Random random(seed);
  Workload workload(random, false);
  Model model;
  Node node;
  node.config.wal = false;
  node.open();
  for (int generation = 0; generation < 4 && !HasFailure(); ++generation) {
    for (int i = 0; i < 60; ++i) {
      const Request request = workload.next();
      ASSERT_EQ(node(request.to_json()), model.execute(request));
    }
    const std::string kept = model.content();
    ASSERT_EQ(node.live_content(), kept);
    if (generation == 2) {
      node.expect("snapshot.create_all");
      for (int i = 0; i < 10; ++i) node(workload.next_mutation().to_json());
      node.close(false);
      node.open();
      ASSERT_EQ(node.live_content(), kept) << "what followed the snapshot was never promised";
    } else {
      node.close(true);
      node.open();
      ASSERT_EQ(node.live_content(), kept);
    }
  }
}

TEST(EngineModel, TheLogHoldsKeysAndValuesOfSixtyFourBits) {
  Node node;
  node.open();
  node.expect("series.batch_add", R"(,"series":"s","items":[[18446744073709551615,20260505,18446744073709551614]])");
  node.expect("counter.increment", R"(,"series":"s","key":18446744073709551615,"bucket":20260506)");
  const std::string refused = failure("validation_error", "Counter overflow key=18446744073709551615 bucket=20260506");
  const std::string again = R"(,"series":"s","key":18446744073709551615,"bucket":20260506)";
  EXPECT_EQ(node.call("counter.increment", again), refused);
  node.expect("counter.increment", R"(,"series":"s","key":9223372036854775808,"bucket":20260506,"value":9)");
  const std::string expected = node.live_content();
  node.reopen();
  EXPECT_EQ(node.live_content(), expected);
  EXPECT_EQ(node.call("counter.increment", again), refused);
  node.expect("snapshot.create_all");
  node.reopen();
  EXPECT_EQ(node.live_content(), expected);
  EXPECT_EQ(node.expect("counter.sum", R"(,"series":"s","key":18446744073709551615)"), "18446744073709551615");
  EXPECT_EQ(
      node.expect("tree.info", R"(,"series":"s")"),
      R"({"tree":"s","key_count":2,"bucket_count":3,"total":18446744073709551615,"branches":9,"saturated":true})");
}

}  // namespace
}  // namespace karma::test
