// Pages of keys of a large series: each is right at its moment, whatever is added and removed between two of them, and
// all of them together look at the whole series a few times, however many they are.
#include "commands/key_page.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::uint64_t kKeys = 150000;
const Bucket kBucket = Bucket::of_number(20260505);

class KeyPages : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    (void)engine_->shutdown(false);  // only the test changes the store
    reader_ = &store().lock().add_reader();
    for (std::uint64_t i = 0; i < kKeys; ++i) add(i * 0x9E3779B97F4A7C15u);
  }

  store::Store& store() { return engine_->store(); }
  store::Series& series() { return store().find_or_create("s"); }
  void add(std::uint64_t key) {
    std::lock_guard lock(store().lock());
    series().add({key}, kBucket, 1);
    keys_.insert(key);
  }
  void remove(std::uint64_t key) {
    std::lock_guard lock(store().lock());
    series().reset({key});
    keys_.erase(key);
  }
  commands::KeyPage page(std::optional<Key> cursor, std::size_t limit) {
    commands::Reads reads(store(), *reader_, *engine_, arena_);
    Result<commands::KeyPage> page = commands::read_key_page("s", cursor, limit, reads);
    EXPECT_TRUE(page.ok());
    return std::move(*page);
  }
  // What the page must hold now.
  void expect_page(const commands::KeyPage& page, std::optional<Key> cursor, std::size_t limit) {
    auto key = cursor ? keys_.upper_bound(cursor->value) : keys_.begin();
    for (const store::KeyTotal& found : page.keys) {
      ASSERT_NE(key, keys_.end());
      ASSERT_EQ(found.key.value, *key++);
      ASSERT_EQ(found.total, 1u);
    }
    ASSERT_EQ(page.next.has_value(), key != keys_.end());
    if (page.next) {
      ASSERT_EQ(page.keys.size(), limit);
      ASSERT_EQ(page.next->value, page.keys.back().key.value);
    }
  }

  Config config_ = test_config();
  CrashableFileSystem files_;
  ManualClock clock_;
  EventLog log_{clock_, false};
  Arena arena_;
  std::unique_ptr<engine::Engine> engine_;
  store::StoreLock::Reader* reader_ = nullptr;
  std::set<std::uint64_t> keys_;
};

TEST_F(KeyPages, ManyPagesSortTheKeysAFewTimes) {
  std::optional<Key> cursor;
  std::size_t pages = 0;
  do {
    const commands::KeyPage found = page(cursor, 100);
    ASSERT_NO_FATAL_FAILURE(expect_page(found, cursor, 100));
    cursor = found.next;
    ++pages;
  } while (cursor);
  EXPECT_EQ(pages, kKeys / 100);
  EXPECT_LE(store().key_windows().kept(), kKeys / store::kWindowedKeys + 1);
}

// A page that has to sort a window first takes longer than others, and would never come if it were given up.
TEST_F(KeyPages, TheQueryTimeoutDoesNotKeepAPageFromComing) {
  commands::Reads reads(store(), *reader_, *engine_, arena_);
  reads.set_query_timeout(clock_, 1);
  clock_.advance(1);
  ASSERT_TRUE(reads.expired());
  EXPECT_TRUE(commands::read_key_page("s", Key{5}, 10, reads).ok());
}

TEST_F(KeyPages, WhatComesAndGoesBetweenPagesIsSeen) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_text(seed));
  Random random(seed);
  std::optional<Key> cursor;
  do {
    for (int i = 0; i < 8; ++i) add(random.any());
    if (cursor) {
      add(cursor->value + 1 + random.up_to(1000));
      if (auto next = keys_.upper_bound(cursor->value); next != keys_.end()) remove(*next);
      if (random.one_in(4)) remove(cursor->value), add(cursor->value);
    }
    const std::size_t limit = 1 + random.up_to(2000);
    const commands::KeyPage found = page(cursor, limit);
    ASSERT_NO_FATAL_FAILURE(expect_page(found, cursor, limit));
    cursor = found.next;
  } while (cursor);
  EXPECT_LE(store().key_windows().kept(), 2 * (kKeys / store::kWindowedKeys + 1));
}

// More came than the series remembers, or it is another one of the same name: the keys are sorted anew.
TEST_F(KeyPages, AnOldWindowIsNotBelieved) {
  ASSERT_NO_FATAL_FAILURE(expect_page(page({}, 10), {}, 10));
  for (std::uint64_t i = 1; i <= 20000; ++i) add(i);
  ASSERT_NO_FATAL_FAILURE(expect_page(page({}, 10), {}, 10));
  EXPECT_EQ(store().key_windows().kept(), 2u);
  {
    std::lock_guard lock(store().lock());
    store().drop("s");
  }
  keys_.clear();
  for (std::uint64_t i = 0; i < kKeys; ++i) add(5 * i);
  ASSERT_NO_FATAL_FAILURE(expect_page(page({}, 10), {}, 10));
  ASSERT_NO_FATAL_FAILURE(expect_page(page(Key{77}, 10), Key{77}, 10));
}

TEST_F(KeyPages, DuringARemovalOnlyWhatIsLeftIsThere) {
  (void)page({}, 10);
  {
    std::lock_guard lock(store().lock());
    series().add({3}, Bucket::of_number(20260506), 1);
    store().remove_range("s", {kBucket, kBucket});
  }
  const commands::KeyPage found = page({}, 10);
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].key.value, 3u);
  EXPECT_FALSE(found.next);
}

// Points of whole keys until the response is full, also where pages are cut by it.
TEST(TreePoints, APageHoldsAsManyKeysAsFit) {
  Node node;
  node.config.max_response_bytes = 600;
  node.open();
  std::map<std::uint64_t, std::string> expected;
  for (std::uint64_t key = 1; key <= 40; ++key) {
    for (int day = 1; day <= 1 + static_cast<int>(key % 5); ++day) {
      const std::string bucket = std::to_string(20260500 + day);
      node.expect("counter.increment", R"(,"series":"s","key":)" + std::to_string(key) + R"(,"bucket":)" + bucket);
      expected[key] += (expected[key].empty() ? "[" : ",[") + std::to_string(key) + ',' + bucket + ",1]";
    }
  }
  std::string cursor = "null";
  std::uint64_t next = 1;
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const std::string reply =
        node.expect("tree.points", R"(,"series":"s","limit":30)" + (cursor == "null" ? "" : R"(,"cursor":)" + cursor));
    EXPECT_LE(reply.size(), 600u);
    const std::string start = R"({"tree":"s","limit":30,"cursor":)" + cursor + R"(,"points":[)";
    ASSERT_TRUE(reply.starts_with(start)) << reply;
    std::string points;
    while (next <= 40 && reply.find(points + (points.empty() ? "" : ",") + expected[next]) == start.size())
      points += (points.empty() ? "" : ",") + expected[next++];
    more = next <= 40;
    cursor = more ? std::to_string(next - 1) : "null";
    ASSERT_EQ(reply, start + points + R"(],"next_cursor":)" + cursor + "}");
  }
  EXPECT_GT(pages, 4);
  EXPECT_EQ(node.call("tree.points", R"(,"series":"none")"), failure("not_found", R"(Tree "none" not found)"));
}

}  // namespace
}  // namespace karma::test
