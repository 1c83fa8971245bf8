// A series against the plainest model of it, through random operations; and views against copies of the model.
//
// The shapes of the data change with the run: few or many keys, days close together or decades apart, small values or
// huge ones, buckets that are no dates. Set KARMA_TEST_SEED to repeat a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "store/day_range.h"
#include "store/page.h"
#include "store/series.h"

namespace karma::store {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

using Days = std::map<std::uint64_t, std::uint64_t>;

struct Model {
  std::map<std::uint64_t, Days> counters;

  static std::uint64_t sum(const Days& days, BucketRange range) {
    std::uint64_t sum = 0;
    for (auto [bucket, value] : days) sum += range.contains(Bucket::of_number(bucket)) ? value : 0;
    return sum;
  }
  std::uint64_t sum(Key key, BucketRange range) const {
    auto found = counters.find(key.value);
    return found == counters.end() ? 0 : sum(found->second, range);
  }
  std::uint64_t value(const Item& item) const { return sum(item.key, {item.bucket, item.bucket}); }
  void set(const Item& item, std::uint64_t value) {
    Days& days = counters[item.key.value];
    if (value) {
      days[item.bucket.number()] = value;
    } else {
      days.erase(item.bucket.number());
    }
    if (days.empty()) counters.erase(item.key.value);
  }
  // How many days were removed.
  std::size_t remove(Key key, BucketRange range) {
    auto found = counters.find(key.value);
    if (found == counters.end()) return 0;
    std::size_t removed =
        std::erase_if(found->second, [&](auto& d) { return range.contains(Bucket::of_number(d.first)); });
    if (found->second.empty()) counters.erase(found);
    return removed;
  }
};

const BucketRange kEverything{Bucket::of_number(0), Bucket::of_number(kMax)};

void expect_same(const SeriesReads& series, const Model& model) {
  std::map<std::uint64_t, Days> found;
  std::uint64_t buckets = 0;
  Total total = 0;
  ASSERT_TRUE(series.for_each([&](Key key, std::uint64_t total_of_key, std::span<const Point> points) {
    Days& days = found[key.value];
    ASSERT_TRUE(days.empty());
    std::uint64_t sum = 0;
    for (Point point : points) {
      ASSERT_TRUE(days.empty() || days.rbegin()->first < point.bucket.number());
      days[point.bucket.number()] = point.value;
      sum += point.value;
      ++buckets;
    }
    ASSERT_EQ(sum, total_of_key);
    total += sum;
  }));
  ASSERT_TRUE(found == model.counters);
  std::uint64_t by_remainder = 0;
  std::uint64_t announced = 0;
  ASSERT_TRUE(series.for_each_by_remainder(
      9, [&](std::uint64_t count) { announced += count; },
      [&](Key key, std::uint64_t, std::span<const Point> points) {
        ++by_remainder;
        ASSERT_EQ(points.size(), found[key.value].size());
      }));
  ASSERT_EQ(announced, model.counters.size());
  ASSERT_EQ(by_remainder, model.counters.size());
  if (!series.counted()) return;
  ASSERT_EQ(series.key_count(), model.counters.size());
  ASSERT_EQ(series.bucket_count(), buckets);
  ASSERT_TRUE(series.total() == total);
}

void expect_same(SeriesView view, const Model& model) {
  ASSERT_TRUE(view.count({}));
  expect_same(static_cast<const SeriesReads&>(view), model);
  std::uint64_t buckets = 0;
  for (const auto& [key, days] : model.counters) buckets += days.size();
  ASSERT_EQ(view.key_count(), model.counters.size());
  ASSERT_EQ(view.bucket_count(), buckets);
}

class ModelRun {
 public:
  ModelRun(std::uint64_t seed) : random_(seed), series_(random_()) {
    keys_ = std::size_t{1} << below(12);
    days_ = std::int32_t{1} << below(13);
    bits_ = 1 + below(64);
    odd_buckets_ = below(3) == 0;
    wide_ = below(4) == 0;
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      step();
      if (below(8) == 0) purge_some();
      if (i % 50 == 0) series_.check_invariants();
      if (i % 100 == 0) read();
      if (i % 400 == 0) expect_same(series_, model_);
    }
    std::size_t all = SIZE_MAX;
    series_.purge_some(all);
    ASSERT_TRUE(series_.counted());
    series_.check_invariants();
    expect_same(series_, model_);
    for (auto& [view, model] : views_) expect_same(view, model);
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  Key key() { return {below(2) ? below(keys_) : below(keys_) * 0x9E3779B97F4A7C15u}; }

