#include "engine/commit_times.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using namespace std::chrono_literals;
using Time = CommitTimes::Time;
using Age = std::optional<CommitTimes::Milliseconds>;

TEST(CommitTimes, NothingIsKnownBeforeSomebodyWantsToKnow) {
  CommitTimes times;
  const Time start{};
  EXPECT_FALSE(times.wanted());
  EXPECT_EQ(times.age(Lsn{1}, start), Age());
  times.want(Lsn{5});
  EXPECT_TRUE(times.wanted());
  EXPECT_EQ(times.age(Lsn{6}, start), Age()) << "nobody has noted it yet";
  times.note(Lsn{7}, start);
  EXPECT_EQ(times.age(Lsn{5}, start + 9ms), Age());
  EXPECT_EQ(times.age(Lsn{6}, start + 9ms), 9ms);
  EXPECT_EQ(times.age(Lsn{7}, start + 9ms), 9ms);
  times.want(Lsn{7});
  EXPECT_EQ(times.age(Lsn{6}, start + 9ms), 9ms) << "once is enough";
  times.forget(Lsn{3});
  EXPECT_EQ(times.age(Lsn{7}, start + 9ms), Age());
  times.note(Lsn{4}, start + 10ms);
  EXPECT_EQ(times.age(Lsn{4}, start + 12ms), 2ms);
}

TEST(CommitTimes, APauseBelongsToNoEntry) {
  CommitTimes times;
  const Time start{};
  times.want(Lsn{0});
  times.note(Lsn{1}, start);
  times.note(Lsn{2}, start + 500us);
  times.note(Lsn{3}, start + 1h);
  EXPECT_EQ(times.age(Lsn{2}, start + 1h), 1h);
  EXPECT_EQ(times.age(Lsn{3}, start + 1h), 0ms);
}

// However long it goes on: compared with all times, in bursts with pauses of all lengths.
TEST(CommitTimes, AnAgeIsRightToASixteenthAndTheMemoryBounded) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  CommitTimes times;
  times.want(Lsn{0});
  std::vector<Time> committed = {Time{}};
  Time now{};
  for (int batch = 0; batch < 60000; ++batch) {
    const bool pause = random.one_in(2000);
    now += pause ? std::chrono::milliseconds(random.up_to(3'600'000)) : std::chrono::microseconds(random.up_to(3000));
    for (std::uint64_t more = random.up_to(3) + 1; more > 0; --more) committed.push_back(now);
    times.note(Lsn{committed.size() - 1}, now);
    ASSERT_LE(times.samples(), CommitTimes::kMaxSamples);
    if (batch % 97 != 0) continue;
    const std::uint64_t back = std::uint64_t{1} << random.up_to(17);
    if (back >= committed.size()) continue;
    const Lsn lsn{committed.size() - back};
    const Age told = times.age(lsn, now);
    ASSERT_TRUE(told.has_value()) << lsn.value;
    const auto age = std::chrono::duration<double, std::milli>(now - committed[lsn.value]).count();
    ASSERT_NEAR(static_cast<double>(told->count()), age, age / 16 + 2) << lsn.value;
  }
}

}  // namespace
}  // namespace karma::engine
