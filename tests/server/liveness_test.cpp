#include "server/liveness.h"

#include <gtest/gtest.h>

namespace karma::server {
namespace {

using Names = std::vector<std::string>;

// A loop that does what was posted when the test lets it.
struct HeldLoop {
  Loop loop(const std::string& name) {
    return posted_loop(name, [this](std::function<void()> function) { posted.push_back(std::move(function)); });
  }
  void turn() {
    for (const auto& function : std::exchange(posted, {})) function();
  }

  std::vector<std::function<void()>> posted;
};

Loop free_loop(const std::string& name) {
  return posted_loop(name, [](const std::function<void()>& function) { function(); });
}

class LivenessTest : public ::testing::Test {
 protected:
  Names ask(Liveness& liveness) {
    Names stuck = {"nobody has answered"};
    liveness.ask([&](Names names) { stuck = std::move(names); });
    context_.restart();
    context_.run();
    return stuck;
  }

  asio::io_context context_;
  Liveness liveness_{context_, std::chrono::milliseconds(50)};
};

TEST_F(LivenessTest, WithoutLoopsNothingIsStuck) { EXPECT_EQ(ask(liveness_), Names()); }

TEST_F(LivenessTest, NamesTheLoopsThatDoNotTurn) {
  HeldLoop held;
  liveness_.watch({free_loop("a"), held.loop("b"), free_loop("c")});
  EXPECT_EQ(ask(liveness_), Names({"b"}));
  held.turn();
  EXPECT_EQ(ask(liveness_), Names({"b"}));  // what has turned once has to turn again
  held.turn();
}

TEST_F(LivenessTest, AStuckLoopIsAskedOnce) {
  HeldLoop held;
  liveness_.watch({held.loop("b")});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(liveness_), Names({"b"}));
  EXPECT_EQ(held.posted.size(), 1u);
}

TEST_F(LivenessTest, ALoopThatTurnsInTimeIsAlive) {
  HeldLoop held;
  liveness_.watch({held.loop("b")});
  Names stuck = {"nobody has answered"};
  liveness_.ask([&](Names names) { stuck = std::move(names); });
  held.turn();
  context_.run();
  EXPECT_EQ(stuck, Names());
}

TEST_F(LivenessTest, AllWhoAskMeanwhileGetTheAnswer) {
  HeldLoop held;
  liveness_.watch({held.loop("b")});
  int told = 0;
  for (int i = 0; i < 3; ++i) liveness_.ask([&](const Names& names) { told += names == Names({"b"}); });
  context_.run();
  EXPECT_EQ(told, 3);
  EXPECT_EQ(held.posted.size(), 1u);
}

}  // namespace
}  // namespace karma::server
