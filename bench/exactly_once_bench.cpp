// Remembering idempotency keys: rate, bytes per key, and how long a snapshot holds up the writer.
#include <benchmark/benchmark.h>

#include <string>

#include "commands/catalog.h"
#include "store/exactly_once.h"

namespace karma::store {
namespace {

std::string key_text(std::uint64_t number) { return "event-" + std::to_string(number * 0x9E3779B97F4A7C15); }

void fill(IdempotencyRecords& records, std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t i = from; i < to; ++i)
    records.remember(
        {.key = records.key(key_text(i)), .content = {}, .first = 1, .created_at = static_cast<std::int64_t>(i)});
}

// At the limit: each registration forgets the oldest one.
void BM_RememberAtTheLimit(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  IdempotencyRecords records(7, {.max_records = count, .max_age_seconds = 0});
  fill(records, 0, count);
  std::uint64_t next = count;
  for (auto _ : state) {
    const std::string text = key_text(next);
    const IdempotencyKey key = records.key(text);
    benchmark::DoNotOptimize(records.find(key));
    records.remember({.key = key, .content = {}, .first = 1, .created_at = 1});
    ++next;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_key"] = static_cast<double>(records.memory_bytes()) / static_cast<double>(count);
}
BENCHMARK(BM_RememberAtTheLimit)->Arg(1000)->Arg(1000000);

void BM_FindAKey(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  IdempotencyRecords records(7, {.max_records = count, .max_age_seconds = 0});
  fill(records, 0, count);
  std::uint64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(records.find(records.key(key_text(i += 7919 % count))));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FindAKey)->Arg(1000000);

void BM_FreezeTheExactlyOnce(benchmark::State& state) {
  ExactlyOnceState exactly_once(7, {.records = {.max_records = 1000000, .max_age_seconds = 0}, .streams = {}});
  fill(exactly_once.records(), 0, 1000000);
  for (auto _ : state) benchmark::DoNotOptimize(exactly_once.view());
}
BENCHMARK(BM_FreezeTheExactlyOnce);

void BM_WriteAndReadAMillionRecords(benchmark::State& state) {
  ExactlyOnceState exactly_once(7, {.records = {.max_records = 1000000, .max_age_seconds = 0}, .streams = {}});
  fill(exactly_once.records(), 0, 1000000);
  for (auto _ : state) {
    std::string text;
    const Status written = exactly_once.view().write_json(commands::operations(), [&](std::string_view piece) {
      text += piece;
      return Status();
    });
    ExactlyOnceState other(8, {.records = {.max_records = 1000000, .max_age_seconds = 0}, .streams = {}});
    if (!written.ok() || !other.load(text, commands::operations()).ok())
      return state.SkipWithError("the text cannot be read back");
    state.counters["bytes"] = static_cast<double>(text.size());
  }
}
BENCHMARK(BM_WriteAndReadAMillionRecords)->Unit(benchmark::kMillisecond);

void BM_FingerprintOfAnIncrement(benchmark::State& state) {
  std::uint64_t key = 0;
  for (auto _ : state) {
    FingerprintBuilder builder("increment");
    builder.text("series", "links");
    builder.number("key", ++key);
    builder.number("bucket", 20260505);
    builder.number("value", 1);
    benchmark::DoNotOptimize(builder.finish());
  }
}
BENCHMARK(BM_FingerprintOfAnIncrement);

}  // namespace
}  // namespace karma::store
