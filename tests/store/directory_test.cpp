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

std::vector<const Page*> pages_of(const Directory& directory) {
  std::vector<const Page*> pages;
  directory.for_each_page([&](const Page& page) {
    pages.push_back(&page);
    return true;
  });
  EXPECT_EQ(pages.size(), directory.page_count());
  return pages;
}

TEST(Directory, SplitsPagesWhenKeysSpread) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 10000; ++key) insert(directory, {key});
  directory.check_invariants();
  EXPECT_GE(directory.page_count(), 10000u / Page::capacity(Page::kUsualSlots));
  EXPECT_LE(directory.page_count(), 2 * 10000u / Page::capacity(Page::kUsualSlots));
  for (const Page* page : pages_of(directory)) EXPECT_EQ(page->slots(), Page::kUsualSlots);
}

TEST(Directory, AFewKeysTakeOneSmallPage) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 6; ++key) insert(directory, {key});
  ASSERT_EQ(directory.page_count(), 1u);
  EXPECT_EQ(pages_of(directory)[0]->slots(), Page::kFirstSlots);
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
  for (const Page* page : pages_of(directory)) {
    EXPECT_LE(std::size_t{1} << page->depth, 16 * (directory.page_count() + 4));
    count += page->count();
  }
  EXPECT_EQ(count, inserted);
}

TEST(Directory, ACopySharesPagesUntilTheyAreOwned) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 1000; ++key) insert(directory, {key});
  Directory copy(directory);
  const std::uint64_t hash = directory.hash({7});
  const Page* shared = &directory.page(hash);
  EXPECT_EQ(&copy.page(hash), shared);
  EXPECT_NE(&copy.own_page(hash), shared);
  EXPECT_EQ(&directory.page(hash), shared);
  directory.check_invariants();
  copy.check_invariants();
  const std::vector<const Page*> before = pages_of(directory);
  const std::vector<const Page*> after = pages_of(copy);
  ASSERT_EQ(before.size(), after.size());
  std::size_t cloned = 0;
  for (std::size_t i = 0; i < before.size(); ++i) cloned += before[i] != after[i];
  EXPECT_EQ(cloned, 1u);
}

// What the first change after a copy costs: the references of the directory and of one segment, however many pages
// there are. All at once, they were 17 ms with four million keys, and readers waited.
TEST(Directory, TheFirstChangeAfterACopyTouchesAFewHundredReferences) {
  Directory directory(kSeed);
  constexpr std::uint64_t kKeys = 1000000;
  for (std::uint64_t key = 0; key < kKeys; ++key) insert(directory, {key});
  directory.check_invariants();
  EXPECT_GT(directory.page_count(), 30 * Directory::kPagesPerSegment);
  EXPECT_LE(directory.segments().size(), 4 * directory.page_count() / Directory::kPagesPerSegment);
  for (const Ref<Segment>& segment : directory.segments())
    EXPECT_LE(segment->pages.children().size(), Directory::kPagesPerSegment);

  Directory copy(directory);
  copy.own_page(copy.hash({5}));
  copy.check_invariants();
  std::size_t cloned = 0;
  for (std::size_t i = 0; i < copy.segments().size(); ++i)
    cloned += copy.segments()[i].get() != directory.segments()[i].get();
  EXPECT_EQ(cloned, 1u);
}

// Splits go on in a copy, while the other one stays what it was.
TEST(Directory, ACopyGrowsByItself) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 30000; ++key) insert(directory, {key});
  Directory copy(directory);
  for (std::uint64_t key = 30000; key < 100000; ++key) insert(copy, {key});
  directory.check_invariants();
  copy.check_invariants();
  EXPECT_GT(copy.segments().size(), directory.segments().size());
  for (std::uint64_t key = 0; key < 100000; ++key) {
    const std::uint64_t hash = directory.hash({key});
    ASSERT_EQ(directory.page(hash).find({key}, hash) != nullptr, key < 30000) << key;
    ASSERT_NE(copy.page(hash).find({key}, hash), nullptr) << key;
  }
}

TEST(Directory, ShrinkingGivesMemoryBack) {
  Directory directory(kSeed);
  for (std::uint64_t key = 0; key < 90; ++key) insert(directory, {key});
  ASSERT_EQ(pages_of(directory)[0]->slots(), Page::kUsualSlots);
  for (std::uint64_t key = 3; key < 90; ++key) {
    Page& page = directory.own_page(0);
    Counter* counter = page.find({key}, directory.hash({key}));
    counter->release();
    page.slot_emptied(*counter, directory.seed());
  }
  directory.shrink(0);
  directory.check_invariants();
  EXPECT_EQ(pages_of(directory)[0]->slots(), Page::kFirstSlots);
  EXPECT_EQ(pages_of(directory)[0]->count(), 3u);
}

}  // namespace
}  // namespace karma::store
