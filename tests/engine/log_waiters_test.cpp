#include "engine/log_waiters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace karma::engine {
namespace {

using namespace std::chrono_literals;

class LogWaitersTest : public ::testing::Test {
 protected:
  bool wait(Lsn after, std::chrono::milliseconds time) {
    auto job = std::make_unique<Job>();
    const bool waits = waiters_.wait(job, after, time);
    EXPECT_EQ(waits, job == nullptr);
    return waits;
  }
  void grow_to(std::uint64_t lsn) {
    position_ = lsn;
    waiters_.notify();
  }
  int answers() {
    std::lock_guard lock(mutex_);
    return answers_;
  }
  bool wait_for_answers(int count) {
    std::unique_lock lock(mutex_);
    return answered_.wait_for(lock, 20s, [&] { return answers_ >= count; });
  }

  std::atomic<std::uint64_t> position_{5};
  std::mutex mutex_;
  std::condition_variable answered_;
  int answers_ = 0;
  LogWaiters waiters_{[this] { return Lsn{position_}; },
                      [this](std::unique_ptr<Job> job) {
                        EXPECT_NE(job, nullptr);
                        std::lock_guard lock(mutex_);
                        ++answers_;
                        answered_.notify_all();
                      }};
};

TEST_F(LogWaitersTest, WhatIsThereIsNotWaitedFor) {
  EXPECT_FALSE(wait(Lsn{4}, 1h));
  EXPECT_FALSE(wait(Lsn{5}, 0ms));
  EXPECT_EQ(answers(), 0);
}

TEST_F(LogWaitersTest, AnEntryAnswersThoseThatWaitForIt) {
  ASSERT_TRUE(wait(Lsn{5}, 1h));
  ASSERT_TRUE(wait(Lsn{6}, 1h));
  grow_to(6);
  ASSERT_TRUE(wait_for_answers(1));
  EXPECT_EQ(answers(), 1);
  grow_to(7);
  ASSERT_TRUE(wait_for_answers(2));
}

TEST_F(LogWaitersTest, TimeAnswersToo) {
  ASSERT_TRUE(wait(Lsn{5}, 1h));
  ASSERT_TRUE(wait(Lsn{5}, 5ms));
  ASSERT_TRUE(wait_for_answers(1));
  EXPECT_EQ(answers(), 1);
}

TEST_F(LogWaitersTest, NoMoreThanTheBound) {
  for (std::size_t i = 0; i < LogWaiters::kMaxWaiting; ++i) ASSERT_TRUE(wait(Lsn{5}, 1h));
  EXPECT_FALSE(wait(Lsn{5}, 1h));
  grow_to(6);
  EXPECT_TRUE(wait_for_answers(static_cast<int>(LogWaiters::kMaxWaiting)));
}

TEST_F(LogWaitersTest, ClosingAnswersAllAndNothingWaitsAfterIt) {
  ASSERT_TRUE(wait(Lsn{5}, 1h));
  waiters_.close();
  EXPECT_EQ(answers(), 1);
  EXPECT_FALSE(wait(Lsn{5}, 1h));
  waiters_.close();
}

// The entry may come at the very moment at which somebody begins to wait for it.
TEST_F(LogWaitersTest, NoEntryIsMissed) {
  constexpr int kRounds = 3000;
  int waited = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t before = position_;
    std::thread writer([&] { grow_to(before + 1); });
    waited += wait(Lsn{before}, 1h);
    writer.join();
    ASSERT_TRUE(wait_for_answers(waited)) << round;
  }
}

}  // namespace
}  // namespace karma::engine
