// Power cuts at every operation, and random lives of a log with failing disks: what was acknowledged stays, what was
// not is there whole or not at all, and the order never changes. Set KARMA_TEST_SEED to repeat a run.
#include <gtest/gtest.h>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

using test::CrashableFileSystem;
using Operation = CrashableFileSystem::Operation;
using Unsynced = CrashableFileSystem::Unsynced;

// One life of a log: what it did, as far as anybody was told.
struct Life {
  std::uint64_t acknowledged = 0;  // LSN
  std::uint64_t attempted = 0;     // highest LSN that any append tried to write
  std::uint64_t trimmed = 0;       // what may be gone
  std::uint64_t preallocate_bytes = 0;

  void append_to(Log& log, std::size_t count) {
    attempted = std::max(attempted, log.last().value + count);
    if (append(log, count).ok()) acknowledged = log.last().value;
  }
  void trim(Log& log, std::uint64_t lsn) {
    trimmed = std::max(trimmed, lsn);
    (void)log.trim(Lsn{lsn});
  }
};

// Zeros ahead are for longer files.
LogOptions options_with(std::uint64_t preallocate_bytes) {
  LogOptions options;
  options.segment_bytes = preallocate_bytes == 0 ? 700 : 4 * preallocate_bytes;
  options.preallocate_bytes = preallocate_bytes;
  return options;
}

// A short life with everything in it: batches of several sizes, rotations on its own and on demand, trims.
void live(FileSystem& files, Life& life) {
  const LogOptions options = options_with(life.preallocate_bytes);
  const auto scan = karma::wal::scan(files, kDirectory, {});
  if (!scan) return;
  const auto opened = open_log(files, kDirectory, *scan, std::max(scan->last, scan->lsn_file), options);
  if (!opened) return;
  Log& log = **opened;
  for (const std::size_t count : {1, 5, 3, 8}) life.append_to(log, count);
  if (life.preallocate_bytes != 0) {
    for (const std::size_t count : {1, 9, 2, 20, 1}) life.append_to(log, count);
  }
  if (log.rotate().ok()) life.trim(log, log.last().value / 2);
  for (const std::size_t count : {2, 7}) life.append_to(log, count);
  if (log.rotate().ok()) life.trim(log, log.last().value);
  life.append_to(log, 4);
}

// Nothing on the disk contradicts what was promised. Returns the last LSN.
std::uint64_t check(FileSystem& files, const Life& life) {
  const Scanned scanned = scan_log(files);
  EXPECT_TRUE(scanned.scan.damage.empty()) << scanned.scan.damage.front().to_string();
  const std::uint64_t last = std::max(scanned.scan.last.value, scanned.scan.lsn_file.value);
  EXPECT_GE(last, life.acknowledged);
  EXPECT_LE(last, life.attempted);
  EXPECT_LE(scanned.scan.lsn_file.value, life.trimmed);
  if (!scanned.entries.empty()) {
    EXPECT_LE(scanned.entries.begin()->first, life.trimmed + 1);
    expect_entries(scanned.entries, scanned.entries.begin()->first, scanned.entries.rbegin()->first);
  } else {
    EXPECT_LE(life.acknowledged, life.trimmed);
  }
  return last;
}

class LogCrash : public testing::TestWithParam<std::uint64_t> {
 protected:
  static Life new_life() {
    Life life;
    life.preallocate_bytes = GetParam();
    return life;
  }
};

INSTANTIATE_TEST_SUITE_P(PreallocatedBytes, LogCrash, testing::Values(0, 1200));

TEST_P(LogCrash, PowerCutAtEveryOperationKeepsWhatWasAcknowledged) {
  bool cut = true;
  for (std::uint64_t at = 1; cut; ++at) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(at) + ", seed " + std::to_string(seed));
      CrashableFileSystem files;
      Life life = new_life();
      files.power_off_at(at, seed);
      live(files, life);
      cut = files.power_is_off();
      for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
        const auto disk = files.after_crash(unsynced, seed);
        Life next = life;
        // Whatever was found is what counts from now on.
        next.attempted = next.acknowledged = check(*disk, life);
        live(*disk, next);
        EXPECT_EQ(next.acknowledged, next.attempted) << "the next life is a healthy one";
        check(*disk, next);
        check(*disk->after_crash(Unsynced::lost), next);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST_P(LogCrash, ARefusedBatchNeverComesBack) {
  for (const Operation operation : {Operation::write, Operation::create, Operation::rename}) {
    bool failed = true;
    for (std::uint64_t nth = 1; failed; ++nth) {
      for (const std::size_t written : {0, 50, 110, 1000}) {
        CrashableFileSystem files;
        Life life = new_life();
        files.fail({.operation = operation, .nth = nth, .written = written});
        live(files, life);
        // LSNs are given again after a refusal, so what was attempted is what was acknowledged in the end.
        const std::uint64_t refused = life.attempted - life.acknowledged;
        failed = refused > 0 || files.count(operation) >= nth;
        life.attempted = life.acknowledged;
        for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
          check(*files.after_crash(unsynced, nth), life);
        }
        ASSERT_FALSE(testing::Test::HasFailure()) << static_cast<int>(operation) << " " << nth << " " << written;
      }
    }
  }
}

