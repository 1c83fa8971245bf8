#include "store/store.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace karma::store {
namespace {

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
  store.bury();
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
  store.bury();
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

}  // namespace
}  // namespace karma::store
