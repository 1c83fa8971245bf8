// What the log costs apart from waiting for the disk: the checksum, a line, a batch, reading it all back.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include <karma/file_system.h>

#include "core/crc32c.h"
#include "wal/format.h"
#include "wal/log.h"

namespace karma::wal {
namespace {

const std::string kEntry =
    R"({"v":2,"op":"counter.increment","series":"links","key":4242,"bucket":20260505,"value":1})";

class TempDirectory {
 public:
  TempDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "karma-bench-XXXXXX").string();
    if (!::mkdtemp(path_.data())) std::abort();
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(checksum)->Name("crc32c")->Arg(100)->Arg(1000)->Arg(100000);

void encode(benchmark::State& state) {
  Buffer out;
  Lsn lsn{1000000};
  for (auto _ : state) {
    out.clear();
    append_line(out, lsn = lsn.next(), kEntry);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(encode)->Name("wal_line_encode");

void parse(benchmark::State& state) {
  Buffer out;
  append_line(out, Lsn{1000000}, kEntry);
  const std::string_view line = out.view().substr(0, out.size() - 1);
  for (auto _ : state) benchmark::DoNotOptimize(parse_line(line));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(parse)->Name("wal_line_parse");

std::unique_ptr<Log> open_in(const std::string& directory, std::uint64_t segment_bytes = LogOptions().segment_bytes) {
  LogOptions options;
  options.segment_bytes = segment_bytes;
  options.fsync = false;
  auto scanned = scan(posix_file_system(), directory, {});
  auto log = open_log(posix_file_system(), directory, *scanned, scanned->last, options);
  return log ? std::move(*log) : nullptr;
}

// Written to the kernel, not to the disk; rotations and their indexes included.
void append_batch(benchmark::State& state) {
  const TempDirectory directory;
  const auto log = open_in(directory.path());
  const std::vector<std::string_view> batch(static_cast<std::size_t>(state.range(0)), kEntry);
  for (auto _ : state) {
    if (!log->append(batch)) state.SkipWithError("append failed");
    if (log->bytes() > (std::uint64_t{512} << 20)) {
      state.PauseTiming();
      if (!log->trim(log->last())) state.SkipWithError("trim failed");
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(append_batch)->Name("wal_append_without_sync")->Arg(1)->Arg(24)->Arg(1024)->UseRealTime();

constexpr int kStoredEntries = 500000;

void fill(Log& log) {
  const std::vector<std::string_view> batch(1000, kEntry);
  for (int i = 0; i < kStoredEntries / 1000; ++i) {
    if (!log.append(batch)) std::abort();
  }
}

// What a restart pays before it applies anything.
void scan_all(benchmark::State& state) {
  const TempDirectory directory;
  fill(*open_in(directory.path()));
  for (auto _ : state) {
    const auto scanned = scan(posix_file_system(), directory.path(), [](Lsn, std::string_view entry) {
      benchmark::DoNotOptimize(entry.data());
      return Status();
    });
    if (!scanned || scanned->entry_count != kStoredEntries) state.SkipWithError("scan failed");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kStoredEntries);
}
BENCHMARK(scan_all)->Name("wal_scan")->Unit(benchmark::kMillisecond);

// One page of a replica, from the middle of the log.
void read_page(benchmark::State& state) {
  const TempDirectory directory;
  const auto log = open_in(directory.path());
  fill(*log);
  if (state.range(0) && !log->rotate()) state.SkipWithError("rotate failed");
  for (auto _ : state) {
    int count = 0;
    const Status read = log->read(Lsn{kStoredEntries / 2 + 77}, [&](Lsn, std::string_view) { return ++count < 1000; });
    if (!read || count != 1000) state.SkipWithError("read failed");
  }
}
BENCHMARK(read_page)->Name("wal_read_1000_of_segment")->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(read_page)->Name("wal_read_1000_of_active_file")->Arg(0)->Unit(benchmark::kMicrosecond);

// How long a batch waits that finds the active file full: rename, index, new file.
void rotate_full_file(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    {
      const TempDirectory directory;
      const auto log = open_in(directory.path(), 0);
      fill(*log);
      state.ResumeTiming();
      if (!log->rotate()) state.SkipWithError("rotate failed");
      state.PauseTiming();
    }
    state.ResumeTiming();
  }
}
BENCHMARK(rotate_full_file)
    ->Name("wal_rotate_500000_entries")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3)
    ->UseRealTime();

}  // namespace
}  // namespace karma::wal
