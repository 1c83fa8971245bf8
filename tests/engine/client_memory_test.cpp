#include "engine/client_memory.h"

#include <gtest/gtest.h>

namespace karma::engine {
namespace {

constexpr std::size_t kLimit = 64 << 20;
constexpr std::size_t kQuarter = kLimit / 8 / 4;  // of the share of requests

TEST(ClientMemory, JobsNeverKeepWritesOut) {
  ClientMemory memory(kLimit);
  memory.jobs = 3 * kQuarter;
  EXPECT_TRUE(memory.jobs_are_refused());
  EXPECT_FALSE(memory.writes_wait(false));
  memory.writes = kQuarter - 1;
  EXPECT_FALSE(memory.writes_wait(false));
  memory.writes = kQuarter;
  EXPECT_TRUE(memory.writes_wait(false));
}

TEST(ClientMemory, WritesNeverKeepJobsOut) {
  ClientMemory memory(kLimit);
  memory.writes = 3 * kQuarter;
  EXPECT_TRUE(memory.writes_wait(false));
  EXPECT_FALSE(memory.jobs_are_refused());
  memory.jobs = kQuarter - 1;
  EXPECT_FALSE(memory.jobs_are_refused());
  memory.jobs = kQuarter;
  EXPECT_TRUE(memory.jobs_are_refused());
}

TEST(ClientMemory, TogetherTheyHaveTheWholeShareAndNoMore) {
  ClientMemory memory(kLimit);
  constexpr std::size_t kStep = kQuarter / 8;
  for (std::size_t jobs = 0; jobs <= 4 * kQuarter; jobs += kStep) {
    for (std::size_t writes = 0; writes <= 4 * kQuarter; writes += kStep) {
      memory.jobs = jobs;
      memory.writes = writes;
      EXPECT_EQ(memory.requests(), jobs + writes);
      if (jobs + writes < 3 * kQuarter) {
        EXPECT_FALSE(memory.writes_wait(false) || memory.jobs_are_refused()) << jobs << " and " << writes;
      }
      // What is reached from within the share by steps that are allowed stays within it.
      if (jobs + writes >= 4 * kQuarter && jobs <= 3 * kQuarter && writes <= 3 * kQuarter) {
        EXPECT_TRUE(memory.writes_wait(false) && memory.jobs_are_refused()) << jobs << " and " << writes;
      }
    }
  }
}

TEST(ClientMemory, LargeWritesLeaveRoomForSmallOnes) {
  constexpr std::size_t kStep = kQuarter / 8;
  for (std::size_t jobs = 0; jobs <= 3 * kQuarter; jobs += kStep) {
    ClientMemory memory(kLimit);
    memory.jobs = jobs;
    EXPECT_FALSE(memory.writes_wait(true)) << jobs;
    std::size_t writes = 0;
    for (; !memory.writes_wait(true); memory.writes = writes) writes += kStep;
    memory.writes = writes + kQuarter / 2 - 1;
    EXPECT_FALSE(memory.writes_wait(false)) << jobs << " and " << writes;
  }
}

TEST(ClientMemory, APartTellsOfNothingAtOnce) {
  ClientMemory memory(kLimit);
  {
    ClientMemory::Part part(memory.writes);
    part.set(ClientMemory::kStepBytes);
    EXPECT_EQ(memory.writes.load(), ClientMemory::kStepBytes);
    part.set(1);
    EXPECT_EQ(memory.writes.load(), ClientMemory::kStepBytes) << "less than a step";
    part.set(0);
    EXPECT_EQ(memory.writes.load(), 0U);
    part.set(2 * ClientMemory::kStepBytes);
  }
  EXPECT_EQ(memory.writes.load(), 0U) << "its thread has gone";
}

}  // namespace
}  // namespace karma::engine