  Bucket bucket() {
    static constexpr std::uint64_t kOdd[] = {0, 1, 20260231, 20240230, 99999999, 1ull << 63, kMax - 1, kMax};
    if (odd_buckets_ && below(20) == 0) return Bucket::of_number(kOdd[below(std::size(kOdd))]);
    if (wide_ && below(10) == 0) return Bucket::of_day(static_cast<std::int32_t>(below(3652059)) - 719162);
    return Bucket::of_day(20000 + static_cast<std::int32_t>(below(static_cast<std::uint64_t>(days_))));
  }

  std::uint64_t value() {
    if (below(30) == 0) return kMax - below(3);
    return random_() >> (64 - bits_) >> below(8);
  }

  BucketRange range() {
    Bucket from = bucket();
    Bucket to = bucket();
    if ((to < from) != (below(20) == 0)) std::swap(from, to);  // now and then the wrong way round
    return {below(8) ? from : Bucket::of_number(0), below(8) ? to : Bucket::of_number(kMax)};
  }

  std::vector<Item> items() {
    std::vector<Item> items(1 + below(100));
    Bucket day = bucket();
    for (Item& item : items) item = {key(), below(2) ? day : bucket(), value()};
    return items;
  }

  void step() {
    switch (below(40)) {
      case 0:
        return take_view();
      case 1:
        return check_a_view();
      case 2:
        return below(40) ? add_items() : clear();
      case 3:
      case 4:
        return remove_key_range();
      case 5:
        return reset();
      case 6:
        return below(4) ? subtract() : remove_range();
      case 7:
        return below(6) ? subtract() : remove_before();
      case 8:
      case 9:
        return load();
      case 10:
      case 11:
      case 12:
        return subtract();
      case 13:
      case 14:
      case 15:
        return set();
      case 16:
      case 17:
        return set_items();
      case 18:
      case 19:
      case 20:
        return add_items();
      default:
        return add();
    }
  }

  void add() { add({{key(), bucket(), value()}}, false); }
  void add_items() { add(items(), true); }

  // The store's caller refuses what would overflow; here the first item that would must be the model's.
  void add(std::vector<Item> items, bool batch) {
    const Item* expected = nullptr;
    std::map<std::uint64_t, std::uint64_t> totals;
    for (const Item& item : items) {
      auto [total, is_new] = totals.try_emplace(item.key.value);
      if (is_new) total->second = model_.sum(item.key, kEverything);
      if (item.value > kMax - total->second) {
        expected = &item;
        break;
      }
      total->second += item.value;
    }
    ASSERT_EQ(first_overflow(series_, items), expected);
    clone_ahead(items);
    if (below(2) == 0) series_.purge_pages(items, below(300));
    if (expected) return;
    for (const Item& item : items) {
      if (!batch) series_.add(item.key, item.bucket, item.value);
      if (item.value) model_.set(item, model_.value(item) + item.value);
    }
    if (batch) series_.add(items);
  }

  void set() {
    Item item{key(), bucket(), value()};
    if (first_set_overflow(series_, {&item, 1})) return;
    series_.set(item.key, item.bucket, item.value);
    model_.set(item, item.value);
  }

  void set_items() {
    std::vector<Item> items = this->items();
    for (Item& item : items) item.value *= below(4) != 0;
    Model changed = model_;
    const Item* expected = nullptr;
    for (const Item& item : items) {
      changed.set(item, 0);
      if (item.value > kMax - changed.sum(item.key, kEverything)) {
        expected = &item;
        break;
      }
      changed.set(item, item.value);
    }
    ASSERT_EQ(first_set_overflow(series_, items), expected);
    if (expected) return;
    series_.set(items);
    model_ = std::move(changed);
  }

  void subtract() {
    Item item{key(), bucket(), value()};
    series_.subtract(item.key, item.bucket, item.value);
    std::uint64_t old = model_.value(item);
    model_.set(item, old - std::min(old, item.value));
  }

  void reset() {
    Key key = this->key();
    ASSERT_EQ(series_.reset(key), model_.counters.erase(key.value) == 1);
  }

