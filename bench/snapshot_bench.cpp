// Snapshot files: 50,000 counters of 356 consecutive days each, 17.8 million points. Rates are points a second.
#include <benchmark/benchmark.h>
#include <karma/file_system.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "io/path.h"
#include "snapshot/staged_file.h"
#include "snapshot/tree_decoder.h"
#include "snapshot/tree_encoder.h"
#include "store/series.h"

namespace karma::snapshot {
namespace {

constexpr std::uint64_t kKeys = 50'000;
constexpr std::int32_t kDays = 356;
constexpr std::int32_t kFirstDay = 20'000;

const store::Series& large_series() {
  static const store::Series series = [] {
    store::Series made(1);
    std::vector<store::Point> points(kDays);
    std::mt19937_64 random(1);  // so that nobody can guess which values take one byte and which two
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      for (std::int32_t day = 0; day < kDays; ++day) {
        points[day] = {Bucket::of_day(kFirstDay + day), 1 + random() % 255};
      }
      made.load(Key{key * 977}, points);
    }
    return made;
  }();
  return series;
}

// A directory of its own that goes with it.
class Directory {
 public:
  Directory() {
    const char* const parent = std::getenv("TMPDIR");
    path_ = join_path(parent ? parent : "/tmp", "karma_bench_" + std::to_string(::getpid()));
    (void)posix_file_system().create_directories(path_);
  }
  ~Directory() {
    remove();
    ::rmdir(path_.c_str());
  }
  const std::string& path() const { return path_; }
  std::string file() const { return join_path(path_, staged_name("x")); }
  void remove() { (void)posix_file_system().remove(file()); }

  std::uint64_t write(bool sync) {
    remove();
    Result<StagedFile> file = StagedFile::create(posix_file_system(), path_, "x");
    bool good = encode_tree(large_series().view(), [&](std::string_view bytes) { return file->append(bytes); }).ok();
    if (sync) good = file->sync().ok() && good;
    return good ? file->bytes() : 0;
  }

 private:
  std::string path_;
};

void count(benchmark::State& state, std::uint64_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kKeys * kDays));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void encode(benchmark::State& state) {
  large_series();
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    benchmark::DoNotOptimize(encode_tree(large_series().view(), [&](std::string_view piece) {
      bytes += piece.size();
      return Status();
    }));
  }
  count(state, bytes);
}
BENCHMARK(encode)->Name("snapshot/encode")->Unit(benchmark::kMillisecond);

void write_and_sync(benchmark::State& state) {
  large_series();
  Directory directory;
  std::uint64_t bytes = 0;
  for (auto _ : state) bytes = directory.write(true);
  if (bytes == 0) state.SkipWithError("cannot write");
  count(state, bytes);
}
BENCHMARK(write_and_sync)->Name("snapshot/write_and_sync")->Unit(benchmark::kMillisecond)->UseRealTime();

// The same bytes, ready in memory: what the disk alone takes.
void write_and_sync_bytes(benchmark::State& state) {
  Directory directory;
  const std::uint64_t bytes = directory.write(false);
  const std::string piece(std::size_t{1} << 20, 'x');
  for (auto _ : state) {
    directory.remove();
    Result<StagedFile> file = StagedFile::create(posix_file_system(), directory.path(), "x");
    for (std::uint64_t done = 0; done < bytes; done += piece.size()) {
      (void)file->append(std::string_view(piece).substr(0, bytes - done));
    }
    if (!file->sync().ok()) state.SkipWithError("cannot write");
  }
  count(state, bytes);
}
BENCHMARK(write_and_sync_bytes)->Name("snapshot/write_and_sync_bytes")->Unit(benchmark::kMillisecond)->UseRealTime();

void decode(benchmark::State& state) {
  Directory directory;
  const std::uint64_t bytes = directory.write(false);
  Result<std::unique_ptr<File>> file = posix_file_system().open(directory.file(), FileSystem::Open::read);
  for (auto _ : state) {
    Result<TreeFacts> facts = decode_tree(**file, [](Key, std::span<const store::Point>) { return true; });
    if (!facts) state.SkipWithError("cannot read");
  }
  count(state, bytes);
}
BENCHMARK(decode)->Name("snapshot/decode")->Unit(benchmark::kMillisecond);

void decode_into_series(benchmark::State& state) {
  Directory directory;
  const std::uint64_t bytes = directory.write(false);
  Result<std::unique_ptr<File>> file = posix_file_system().open(directory.file(), FileSystem::Open::read);
  for (auto _ : state) {
    store::Series series(5);
    Result<TreeFacts> facts =
        decode_tree(**file, [&](Key key, std::span<const store::Point> points) { return series.load(key, points); });
    if (!facts) state.SkipWithError("cannot read");
    state.PauseTiming();
    { const store::Series gone = std::move(series); }
    state.ResumeTiming();
  }
  count(state, bytes);
}
BENCHMARK(decode_into_series)->Name("snapshot/decode_into_series")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace karma::snapshot
