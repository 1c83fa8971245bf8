// What a node says of itself to load balancers, state by state; what follows from it: tests/ops/readiness_test.cpp.
#include <gtest/gtest.h>

#include "core/log.h"
#include "engine/dispatcher.h"
#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using test::CrashableFileSystem;

class NodeState : public testing::Test {
 protected:
  void open() {
    Result<std::unique_ptr<Engine>> opened = Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
  }
  void open_slave() {
    config_.role = Role::slave;
    config_.replication_source_host = "127.0.0.1";
    open();
  }
  // A write, answered or refused.
  void write() {
    Dispatcher dispatcher(*engine_, config_, [] {});
    Buffer reply;
    const Handled handled =
        dispatcher.handle(R"({"v":2,"op":"counter.increment","series":"s","key":1})", this, 0, reply);
    ASSERT_EQ(handled, Handled::pending);
    dispatcher.flush();
    while (reply.size() == 0) dispatcher.collect([&](void*, std::size_t) -> Buffer& { return reply; }, [](void*) {});
  }
  ops::NodeState state() const { return engine_->node_state(); }

  Config config_ = test::test_config();
  CrashableFileSystem files_;
  test::ManualClock clock_;
  EventLog log_{clock_, false};
  std::unique_ptr<Engine> engine_;
};

TEST_F(NodeState, AMasterHasNothingToSay) {
  open();
  write();
  EXPECT_EQ(state().phase, ops::NodeState::Phase::serving);
  EXPECT_FALSE(state().slave);
  EXPECT_EQ(state().superseded + state().log_problem + state().reads_withheld + state().following_problem, "");
}

TEST_F(NodeState, ASupersededMasterSaysByWhom) {
  open();
  engine_->supersede("10.0.0.6:8080 is a later master");
  EXPECT_EQ(state().superseded, "10.0.0.6:8080 is a later master");
}

// The next one may come when there is room again, and nobody sends it to a node that is out.
TEST_F(NodeState, AWriteThatCouldNotBeLoggedCountsForAWhile) {
  open();
  files_.fail({.operation = CrashableFileSystem::Operation::write, .name = "karma.wal"});
  write();
  EXPECT_NE(state().log_problem, "");
  clock_.advance(9);
  EXPECT_NE(state().log_problem, "");
  clock_.advance(1);
  EXPECT_EQ(state().log_problem, "");
  files_.fail({.operation = CrashableFileSystem::Operation::write, .name = "karma.wal"});
  write();
  EXPECT_NE(state().log_problem, "");
  write();
  EXPECT_EQ(state().log_problem, "");
}

TEST_F(NodeState, AFailedSyncCountsForEver) {
  open();
  files_.fail({.operation = CrashableFileSystem::Operation::sync, .name = "karma.wal"});
  write();
  clock_.advance(1'000'000);
  EXPECT_NE(state().log_problem.find("writing has stopped"), std::string::npos);
}

TEST_F(NodeState, ASlaveKnowsItsLagWhileItsMasterAnswers) {
  open_slave();
  EXPECT_TRUE(state().slave);
  EXPECT_NE(state().reads_withheld, "");
  EXPECT_FALSE(state().lag_ms);
  engine_->has_data();
  engine_->follow_status().poll_succeeded(0, {}, {.source = {}, .came = clock_.steady()});
  EXPECT_EQ(state().reads_withheld + state().following_problem, "");
  EXPECT_EQ(state().lag_ms, 0u);
  clock_.advance(FollowStatus::kAnswersWithin.count() + 1);
  EXPECT_FALSE(state().lag_ms);
  engine_->follow_status().poll_failed(0, {}, "connection refused");
  EXPECT_EQ(state().following_problem, "cannot follow the master");  // the cause may name what is nobody's business
}

TEST_F(NodeState, ADivergedSlaveSaysSoAndMayWithholdReads) {
  config_.replica_serve_stale = false;
  open_slave();
  engine_->has_data();
  EXPECT_FALSE(state().diverged);
  engine_->follow_status().diverged("the master has other entries");
  engine_->data_is_stale();
  EXPECT_TRUE(state().diverged);
  EXPECT_NE(state().reads_withheld, "");
}

TEST_F(NodeState, ASlaveWithoutAMasterDoesNotKnowItsLag) {
  config_.role = Role::slave;
  open();
  EXPECT_TRUE(state().slave);
  EXPECT_FALSE(state().lag_ms);
  EXPECT_NE(state().following_problem, "");
}

}  // namespace
}  // namespace karma::engine