// Whatever a call comes back with, only a failed sync stops the log. All else refuses a batch at most, and heals.
TEST_P(LogCrash, OnlyAFailedSyncStopsWriting) {
  for (const char* error : {"Too many open files", "Input/output error", "No space left on device"}) {
    bool reached = true;
    std::uint64_t refusals = 0;
    for (std::uint64_t nth = 1; reached; ++nth) {
      SCOPED_TRACE(std::string(error) + ", call " + std::to_string(nth));
      CrashableFileSystem files;
      const Scan scan = scan_log(files).scan;
      LogOptions options = options_with(GetParam());
      if (GetParam() == 0) options.segment_bytes = 400;
      std::vector<Operation> calls;
      files.before_call([&](Operation operation, const std::string&) { calls.push_back(operation); });
      files.fail({.operation = std::nullopt, .nth = nth, .written = nth * 37 % 300, .text = error});
      const auto opened = open_log(files, kDirectory, scan, scan.last, options);
      if (!opened) continue;
      Log& log = **opened;
      Life life = new_life();
      for (const std::size_t count : {2, 3, 5, 4, 5, 1, 9}) {
        life.append_to(log, count);
        refusals += life.acknowledged < life.attempted ? 1 : 0;
        life.attempted = life.acknowledged;
      }
      (void)log.rotate();
      life.trim(log, log.last().value / 2);
      life.append_to(log, 2);
      life.attempted = life.acknowledged;
      reached = calls.size() >= nth;
      const bool sync = reached && (calls[nth - 1] == Operation::sync || calls[nth - 1] == Operation::sync_directory);
      ASSERT_TRUE(sync || !log.stopped());
      files.heal();
      if (!log.stopped()) {
        ASSERT_TRUE(append(log, 2).ok()) << "it heals";
        ASSERT_TRUE(log.rotate().ok());
        ASSERT_TRUE(append(log, 1).ok());
        life.attempted = life.acknowledged = log.last().value;
      }
      for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept}) check(*files.after_crash(unsynced), life);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(refusals, 5u);
  }
}

// The process is killed and the machine goes on: what was not synced is made up for before anybody is told of it.
TEST_P(LogCrash, AKilledProcessLeavesNothingUnsyncedToTheNext) {
  bool killed = true;
  for (std::uint64_t at = 1; killed; ++at) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE("operation " + std::to_string(at) + ", seed " + std::to_string(seed));
      CrashableFileSystem files;
      files.power_off_at(at, seed);
      Life life = new_life();
      live(files, life);
      killed = files.power_is_off();
      files.power_on();
      const Scanned found = scan_log(files);
      auto log = open_log(files, kDirectory, found.scan, std::max(found.scan.last, found.scan.lsn_file), {});
      ASSERT_TRUE(log.ok());
      // What is replayed is visible, and repeats of it are acknowledged.
      life.attempted = life.acknowledged = (*log)->last().value;
      check(*files.after_crash(Unsynced::lost), life);
      life.append_to(**log, 1);
      ASSERT_EQ(life.acknowledged, life.attempted);
      check(*files.after_crash(Unsynced::lost), life);
      if (testing::Test::HasFailure()) return;
    }
  }
}

class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed) : random_(seed) {}

  void run() {
    auto files = std::make_unique<CrashableFileSystem>();
    for (int generation = 0; generation < 6 && !testing::Test::HasFailure(); ++generation) {
      add_faults(*files);
      live_at_random(*files);
      files = files->after_crash(static_cast<Unsynced>(up_to(2)), random_());
      life_.attempted = life_.acknowledged = check(*files, life_);
    }
  }

 private:
  std::uint64_t up_to(std::uint64_t most) { return std::uniform_int_distribution<std::uint64_t>(0, most)(random_); }

  void add_faults(CrashableFileSystem& files) {
    constexpr Operation kKinds[] = {Operation::write,          Operation::write,  Operation::sync,
                                    Operation::truncate,       Operation::rename, Operation::create,
                                    Operation::sync_directory, Operation::remove};
    for (std::uint64_t faults = up_to(3); faults > 0; --faults) {
      files.fail({.operation = kKinds[up_to(7)], .nth = 1 + up_to(15), .count = 1 + up_to(2), .written = up_to(400)});
    }
    if (up_to(1)) files.power_off_at(1 + up_to(80), random_());
  }

  void live_at_random(FileSystem& files) {
    const auto scan = karma::wal::scan(files, kDirectory, {});
    if (!scan) return;
    LogOptions options;
    options.segment_bytes = up_to(1) ? up_to(2000) : up_to(20000);
    options.preallocate_bytes = up_to(1) * up_to(2000);
    const auto log = open_log(files, kDirectory, *scan, std::max(scan->last, scan->lsn_file), options);
    if (!log) return;
    for (std::uint64_t steps = up_to(40); steps > 0; --steps) {
      const std::uint64_t choice = up_to(9);
      if (choice == 0) {
        (void)(*log)->rotate();
      } else if (choice == 1) {
        life_.trim(**log, up_to((*log)->last().value));
      } else {
        life_.append_to(**log, 1 + up_to(9));
      }
    }
  }

  std::mt19937_64 random_;
  Life life_;
};

TEST(LogLives, NeverLoseOrInvent) {
  const std::uint64_t seed = test_seed();
  for (std::uint64_t run = 0; run < 150; ++run) {
    SCOPED_TRACE("KARMA_TEST_SEED=" + std::to_string(seed + run));
    RandomLife(seed + run).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace karma::wal
