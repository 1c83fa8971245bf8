// Long reads of a series: all counters, in the order in which they are stored.
#include <algorithm>
#include <limits>
#include <optional>

#include "store/digest.h"
#include "store/directory.h"
#include "store/removals.h"
#include "store/selection.h"
#include "store/series.h"

namespace karma::store {
namespace {

constexpr std::size_t kCountersPerQuestion = 4096;  // between two calls of the interrupt
constexpr std::size_t kAhead = 8;                   // counters whose days are fetched ahead

constexpr const DayRange* kNoDays = nullptr;

// Calls visit(counter) for every counter; false if interrupted. Fetches ahead the days inside `days`, which is a
// DayRange, DayRanges or null.
template <class Days, class Visit>
bool scan(const Directory& directory, const Removals* removals, const Days* days, const Interrupt& interrupt,
          Visit visit_purged) {
  std::optional<Purged> purged;
  if (removals != nullptr) purged.emplace(*removals);
  const Page* of_page = nullptr;
  const auto visit = [&](const Counter& counter) {
    if (!purged) return visit_purged(counter);
    if (const Counter* left = (*purged)(*of_page, &counter)) visit_purged(*left);
  };
  std::size_t since_question = 0;
  std::vector<const Counter*> counters;
  return directory.for_each_page([&](const Page& page) {
    counters.clear();
    of_page = &page;
    for (const Counter& counter : page) {
      if (!counter.empty()) counters.push_back(&counter);
    }
    for (std::size_t i = 0; days && i < std::min(kAhead, counters.size()); ++i) counters[i]->prefetch(*days);
    for (std::size_t i = 0; i < counters.size(); ++i) {
      if (days && i + kAhead < counters.size()) counters[i + kAhead]->prefetch(*days);
      visit(*counters[i]);
    }
    since_question += counters.size();
    if (since_question >= kCountersPerQuestion) {
      since_question = 0;
      if (interrupt && interrupt()) return false;
    }
    return true;
  });
}

constexpr BucketRange kEverything = {Bucket::of_number(0),
                                     Bucket::of_number(std::numeric_limits<std::uint64_t>::max())};

}  // namespace

bool SeriesReads::keys(const Key* after, std::size_t limit, std::vector<KeyTotal>& result,
                       const Interrupt& interrupt) const {
  auto before = [](const KeyTotal& a, const KeyTotal& b) { return a.key < b.key; };
  Selection selection(limit, result, before);
  bool complete = scan(*directory_, removals_.get(), kNoDays, interrupt, [&](const Counter& counter) {
    if (!after || *after < Key{counter.key}) selection.offer({{counter.key}, counter.total});
  });
  return complete && selection.finish(interrupt);
}

bool SeriesReads::next_keys(const Key* after, std::size_t limit, std::vector<Key>& result,
                            const Interrupt& interrupt) const {
  Selection selection(limit, result, std::less<Key>());
  bool complete = scan(*directory_, removals_.get(), kNoDays, interrupt, [&](const Counter& counter) {
    if (!after || *after < Key{counter.key}) selection.offer({counter.key});
  });
  return complete && selection.finish(interrupt);
}

bool SeriesReads::top(const BucketRange* range, std::size_t limit, std::vector<KeyTotal>& result,
                      const Interrupt& interrupt) const {
  auto before = [](const KeyTotal& a, const KeyTotal& b) {
    return a.total != b.total ? a.total > b.total : a.key < b.key;
  };
  Selection selection(limit, result, before);
  std::optional<DayRange> days;
  if (range) days.emplace(*range);
  bool complete = scan(*directory_, removals_.get(), days ? &*days : nullptr, interrupt, [&](const Counter& counter) {
    const std::uint64_t sum = days ? counter.total_in(*days) : counter.total;
    if (sum != 0) selection.offer({{counter.key}, sum});
  });
  return complete && selection.finish(interrupt);
}

bool SeriesReads::top_changes(BucketRange range, BucketRange previous, ChangeOrder order, std::size_t limit,
                              std::vector<KeyChange>& result, const Interrupt& interrupt) const {
  const bool by_delta = order == ChangeOrder::delta;
  const auto before = [by_delta](const KeyChange& a, const KeyChange& b) {
    const __int128 first = by_delta ? a.delta() : static_cast<__int128>(a.value);
    const __int128 second = by_delta ? b.delta() : static_cast<__int128>(b.value);
    return first != second ? first > second : a.key < b.key;
  };
  Selection selection(limit, result, before);
  const std::optional<BucketRange> both[] = {range, previous};
  const DayRanges days(both);
  const bool complete = scan(*directory_, removals_.get(), &days, interrupt, [&](const Counter& counter) {
    std::uint64_t sums[2];
    counter.totals_in(days, sums);
    if (sums[0] != 0 || (by_delta && sums[1] != 0)) selection.offer({{counter.key}, sums[0], sums[1]});
  });
  return complete && selection.finish(interrupt);
}

bool SeriesReads::summary(BucketRange range, RangeSummary& result, const Interrupt& interrupt) const {
  result = {};
  DayRange days(range);
  return scan(*directory_, removals_.get(), &days, interrupt, [&](const Counter& counter) {
    DenseSum sum = counter.sum(days);
    result.total += sum.total;
    result.active_keys += sum.nonzero != 0;
    result.bucket_count += sum.nonzero;
  });
}

bool SeriesReads::all_keys(std::vector<Key>& result, const Interrupt& interrupt) const {
  result.clear();
  result.reserve(key_count_);
  bool complete = scan(*directory_, removals_.get(), kNoDays, interrupt,
                       [&](const Counter& counter) { result.push_back({counter.key}); });
  return complete && sort_interruptibly(result, std::less<Key>(), interrupt);
}

bool SeriesReads::for_each(const std::function<void(Key, std::uint64_t, std::span<const Point>)>& visit,
                           const Interrupt& interrupt) const {
  DayRange everything(kEverything);
  std::vector<Point> points;
  return scan(*directory_, removals_.get(), &everything, interrupt, [&](const Counter& counter) {
    points.clear();
    counter.points(everything, points);
    visit({counter.key}, counter.total, points);
  });
}

bool SeriesReads::add_to(Digest& digest, const Interrupt& interrupt) const {
  DayRange everything(kEverything);
  std::vector<Point> points;
  return scan(*directory_, removals_.get(), &everything, interrupt, [&](const Counter& counter) {
    points.clear();
    counter.points(everything, points);
    digest.add({counter.key}, points);
  });
}

bool SeriesReads::for_each_by_remainder(std::uint64_t divisor, const std::function<void(std::uint64_t)>& begin,
                                        const std::function<void(Key, std::uint64_t, std::span<const Point>)>& visit,
                                        const Interrupt& interrupt) const {
  std::vector<std::vector<const Counter*>> groups(divisor);
  std::vector<std::vector<const Page*>> pages(divisor);  // of the counters, while a removal is under way
  for (auto& group : groups) group.reserve(key_count_ / divisor + key_count_ / divisor / 8 + 16);
  std::optional<Purged> purged;
  if (removals_) purged.emplace(*removals_);
  std::size_t since_question = 0;
  const bool complete = directory_->for_each_page([&](const Page& page) {
    for (const Counter& counter : page) {
      if (counter.empty() || (purged && (*purged)(page, &counter) == nullptr)) continue;
      groups[counter.key % divisor].push_back(&counter);
      if (purged) pages[counter.key % divisor].push_back(&page);
    }
    since_question += page.slots();
    if (since_question < kCountersPerQuestion) return true;
    since_question = 0;
    return !(interrupt && interrupt());
  });
  DayRange everything(kEverything);
  std::vector<Point> points;
  for (std::size_t remainder = 0; remainder < divisor; ++remainder) {
    if (!complete) return false;
    std::vector<const Counter*>& group = groups[remainder];
    begin(group.size());
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (i + 2 * kAhead < group.size()) __builtin_prefetch(group[i + 2 * kAhead]);
      if (i + kAhead < group.size()) group[i + kAhead]->prefetch(everything);
      const Counter& counter = purged ? *(*purged)(*pages[remainder][i], group[i]) : *group[i];
      points.clear();
      counter.points(everything, points);
      visit({counter.key}, counter.total, points);
      if (i % kCountersPerQuestion == 0 && interrupt && interrupt()) return false;
    }
    group = {};
    pages[remainder] = {};
  }
  return complete;
}

bool SeriesView::count(const Interrupt& interrupt) {
  if (!removals_) return true;
  RangeSummary all;
  if (!summary(kEverything, all, interrupt)) return false;
  total_ = all.total;
  key_count_ = all.active_keys;
  bucket_count_ = all.bucket_count;
  return true;
}

}  // namespace karma::store
