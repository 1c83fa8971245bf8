// The digest of a series against the plainest content there is: it depends on the points, and on nothing else.
#include "store/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "support/engine_fixture.h"

namespace karma::store {
namespace {

using Place = std::pair<std::uint64_t, std::uint64_t>;  // key, bucket
using Points = std::map<Place, std::uint64_t>;

Bucket bucket(std::uint64_t number) { return Bucket::of_number(number); }

Digest digest(const SeriesReads& series) {
  Digest digest;
  EXPECT_TRUE(series.add_to(digest, {}));
  return digest;
}

// Loaded at once, in the order of the keys: without a history.
Digest digest_of_plain(const Points& points, std::uint64_t seed) {
  Series series(seed);
  std::map<std::uint64_t, std::vector<Point>> counters;
  for (const auto& [place, value] : points) counters[place.first].push_back({bucket(place.second), value});
  for (const auto& [key, days] : counters) EXPECT_TRUE(series.load({key}, days));
  return digest(series);
}

class DigestModel {
 public:
  explicit DigestModel(test::Random& random) : random_(random), series_(random.any()) {}

  const Points& points() const { return points_; }
  const Series& series() const { return series_; }

  void step() {
    const std::uint64_t key = random_.up_to(40) * (random_.one_in(3) ? 1 : UINT64_MAX / 41);
    const std::uint64_t day = a_day();
    std::uint64_t& value = points_[{key, day}];
    switch (random_.up_to(9)) {
      case 0: {
        const std::uint64_t less = random_.up_to(value);
        series_.subtract({key}, bucket(day), less);
        value -= less;
        break;
      }
      case 1:
        value = random_.up_to(UINT32_MAX);
        series_.set({key}, bucket(day), value);
        break;
      case 2:
        series_.reset({key});
        std::erase_if(points_, [&](const auto& point) { return point.first.first == key; });
        return;
      case 3: {
        // Gone from every counter at once, and from the pages some time later.
        const BucketRange range{bucket(day), bucket(day + random_.up_to(3))};
        series_.begin_removal(range);
        std::erase_if(points_, [&](const auto& point) { return range.contains(bucket(point.first.second)); });
        return;
      }
      case 4: {
        std::size_t slots = random_.up_to(64);
        series_.purge_some(slots);
        break;
      }
      default: {
        const std::uint64_t more = random_.up_to(random_.one_in(8) ? UINT32_MAX : 300);
        series_.add({key}, bucket(day), more);
        value += more;
      }
    }
    if (value == 0) points_.erase({key, day});
  }

 private:
  std::uint64_t a_day() {
    if (random_.one_in(20)) return random_.up_to(99);  // no date
    if (random_.one_in(10)) return 10000101 + 10000 * random_.up_to(8999);
    return 20260101 + random_.up_to(27);
  }

  test::Random& random_;
  Series series_;
  Points points_;
};

TEST(Digest, DependsOnThePointsAloneHoweverTheyCameAndAreStored) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  for (int round = 0; round < 8; ++round) {
    DigestModel model(random);
    std::vector<std::pair<SeriesView, Digest>> views;
    for (int i = 0; i < 2000; ++i) {
      model.step();
      if (i % 250 != 0) continue;
      const Digest wanted = digest_of_plain(model.points(), random.any());
      ASSERT_EQ(digest(model.series()).text(), wanted.text());
      views.emplace_back(model.series().view(), wanted);
    }
    for (const auto& [view, wanted] : views) EXPECT_EQ(digest(view), wanted) << "a view is what it was";
  }
}

TEST(Digest, AnyOneChangeGivesAnother) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  DigestModel model(random);
  for (int i = 0; i < 2000; ++i) model.step();
  const Points& points = model.points();
  std::set<std::uint64_t> seen = {digest_of_plain(points, 1).value()};
  const auto expect_new = [&](const Points& changed) {
    EXPECT_TRUE(seen.insert(digest_of_plain(changed, 1).value()).second);
  };
  std::size_t moved = 0;
  for (const auto& [place, value] : points) {
    Points changed = points;
    changed[place] = value + 1;
    expect_new(changed);
    changed.erase(place);
    expect_new(changed);
    // One of it under the next day, or under the next key: the totals stay what they were.
    for (const Place& other : {Place{place.first, place.second + 1}, Place{place.first + 1, place.second}}) {
      changed = points;
      if (value == 1) {
        changed.erase(place);
      } else {
        --changed[place];
      }
      ++changed[other];
      expect_new(changed);
    }
    if (++moved == 200) break;
  }
  EXPECT_GT(moved, 50u);
}

TEST(Digest, NothingIsZeroAndNamesCountInTheDigestOfAll) {
  Digest none;
  none.add(Key{7}, {});
  none.add("s", {});
  EXPECT_EQ(none, Digest());
  const Point zero{bucket(20260101), 0};
  none.add(Key{7}, {&zero, 1});
  EXPECT_EQ(none, Digest());

  Digest series;
  const Point point{bucket(20260101), 5};
  series.add(Key{7}, {&point, 1});
  Digest as_a;
  Digest as_b;
  as_a.add("a", series);
  as_b.add("b", series);
  EXPECT_NE(as_a, as_b);
  as_a.add("empty", {});
  as_b.add("a", series);
  as_a.add("b", series);
  EXPECT_EQ(as_a, as_b);
}

// Manifests hold it: it must never become another one.
TEST(Digest, IsTheSameInEveryVersion) {
  Digest digest;
  const std::vector<Point> points = {{bucket(20260101), 5}, {bucket(20260102), UINT64_MAX - 5}};
  digest.add(Key{42}, points);
  EXPECT_EQ(digest.text(), "8a96626143447888");
  Digest all;
  all.add("links", digest);
  EXPECT_EQ(all.text(), "293ce5fe3af54e3e");
  EXPECT_EQ(Digest::of_text(digest.text()), digest);
  for (const char* text : {"", "0", "00000000000000000", "000000000000000g", "-000000000000001"})
    EXPECT_FALSE(Digest::of_text(text)) << text;
}

}  // namespace
}  // namespace karma::store
