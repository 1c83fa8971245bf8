#include "store/idempotency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace karma::store {
namespace {

class Records : public ::testing::Test {
 protected:
  void remember(std::string_view key, std::int64_t created_at, std::uint64_t first = 1) {
    const Fingerprint fingerprint = sha256(key);
    records.remember({.key = records.key(key),
                      .operation = OperationId{3},
                      .content = fingerprint,
                      .first = first,
                      .second = UINT64_MAX - first,
                      .created_at = created_at});
    records.check_invariants();
  }
  bool knows(std::string_view key, std::int64_t now = 1000) {
    const std::optional<IdempotencyRecord> found = records.find(records.key(key));
    return found && !records.is_too_old(*found, now);
  }
  static std::vector<std::string> keys(const IdempotencyView& view) {
    std::vector<std::string> keys;
    view.for_each([&](const IdempotencyRecord& record) {
      keys.emplace_back(record.key.text);
      return true;
    });
    return keys;
  }

  IdempotencyRecords records{7, {.max_records = 1000000, .max_age_seconds = 100}};
};

using Keys = std::vector<std::string>;

TEST_F(Records, GivesBackWhatWasRemembered) {
  remember("a", 1000, 5);
  const std::string longest(kMaxIdempotencyKeyBytes, 'k');
  remember(longest, 1001, UINT64_MAX);
  const std::optional<IdempotencyRecord> found = records.find(records.key("a"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key.text, "a");
  EXPECT_EQ(found->operation, OperationId{3});
  EXPECT_EQ(found->content.fingerprint("batch_add"), sha256("a"));
  EXPECT_EQ(found->first, 5u);
  EXPECT_EQ(found->second, UINT64_MAX - 5);
  EXPECT_EQ(found->created_at, 1000);
  ASSERT_TRUE(knows(longest));
  EXPECT_EQ(records.find(records.key(longest))->first, UINT64_MAX);
  EXPECT_FALSE(knows("b"));
  EXPECT_FALSE(knows(longest.substr(1)));
}

TEST_F(Records, ForgetsTheOldestBeyondTheCount) {
  records.set_limits({.max_records = 3, .max_age_seconds = 0});
  for (const std::string_view key : {"a", "b", "c", "d"}) remember(key, 1000);
  EXPECT_EQ(keys(records.view()), (Keys{"b", "c", "d"}));
  EXPECT_EQ(records.size(), 3u);
  EXPECT_EQ(records.pruned(), 1u);
  EXPECT_FALSE(knows("a"));
}

TEST_F(Records, DoesNotFindWhatIsTooOld) {
  remember("a", 1000);
  EXPECT_TRUE(knows("a", 1100));
  EXPECT_FALSE(knows("a", 1101));
  records.set_limits({.max_records = 10, .max_age_seconds = 0});
  EXPECT_TRUE(knows("a", INT64_MAX));
}

TEST_F(Records, ForgetsTheTooOldWhenANewOneComes) {
  remember("a", 1000);
  remember("b", 1001);
  remember("c", 1101);
  EXPECT_EQ(keys(records.view()), (Keys{"b", "c"}));
}

TEST_F(Records, ReplacesARecordThatIsRegisteredAgain) {
  remember("a", 1000, 1);
  remember("b", 1000, 2);
  remember("a", 1050, 3);
  EXPECT_EQ(keys(records.view()), (Keys{"b", "a"}));
  EXPECT_EQ(records.size(), 2u);
  EXPECT_EQ(records.find(records.key("a"))->first, 3u);
}

TEST_F(Records, PrunesByTimeInOrderOfRegistrationUpToALimit) {
  for (const auto& [key, time] : {std::pair{"a", 1000}, {"b", 1050}, {"c", 1001}, {"d", 1002}, {"e", 1060}})
    remember(key, time);
  EXPECT_EQ(records.prune(1000, UINT64_MAX), 0u);
  EXPECT_EQ(records.prune(1010, 2), 2u);
  records.check_invariants();
  EXPECT_EQ(keys(records.view()), (Keys{"b", "d", "e"}));
  EXPECT_EQ(records.prune(2000, UINT64_MAX), 3u);
  records.check_invariants();
  EXPECT_EQ(records.size(), 0u);
  EXPECT_EQ(records.prune(2000, UINT64_MAX), 0u);
  remember("a", 1000);
  EXPECT_TRUE(knows("a"));
}

TEST_F(Records, AViewStaysWhatItWas) {
  records.set_limits({.max_records = 3, .max_age_seconds = 0});
  for (const std::string_view key : {"a", "b", "c"}) remember(key, 1000);
  const IdempotencyView before = records.view();
  remember("b", 1001);
  remember("d", 1002);
  records.prune(2000, UINT64_MAX);
  remember("e", 1003);
  EXPECT_EQ(keys(before), (Keys{"a", "b", "c"}));
  EXPECT_EQ(before.size(), 3u);
  EXPECT_EQ(keys(records.view()), (Keys{"e"}));
}

// The front never moves, as its time lies ahead of all others.
TEST_F(Records, DoesNotPileUpWhatWasReplaced) {
  remember("future", 1000000);
  for (int i = 0; i < 20000; ++i) {
    records.remember({.key = records.key("again"), .content = {}, .created_at = 1000 + i});
  }
  records.check_invariants();
  EXPECT_EQ(keys(records.view()), (Keys{"future", "again"}));
  EXPECT_LT(records.memory_bytes(), std::size_t{3} << 20);
}

TEST_F(Records, GivesMemoryBackAsTheQueueMovesOn) {
  records.set_limits({.max_records = 1000, .max_age_seconds = 0});
  for (int i = 0; i < 100000; ++i)
    records.remember({.key = records.key("key-" + std::to_string(i)), .content = {}, .created_at = 1000});
  records.check_invariants();
  EXPECT_EQ(records.size(), 1000u);
  EXPECT_LT(records.memory_bytes(), std::size_t{2} << 20);
  EXPECT_FALSE(knows("key-98999"));
  EXPECT_TRUE(knows("key-99000"));
}

// Whole chunks go at once; what is left, and how many went, is as if they had gone one by one.
TEST(IdempotencyRecords, PruningManyIsExactWhereverItEnds) {
  constexpr std::uint64_t kCount = 30000;  // of dozens of bytes: several chunks
  for (const bool pinned : {false, true}) {
    for (const std::uint64_t limit : {std::uint64_t{1}, std::uint64_t{10000}, kCount / 2, kCount, UINT64_MAX}) {
      for (const std::int64_t before : {999, 1000, 1900, 20000, 99999}) {
        IdempotencyRecords records(7, {.max_records = 1000000, .max_age_seconds = 0});
        std::uint64_t older = 0;
        const auto time_of = [](std::uint64_t i) { return static_cast<std::int64_t>(1000 + (i % 50 == 49 ? 0 : i)); };
        for (std::uint64_t i = 0; i < kCount; ++i) {
          const std::string text = "a-key-that-takes-some-bytes-" + std::to_string(i);
          IdempotencyRecord record;
          record.key = records.key(text);
          record.created_at = time_of(i);
          records.remember(record, true);
          older += record.created_at < before;
        }
        const std::uint64_t early = records.prune(1001, 3);  // some in the middle are gone already
        ASSERT_EQ(early, 3u);
        const std::uint64_t expected = std::min(limit, older < early ? 0 : older - early);
        std::optional<IdempotencyView> view;
        if (pinned) view = records.view();
        ASSERT_EQ(records.prune(before, limit), expected) << before << ' ' << limit;
        ASSERT_EQ(records.size(), kCount - early - expected);
        if (view) {
          ASSERT_EQ(view->size(), kCount - early);
        }
        records.check_invariants();
        const std::string again = "a-key-that-takes-some-bytes-7";
        IdempotencyRecord record;
        record.key = records.key(again);
        record.created_at = 100000;
        records.remember(record);
        records.check_invariants();
      }
    }
  }
}

}  // namespace
}  // namespace karma::store
