#include "store/directory.h"

#include <gtest/gtest.h>

#include <vector>

namespace karma::store {
namespace {

constexpr std::uint64_t kSeed = 99;

void insert(Directory& directory, Key key) {
  std::uint64_t hash = directory.hash(key);
  Page& page = directory.own_page_with_room(hash);
  Counter& counter = page.empty_slot(hash);
  counter.key = key.value;
  counter.put(Day(Bucket::of_day(20000)), 1);
  page.slot_filled();
}

TEST(Directory, SplitsPagesWhenKeysSpread) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 10000; ++key) insert(directory, {key});
  directory.check_invariants();
  EXPECT_GE(directory.pages().size(), 10000u / Page::capacity(Page::kUsualSlots));
  EXPECT_LE(directory.pages().size(), 2 * 10000u / Page::capacity(Page::kUsualSlots));
  for (const Ref<Page>& page : directory.pages()) EXPECT_EQ(page->slots(), Page::kUsualSlots);
}

TEST(Directory, AFewKeysTakeOneSmallPage) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 6; ++key) insert(directory, {key});
  ASSERT_EQ(directory.pages().size(), 1u);
  EXPECT_EQ(directory.pages()[0]->slots(), Page::kFirstSlots);
}

// Keys that agree in many of the highest bits of their hash would double the index again and again.
TEST(Directory, GrowsAPageRatherThanTheIndexWhenHashesCollide) {
  Directory directory(kSeed);
  std::uint64_t inserted = 0;
  for (std::uint64_t key = 0; inserted < 500; ++key) {
    if (hash_key({key}, kSeed) >> 53 != 0x2A5) continue;
    insert(directory, {key});
    ++inserted;
  }
  directory.check_invariants();
  std::uint32_t count = 0;
  for (const Ref<Page>& page : directory.pages()) {
    EXPECT_LE(std::size_t{1} << page->depth, 16 * (directory.pages().size() + 4));
    count += page->count();
  }
  EXPECT_EQ(count, inserted);
}

TEST(Directory, ACopySharesPagesUntilTheyAreOwned) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 1000; ++key) insert(directory, {key});
  Directory copy(directory);
  const Page* shared = directory.pages()[3].get();
  EXPECT_EQ(copy.pages()[3].get(), shared);
  EXPECT_NE(&copy.own(3), shared);
  EXPECT_EQ(directory.pages()[3].get(), shared);
  EXPECT_EQ(&directory.own(3), shared);  // nobody else has it any more
  directory.check_invariants();
  copy.check_invariants();
}

TEST(Directory, ShrinkingGivesMemoryBack) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 90; ++key) insert(directory, {key});
  ASSERT_EQ(directory.pages()[0]->slots(), Page::kUsualSlots);
  for (std::uint64_t key = 3; key < 90; ++key) {
    Page& page = directory.own(0);
    Counter* counter = page.find({key}, directory.hash({key}));
    counter->release();
    page.slot_emptied(*counter, directory.seed());
  }
  directory.shrink(0);
  directory.check_invariants();
  EXPECT_EQ(directory.pages()[0]->slots(), Page::kFirstSlots);
  EXPECT_EQ(directory.pages()[0]->count(), 3u);
}

}  // namespace
}  // namespace karma::store
