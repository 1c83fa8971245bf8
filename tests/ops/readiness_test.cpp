#include "ops/readiness.h"

#include <gtest/gtest.h>

namespace karma::ops {
namespace {

using Phase = NodeState::Phase;

constexpr std::uint64_t kMaxLag = 1000;

NodeState master() {
  NodeState state;
  state.phase = Phase::serving;
  return state;
}

NodeState slave(std::optional<std::uint64_t> lag_ms) {
  NodeState state = master();
  state.slave = true;
  state.lag_ms = lag_ms;
  return state;
}

std::string joined(const Missing& missing) {
  std::string text;
  for (const std::string& line : missing) text += (text.empty() ? "" : "; ") + line;
  return text;
}

// What each question is answered: ready, primary, replica, replica within kMaxLag, read; "+" for yes.
std::string answers(const NodeState& state) {
  const auto sign = [](const Missing& missing) { return missing.empty() ? '+' : '-'; };
  return {sign(missing_to_be_ready(state, kMaxLag)), sign(missing_to_be_primary(state)),
          sign(missing_to_be_replica(state, {})), sign(missing_to_be_replica(state, kMaxLag)),
          sign(missing_to_be_read(state))};
}

TEST(Readiness, AMasterIsReadyAndPrimary) { EXPECT_EQ(answers(master()), "++--+"); }

TEST(Readiness, ANodeThatStartsOrStopsIsNothingAndSaysHowFarItIs) {
  NodeState state;
  state.progress = "applying the log, 4 of 9 bytes";
  EXPECT_EQ(answers(state), "-----");
  EXPECT_EQ(joined(missing_to_be_ready(state, kMaxLag)), "starting: applying the log, 4 of 9 bytes");
  state = slave(0);
  state.phase = Phase::stopping;
  EXPECT_EQ(answers(state), "-----");
  EXPECT_EQ(joined(missing_to_be_read(state)), "the node stops");
}

TEST(Readiness, ASlaveIsReadyUpToTheLag) {
  EXPECT_EQ(answers(slave(0)), "+-+++");
  EXPECT_EQ(answers(slave(kMaxLag)), "+-+++");
  EXPECT_EQ(answers(slave(kMaxLag + 1)), "--+-+");
  EXPECT_EQ(joined(missing_to_be_ready(slave(kMaxLag + 1), kMaxLag)),
            "1001 ms behind its master; at most 1000 ms are wanted");
}

TEST(Readiness, AnUnknownLagIsNoPass) {
  NodeState state = slave({});
  state.following_problem = "the master has not answered yet";
  EXPECT_EQ(answers(state), "--+-+");
  EXPECT_EQ(joined(missing_to_be_ready(state, UINT64_MAX)),
            "how far it is behind its master is not known; at most 18446744073709551615 ms are wanted; the master has "
            "not answered yet");
}

TEST(Readiness, ASlaveWithoutDataIsNothing) {
  NodeState state = slave({});
  state.reads_withheld = "This slave does not have its master's data yet";
  state.following_problem = "copying the master's data: 3 of 5 files";
  EXPECT_EQ(answers(state), "-----");
  EXPECT_NE(joined(missing_to_be_ready(state, kMaxLag)).find("3 of 5 files"), std::string::npos);
}

TEST(Readiness, ADivergedSlaveAnswersReadsAndIsNoReplica) {
  NodeState state = slave(0);
  state.diverged = true;
  EXPECT_EQ(answers(state), "----+");
}

TEST(Readiness, ASupersededMasterTakesNoWrites) {
  NodeState state = master();
  state.superseded = "10.0.0.6:8080 is a later master";
  EXPECT_EQ(answers(state), "----+");
  EXPECT_EQ(joined(missing_to_be_primary(state)), state.superseded);
}

TEST(Readiness, ABrokenLogKeepsAMasterFromWritingAndASlaveFromBeingReady) {
  NodeState state = master();
  state.log_problem = "the disk is full";
  EXPECT_EQ(answers(state), "----+");
  state.slave = true;
  state.lag_ms = 0;
  EXPECT_EQ(answers(state), "--+++");
}

}  // namespace
}  // namespace karma::ops
