#include "store/store.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "store/page.h"

namespace karma::store {
namespace {

// 1 in the bucket of each of the first `count` keys.
std::vector<Item> one_each(std::uint64_t count, Bucket bucket) {
  std::vector<Item> items;
  for (std::uint64_t key = 0; key < count; ++key) items.push_back({{key}, bucket, 1});
  return items;
}

Bucket date(std::int32_t offset) { return Bucket::of_day(20000 + offset); }

TEST(Store, FindsWhatWasCreated) {
  Store store(1);
  EXPECT_EQ(store.find("links"), nullptr);
  Series& series = store.find_or_create("links");
  series.add({1}, date(0), 5);
  EXPECT_EQ(&store.find_or_create("links"), &series);
  EXPECT_EQ(store.find("links"), &series);
  EXPECT_EQ(static_cast<const Store&>(store).find("links")->total({1}), 5u);
  EXPECT_EQ(store.series_count(), 1u);
  EXPECT_EQ(store.key_count(), 1u);
  store.check_invariants();
}

TEST(Store, NamesAreOrderedByBytes) {
  Store store(1);
  for (const char* name : {"b", "a", "\xC3\xA9", "B", "ab"}) store.find_or_create(name);
  EXPECT_EQ(store.names(), (std::vector<std::string>{"B", "a", "ab", "b", "\xC3\xA9"}));
}

TEST(Store, ADroppedSeriesIsGoneAndViewsOfItAreNot) {
  Store store(1);
  store.find_or_create("links").add({1}, date(0), 5);
  SeriesView view = store.find("links")->view();
  EXPECT_TRUE(store.drop("links"));
  EXPECT_FALSE(store.drop("links"));
  EXPECT_EQ(store.find("links"), nullptr);
  (void)store.take_deferred_free();
  EXPECT_EQ(view.total({1}), 5u);
  EXPECT_EQ(store.find_or_create("links").total({1}), 0u);
  store.check_invariants();
}

TEST(Store, ClearAndReplaceKeepTheSeriesInItsPlace) {
  Store store(1);
  Series& series = store.find_or_create("links");
  series.add({1}, date(0), 5);
  EXPECT_TRUE(store.clear("links"));
  EXPECT_FALSE(store.clear("others"));
  EXPECT_EQ(store.find("links"), &series);
  EXPECT_EQ(series.key_count(), 0u);
  Series next = store.make_series();
  next.add({2}, date(0), 6);
  store.replace("links", std::move(next));
  EXPECT_EQ(store.find("links"), &series);
  EXPECT_EQ(series.total({2}), 6u);
  store.replace("others", store.make_series());
  EXPECT_EQ(store.series_count(), 2u);
  (void)store.take_deferred_free();
  EXPECT_EQ(series.total({2}), 6u);
  store.check_invariants();
}

// The series written to last has a short cut, which must not outlive it.
TEST(Store, FindsWhatIsThereAfterEveryChange) {
  Store store(7);
  for (const std::string_view name : {"a", "b", "a", "b"}) {
    store.find_or_create(name).add({1}, Bucket::of_number(20260505), 1);
    EXPECT_EQ(&store.find_or_create(name), store.find(name));
    ASSERT_TRUE(store.drop(name));
    EXPECT_EQ(store.find(name), nullptr);
    EXPECT_FALSE(store.drop(name));
    EXPECT_EQ(store.find_or_create(name).key_count(), 0u);
    EXPECT_EQ(store.find(std::string(name) + name.data()), nullptr);
  }
  for (int i = 0; i < 1000; ++i) store.find_or_create("series-" + std::to_string(i));  // the map grows
  EXPECT_EQ(store.find("a"), &store.find_or_create("a"));
  EXPECT_NE(store.find("a"), store.find("b"));
}

// The names of series are chosen by clients: which of them collide is not to be known.
TEST(Store, NamesCollideDifferentlyWithEachSeed) {
  constexpr std::uint64_t kMask = 1023;
  std::vector<std::string> colliding;  // with the first seed
  for (int i = 0; colliding.size() < 50; ++i) {
    std::string name = "series-" + std::to_string(i);
    if ((TextHash(1)(name) & kMask) == 5) colliding.push_back(std::move(name));
  }
  std::set<std::size_t> places;
  for (const std::string& name : colliding) places.insert(TextHash(2)(name) & kMask);
  EXPECT_GT(places.size(), 40u);
}

TEST(Store, ARemovedRangeIsGoneAtOnceAndItsPagesAreGoneThroughLittleByLittle) {
  constexpr std::uint64_t kKeys = 50000;
  Store store(1);
  Series& series = store.find_or_create("big");
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    series.add({key}, Bucket::of_number(20260101), 1);
    series.add({key}, Bucket::of_number(20260102), 2);
  }
  store.remove_range("big", {Bucket::of_number(0), Bucket::of_number(20260101)});
  EXPECT_FALSE(store.purged());
  EXPECT_EQ(series.bucket_count(), 2 * kKeys);  // no page was looked at
  for (std::uint64_t key = 0; key < kKeys; key += 77) ASSERT_EQ(series.total({key}), 2u);
  SeriesView middle = series.view();
  int pieces = 0;
  for (std::uint64_t before = series.bucket_count(); !store.purged(); before = series.bucket_count(), ++pieces) {
    store.purge_some(1024);
    ASSERT_LE(before - series.bucket_count(), 1024u + 128u);
    if (pieces == 20) middle = series.view();
  }
  EXPECT_GT(pieces, 40);
  EXPECT_EQ(series.bucket_count(), kKeys);
  EXPECT_TRUE(series.counted());
  ASSERT_FALSE(middle.counted());
  ASSERT_TRUE(middle.count({}));
  EXPECT_EQ(middle.bucket_count(), kKeys);
  EXPECT_EQ(middle.key_count(), kKeys);
  store.check_invariants();
}

// What a batch changes is gone through before it is applied, a few pages at a time: under the lock nothing is left to
// look at.
TEST(Store, PagesOfABatchAreGoneThroughBeforeItIsApplied) {
  Store store(1);
  Series& series = store.find_or_create("big");
  const std::vector<Item> items = one_each(20000, Bucket::of_number(20260105));
  series.add(items);
  for (std::uint64_t day = 20260101; day < 20260105; ++day) {
    for (std::uint64_t key = 0; key < 20000; ++key) series.add({key}, Bucket::of_number(day), 1);
    store.remove_range("big", {Bucket::of_number(day), Bucket::of_number(day)});
  }
  ASSERT_FALSE(series.counted());
  const std::span<const Item> batch(items.data(), 10000);
  std::size_t pieces = 0;
  for (std::size_t done = 0; done < batch.size(); ++pieces) {
    const std::uint64_t before = series.bucket_count();
    const std::size_t more = series.purge_pages(batch.subspan(done), 1024);
    ASSERT_GT(more, 0u);
    ASSERT_LE(before - series.bucket_count(), 1024u + 4 * 128u);
    done += more;
  }
  EXPECT_GT(pieces, 10u);
  const std::size_t looked_at = Series::pages_cloned();
  series.add(batch);
  EXPECT_EQ(Series::pages_cloned(), looked_at);
  EXPECT_EQ(series.total({7}), 2u);
  store.purge_all();
  EXPECT_EQ(series.bucket_count(), 20000u);
  EXPECT_EQ(series.purge_pages(batch, 1), batch.size());  // nothing to do
  store.check_invariants();
}

TEST(Store, ASeriesThatIsDroppedOrReplacedMeanwhileIsForgotten) {
  Store store(1);
  for (const char* name : {"a", "b", "c"}) {
    for (std::uint64_t key = 0; key < 2000; ++key)
      store.find_or_create(name).add({key}, Bucket::of_number(20260101), 1);
    store.remove_range(name, {Bucket::of_number(0), Bucket::of_number(20260101)});
  }
  store.drop("a");
  store.replace("b", store.make_series());
  store.purge_all();
  EXPECT_EQ(store.key_count(), 0u);
  store.check_invariants();
}

// The last counter that goes takes the directory with it, which is not freed there and then.
TEST(Store, WhatBecomesEmptyIsFreedLater) {
  Store store(1);
  for (std::uint64_t key = 0; key < 2000; ++key) store.find_or_create("a").add({key}, Bucket::of_number(20260101), 1);
  for (std::uint64_t key = 0; key < 2000; ++key) store.find("a")->reset({key});
  ASSERT_TRUE(store.has_deferred_free());
  EXPECT_GT(store.take_deferred_free().front().page_count(), 10u);
  EXPECT_EQ(store.find("a")->page_count(), 1u);
  EXPECT_FALSE(store.has_deferred_free());
}

// What a batch changes in pages that a view has is cloned before, a few pages at a time: under the lock nothing is left
// to clone.
TEST(Store, PagesOfABatchAreClonedBeforeItIsApplied) {
  Store store(1);
  Series& series = store.find_or_create("a");
  const std::vector<Item> items = one_each(20000, Bucket::of_number(20260101));
  series.add(items);
  EXPECT_FALSE(series.shares_pages());
  std::optional<SeriesView> view = series.view();
  EXPECT_TRUE(series.shares_pages());
  // A batch whose pages are all its own proves nothing about the others.
  const std::span<const Item> few_items = std::span(items).first(3);
  series.add(few_items);
  EXPECT_TRUE(series.clone_ahead(few_items).empty());
  EXPECT_TRUE(series.shares_pages());
  std::size_t exceptions = 10;
  EXPECT_FALSE(series.is_ready(items, exceptions));
  series.put_clones(series.clone_ahead(items));
  const std::size_t cloned = Series::pages_cloned();
  series.add(items);
  EXPECT_EQ(Series::pages_cloned(), cloned);
  EXPECT_TRUE(series.clone_ahead(items).empty());
  std::size_t few = 0;
  EXPECT_TRUE(series.is_ready(items, few));
  EXPECT_EQ(view->total({7}), 1u);
  EXPECT_EQ(series.total({7}), 2u);
  view.reset();
  EXPECT_FALSE(series.shares_pages());
  store.check_invariants();
}

}  // namespace
}  // namespace karma::store