  void remove_key_range() {
    Key key = this->key();
    BucketRange range = this->range();
    bool known = model_.counters.contains(key.value);
    auto expected = model_.remove(key, range) ? Series::Removed::some
                    : known                   ? Series::Removed::nothing_in_range
                                              : Series::Removed::no_counter;
    ASSERT_EQ(series_.remove_range(key, range), expected);
  }

  void remove_everywhere(BucketRange range) {
    std::vector<std::uint64_t> keys;
    for (auto& [key, days] : model_.counters) keys.push_back(key);
    for (std::uint64_t key : keys) model_.remove({key}, range);
  }

  void remove_range() {
    BucketRange range = this->range();
    below(2) ? series_.remove_range(range) : series_.begin_removal(range);
    remove_everywhere(range);
  }

  void remove_before() {
    Bucket before = bucket();
    below(2) ? series_.remove_range(Series::range_before(before)) : series_.begin_removal(Series::range_before(before));
    if (before.number()) remove_everywhere({Bucket::of_number(0), Bucket::of_number(before.number() - 1)});
  }

  // Changes nothing for anybody.
  void clone_ahead(std::span<const Item> items) {
    if (!series_.shares_pages() || below(2) == 0) return;
    std::vector<Ref<Page>> clones = series_.clone_ahead(items);
    series_.put_clones(std::move(clones));
  }

  void purge_some() {
    std::size_t slots = below(300);
    series_.purge_some(slots);
  }

  void clear() {
    series_.clear();
    model_.counters.clear();
  }

  void load() {
    Days days;
    std::uint64_t count = below(20);
    for (std::uint64_t i = 0; i < count; ++i) days[bucket().number()] = std::max<std::uint64_t>(value(), 1);
    std::vector<Point> points;
    unsigned __int128 total = 0;
    for (auto [bucket, value] : days) {
      points.push_back({Bucket::of_number(bucket), value});
      total += value;
    }
    Key key = this->key();
    bool expected = points.empty() || (!model_.counters.contains(key.value) && total <= kMax);
    ASSERT_EQ(series_.load(key, points), expected);
    if (expected && !points.empty()) model_.counters[key.value] = days;
  }

  void take_view() {
    if (views_.size() == 4) views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(below(4)));
    views_.emplace_back(series_.view(), model_);
  }

  void check_a_view() {
    if (views_.empty()) return;
    auto& [view, model] = views_[below(views_.size())];
    expect_same(view, model);
  }

