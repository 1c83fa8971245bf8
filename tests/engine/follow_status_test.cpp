#include "engine/follow_status.h"

#include <gtest/gtest.h>

namespace karma::engine {
namespace {

using namespace std::chrono_literals;

class FollowStatusTest : public testing::Test {
 protected:
  using Number = std::optional<std::uint64_t>;
  ops::ReplicationStats at(std::chrono::milliseconds since) const {
    ops::ReplicationStats stats;
    status_.add_to(stats, Lsn{5}, FollowStatus::Time{} + since);
    return stats;
  }
  Number lag_ms(std::chrono::milliseconds since) const { return at(since).replication_lag_ms; }
  // A reply of the moment 0, which leaves the slave at LSN 7.
  void answered(std::uint64_t source, std::optional<std::chrono::milliseconds> next_age) {
    status_.poll_succeeded(0, Lsn{7}, {.source = Lsn{source}, .entries = 2, .came = {}, .next_age = next_age});
  }

  FollowStatus status_;
};

TEST_F(FollowStatusTest, TheLagIsUnknownBeforeAndAfterTheMasterAnswers) {
  EXPECT_EQ(lag_ms(0ms), Number());
  answered(9, 40ms);
  EXPECT_EQ(lag_ms(0ms), 40);
  EXPECT_EQ(at(0ms).replication_lag_entries, 2);
  status_.poll_failed(0, Lsn{7}, "gone");
  EXPECT_EQ(lag_ms(0ms), Number());
  EXPECT_EQ(at(0ms).replication_lag_entries, Number());
}

TEST_F(FollowStatusTest, WhatIsMissingGrowsOlder) {
  answered(9, 40ms);
  EXPECT_EQ(lag_ms(25ms), 65);
  EXPECT_EQ(lag_ms(1h), 3'600'040);
  answered(9, std::nullopt);
  EXPECT_EQ(lag_ms(25ms), Number()) << "a Karma 1.0 does not tell";
}

TEST_F(FollowStatusTest, WhoeverHasAllHasItAsLongAsTheMasterAnswers) {
  answered(7, 0ms);
  EXPECT_EQ(lag_ms(0ms), 0);
  EXPECT_EQ(lag_ms(FollowStatus::kAnswersWithin), 0);
  EXPECT_EQ(lag_ms(FollowStatus::kAnswersWithin + 1ms), Number());
  EXPECT_EQ(at(FollowStatus::kAnswersWithin).replication_lag_entries, 0);
  EXPECT_EQ(at(FollowStatus::kAnswersWithin + 1ms).replication_lag_entries, Number());
}

TEST_F(FollowStatusTest, WhatIsThereOfAPageThatFailedCounts) {
  EXPECT_EQ(at(0ms).replication_replayed_lsn, 5) << "as it was at the start";
  answered(7, 0ms);
  EXPECT_EQ(at(0ms).replication_replayed_lsn, 7);
  status_.poll_failed(0, Lsn{10}, "the disk is full");
  EXPECT_EQ(at(0ms).replication_replayed_lsn, 10);
  EXPECT_EQ(at(0ms).replication_entries_applied, 5);
}

}  // namespace
}  // namespace karma::engine
