// The store's hot paths, on one series of 50,000 counters with 356 days of small values each.
//
// Times of batches are for the whole batch; `per_key` is the time for one of its keys. BM_Memory reports the bytes of
// resident memory a point takes, allocator and index included.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <vector>

#include "store/dense_sum.h"
#include "store/series.h"

namespace karma::store {
namespace {

constexpr std::uint64_t kKeys = 50'000;
constexpr std::int32_t kDays = 356;
constexpr std::size_t kBatch = 1000;

Bucket date(std::int32_t offset) { return Bucket::of_day(20000 + offset); }

// Ids as an application has them: growing, with gaps.
Key key_of(std::uint64_t i) { return {i * 3 + 1000}; }

enum class Order { by_counter, by_day };

Series make_series(std::uint64_t largest, Order order) {
  std::mt19937_64 random(1);
  Series series(random());
  auto add = [&](std::uint64_t key, std::int32_t day) { series.add(key_of(key), date(day), 1 + random() % largest); };
  if (order == Order::by_counter) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      for (std::int32_t day = 0; day < kDays; ++day) add(key, day);
    }
  } else {
    for (std::int32_t day = 0; day < kDays; ++day) {
      for (std::uint64_t key = 0; key < kKeys; ++key) add(key, day);
    }
  }
  return series;
}

Series& shared_series() {
  static Series series = make_series(255, Order::by_counter);
  return series;
}

std::vector<Key> random_keys(std::size_t count) {
  std::mt19937_64 random(2);
  std::vector<Key> keys(count);
  for (Key& key : keys) key = key_of(random() % kKeys);
  return keys;
}

void report_per_key(benchmark::State& state) {
  auto keys = static_cast<double>(state.iterations() * kBatch);
  state.counters["per_key"] = benchmark::Counter(keys, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Calls read(batch) with another thousand of random keys each time.
template <class Read>
void for_batches(benchmark::State& state, Read read) {
  std::vector<Key> keys = random_keys(64 * kBatch);
  std::size_t at = 0;
  for (auto _ : state) {
    read(std::span(keys).subspan(at * kBatch, kBatch));
    at = (at + 1) % 64;
  }
  report_per_key(state);
}

void BM_Totals(benchmark::State& state) {
  shared_series();  // made here, not in the measured time
  std::vector<std::uint64_t> sums(kBatch);
  for_batches(state, [&](std::span<const Key> keys) { shared_series().totals(keys, sums); });
}
BENCHMARK(BM_Totals);

void BM_Sums(benchmark::State& state) {
  shared_series();
  std::vector<std::uint64_t> sums(kBatch);
  // In the middle of the data, except for the last case, which covers all of it.
  auto days = static_cast<std::int32_t>(state.range(0));
  std::int32_t from = (kDays - days) / 2;
  BucketRange range{date(from), date(from + days - 1)};
  for_batches(state, [&](std::span<const Key> keys) { shared_series().sums(keys, range, sums); });
}
BENCHMARK(BM_Sums)->Arg(1)->Arg(30)->Arg(354)->Arg(356);

void BM_AddRandom(benchmark::State& state) {
  Series series = make_series(255, Order::by_counter);
  std::vector<Key> keys = random_keys(64 * kBatch);
  std::mt19937_64 random(3);
  std::vector<Item> items;
  for (Key key : keys) items.push_back({key, date(static_cast<std::int32_t>(random() % kDays)), 1});
  std::size_t at = 0;
  for (auto _ : state) {
    series.add(std::span(items).subspan(at * kBatch, kBatch));
    at = (at + 1) % 64;
  }
  report_per_key(state);
}
BENCHMARK(BM_AddRandom);

void BM_AddOneByOne(benchmark::State& state) {
  Series series = make_series(255, Order::by_counter);
  std::vector<Key> keys = random_keys(64 * kBatch);
  std::size_t at = 0;
  for (auto _ : state) series.add(keys[at++ % keys.size()], date(kDays), 1);
}
BENCHMARK(BM_AddOneByOne);

// The first change after a view clones a page: this is what a snapshot costs the writer.
void BM_AddUnderAView(benchmark::State& state) {
  Series series = make_series(255, Order::by_counter);
  std::vector<Key> keys = random_keys(64 * kBatch);
  std::size_t at = 0;
  for (auto _ : state) {
    SeriesView view = series.view();
    series.add(keys[at++ % keys.size()], date(5), 1);
  }
}
BENCHMARK(BM_AddUnderAView);

void BM_Summary(benchmark::State& state) {
  BucketRange range{date(10), date(10 + static_cast<std::int32_t>(state.range(0)) - 1)};
  RangeSummary summary;
  SeriesView view = shared_series().view();
  for (auto _ : state) view.summary(range, summary, {});
}
BENCHMARK(BM_Summary)->Arg(30)->Arg(356)->Unit(benchmark::kMillisecond);

void BM_TopWhole(benchmark::State& state) {
  std::vector<KeyTotal> top;
  SeriesView view = shared_series().view();
  for (auto _ : state) view.top(nullptr, 100, top, {});
}
BENCHMARK(BM_TopWhole)->Unit(benchmark::kMillisecond);

void BM_TopOfMonth(benchmark::State& state) {
  std::vector<KeyTotal> top;
  BucketRange range{date(10), date(39)};
  SeriesView view = shared_series().view();
  for (auto _ : state) view.top(&range, 100, top, {});
}
BENCHMARK(BM_TopOfMonth)->Unit(benchmark::kMillisecond);

void BM_KeysPage(benchmark::State& state) {
  std::vector<KeyTotal> page;
  Key after = key_of(kKeys / 2);
  SeriesView view = shared_series().view();
  for (auto _ : state) view.keys(&after, 101, page, {});
}
BENCHMARK(BM_KeysPage)->Unit(benchmark::kMillisecond);

void BM_ForEach(benchmark::State& state) {
  SeriesView view = shared_series().view();
  std::size_t points = 0;
  for (auto _ : state) {
    view.for_each([&](Key, std::uint64_t, std::span<const Point> days) { points += days.size(); });
  }
  benchmark::DoNotOptimize(points);
}
BENCHMARK(BM_ForEach)->Unit(benchmark::kMillisecond);

void BM_RemoveBefore(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    Series series = make_series(255, Order::by_counter);
    state.ResumeTiming();
    series.remove_range(Series::range_before(date(30)));
    state.PauseTiming();
    series.clear();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_RemoveBefore)->Unit(benchmark::kMillisecond)->Iterations(3);

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::size_t resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Arguments: the largest value, and whether the points came day by day as in production (1) or counter by counter (0).
void BM_Memory(benchmark::State& state) {
  auto order = state.range(1) ? Order::by_day : Order::by_counter;
  double per_point = 0;
  for (auto _ : state) {
    malloc_trim(0);
    std::size_t before = resident_bytes();
    Series series = make_series(static_cast<std::uint64_t>(state.range(0)), order);
    std::size_t after = resident_bytes();
    per_point = static_cast<double>(after - std::min(before, after)) / static_cast<double>(kKeys * kDays);
  }
  state.counters["bytes_per_point"] = per_point;
}
BENCHMARK(BM_Memory)
    ->Args({255, 0})
    ->Args({255, 1})
    ->Args({65535, 1})
    ->Args({4294967295, 0})
    ->Args({4294967295, 1})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void BM_DenseSum(benchmark::State& state) {
  std::vector<std::byte> bytes(512, std::byte{3});
  auto count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(dense_sum(bytes.data(), count, 1));
}
BENCHMARK(BM_DenseSum)->Arg(30)->Arg(90)->Arg(356);

}  // namespace
}  // namespace karma::store