  void read() {
    BucketRange range = this->range();
    std::vector<Key> keys(70);
    for (Key& key : keys) key = this->key();
    std::vector<std::uint64_t> sums(keys.size());
    std::vector<std::uint64_t> totals(keys.size());
    series_.sums(keys, range, sums);
    series_.totals(keys, totals);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_EQ(sums[i], model_.sum(keys[i], range));
      ASSERT_EQ(series_.sum(keys[i], range), sums[i]);
      ASSERT_EQ(totals[i], model_.sum(keys[i], kEverything));
      ASSERT_EQ(series_.total(keys[i]), totals[i]);
    }
    series_.points(keys, range, [&](std::size_t i, std::span<const Point> points) {
      std::vector<Point> alone;
      series_.points(keys[i], range, alone);
      EXPECT_EQ(std::vector<Point>(points.begin(), points.end()), alone);
      return i + 1 < keys.size();
    });
    read_ranges(keys);
    read_points(keys[0], range);
    read_whole(range);
    read_lists(range);
  }

  void read_points(Key key, BucketRange range) {
    std::vector<Point> expected = {{Bucket::of_number(42), 42}};  // points() appends
    std::vector<Point> points = expected;
    if (auto found = model_.counters.find(key.value); found != model_.counters.end()) {
      for (auto [bucket, value] : found->second) {
        if (range.contains(Bucket::of_number(bucket))) expected.push_back({Bucket::of_number(bucket), value});
      }
    }
    series_.points(key, range, points);
    ASSERT_TRUE(points == expected);
  }

  void read_whole(BucketRange range) {
    RangeSummary expected;
    std::vector<Key> expected_keys;
    for (auto& [key, days] : model_.counters) {
      std::uint64_t sum = Model::sum(days, range);
      expected.total += sum;
      expected.active_keys += sum != 0;
      for (auto& day : days) expected.bucket_count += range.contains(Bucket::of_number(day.first));
      expected_keys.push_back({key});
    }
    RangeSummary summary;
    ASSERT_TRUE(series_.summary(range, summary, {}));
    ASSERT_TRUE(summary.total == expected.total);
    ASSERT_EQ(summary.active_keys, expected.active_keys);
    ASSERT_EQ(summary.bucket_count, expected.bucket_count);
    std::vector<Key> keys;
    ASSERT_TRUE(series_.all_keys(keys, {}));
    ASSERT_TRUE(keys == expected_keys);
  }

  // Overlapping, nested, far apart, twice the same, the wrong way round, or all days.
  void read_ranges(std::span<const Key> keys) {
    std::vector<std::optional<BucketRange>> ranges(1 + below(below(8) ? 16 : DayRanges::kMost));
    for (auto& each : ranges) {
      if (below(6)) each = range();
      if (below(8) == 0) each = ranges.front();
    }
    std::vector<std::uint64_t> sums(keys.size() * ranges.size(), 4711);
    series_.sums(keys, DayRanges(ranges), sums);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::optional<BucketRange>& each = ranges[i % ranges.size()];
      ASSERT_EQ(sums[i], model_.sum(keys[i / ranges.size()], each.value_or(kEverything)));
    }
  }

  void read_changes(BucketRange range, BucketRange previous, std::size_t limit) {
    for (const ChangeOrder order : {ChangeOrder::value, ChangeOrder::delta}) {
      std::vector<KeyChange> expected;
      for (const auto& [key, days] : model_.counters) {
        const KeyChange change{{key}, Model::sum(days, range), Model::sum(days, previous)};
        if (change.value != 0 || (order == ChangeOrder::delta && change.previous != 0)) expected.push_back(change);
      }
      std::stable_sort(expected.begin(), expected.end(), [&](const KeyChange& a, const KeyChange& b) {
        return order == ChangeOrder::value ? a.value > b.value : a.delta() > b.delta();
      });
      if (expected.size() > limit) expected.resize(limit);
      std::vector<KeyChange> result;
      ASSERT_TRUE(series_.top_changes(range, previous, order, limit, result, {}));
      ASSERT_TRUE(result == expected);
    }
  }

  void read_lists(BucketRange range) {
    std::size_t limit = below(200);
    Key after = key();
    std::vector<KeyTotal> by_key;
    std::vector<KeyTotal> by_total;
    std::vector<KeyTotal> by_sum;
    for (auto& [key, days] : model_.counters) {
      std::uint64_t total = Model::sum(days, kEverything);
      std::uint64_t sum = Model::sum(days, range);
      if (key > after.value) by_key.push_back({{key}, total});
      by_total.push_back({{key}, total});
      if (sum) by_sum.push_back({{key}, sum});
    }
    auto first = [&](std::vector<KeyTotal> all) {
      if (all.size() > limit) all.resize(limit);
      return all;
    };
    auto larger = [](const KeyTotal& a, const KeyTotal& b) { return a.total > b.total; };
    std::stable_sort(by_total.begin(), by_total.end(), larger);
    std::stable_sort(by_sum.begin(), by_sum.end(), larger);
    std::vector<KeyTotal> result;
    ASSERT_TRUE(series_.keys(&after, limit, result, {}));
    ASSERT_TRUE(result == first(by_key));
    ASSERT_TRUE(series_.top(nullptr, limit, result, {}));
    ASSERT_TRUE(result == first(by_total));
    ASSERT_TRUE(series_.top(&range, limit, result, {}));
    ASSERT_TRUE(result == first(by_sum));
    read_changes(range, this->range(), limit);
  }

  std::mt19937_64 random_;
  Series series_;
  Model model_;
  std::vector<std::pair<SeriesView, Model>> views_;
  std::uint64_t keys_;
  std::int32_t days_;
  std::uint64_t bits_;
  bool odd_buckets_;
  bool wide_;
};

TEST(SeriesModel, EveryOperationDoesWhatTheModelDoes) {
  const char* given = std::getenv("KARMA_TEST_SEED");
  std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  for (std::uint64_t run = 0; run < 40 && !HasFatalFailure(); ++run) {
    SCOPED_TRACE("KARMA_TEST_SEED=" + std::to_string(seed + run));
    ModelRun(seed + run).run(1500);
  }
}

}  // namespace
}  // namespace karma::store
