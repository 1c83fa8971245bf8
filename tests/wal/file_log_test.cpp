#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

using test::CrashableFileSystem;
using Operation = CrashableFileSystem::Operation;
using Unsynced = CrashableFileSystem::Unsynced;

const std::string kLsnPath = kDirectory + "/karma.wal.lsn";

LogOptions rotating_at(std::uint64_t segment_bytes) {
  LogOptions options;
  options.segment_bytes = segment_bytes;
  return options;
}

TEST(FileLog, LeavesAnEmptyDirectoryAloneUntilTheFirstAppend) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(log);
  EXPECT_EQ(files.changes(), 0u);
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(files.content(kActivePath), line_text(1));
}

TEST(FileLog, WritesABatchOnceAndSyncsItOnce) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 1).ok());
  const std::uint64_t writes = files.count(Operation::write);
  const std::uint64_t changes = files.changes();
  ASSERT_TRUE(append(*log, 100).ok());
  EXPECT_EQ(files.count(Operation::write) - writes, 1u);
  EXPECT_EQ(files.changes() - changes, 2u) << "a write and a sync";
  EXPECT_EQ(log->last().value, 101u);
  EXPECT_EQ(log->write_count(), 2u);
  EXPECT_EQ(log->sync_count(), 2u);
  EXPECT_EQ(log->bytes(), files.content(kActivePath)->size());
}

TEST(FileLog, AppendedEntriesSurviveACrash) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 3).ok());
  expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, 3);
}

TEST(FileLog, WithoutFsyncNothingIsSyncedButClosedFiles) {
  CrashableFileSystem files;
  LogOptions options = rotating_at(1);
  options.fsync = false;
  const auto log = open_anew(files, options);
  ASSERT_TRUE(append(*log, 3).ok());
  EXPECT_EQ(files.count(Operation::sync), 0u);
  EXPECT_EQ(log->sync_count(), 0u);
  ASSERT_TRUE(append(*log, 1).ok());
  expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, 3);
}

TEST(FileLog, RotatesBeforeTheBatchThatFindsTheFileFull) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(line_text(1).size() + 1));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(files.content(segment_path(1)), line_text(1) + line_text(2));
  EXPECT_EQ(files.content(segment_path(3)), line_text(3) + line_text(4));
  EXPECT_EQ(files.content(kActivePath), line_text(5));
  EXPECT_TRUE(files.exists(segment_path(1) + ".idx"));
  expect_entries(scan_log(files).entries, 1, 5);
  EXPECT_EQ(log->bytes(), (line_text(1) + line_text(2) + line_text(3) + line_text(4) + line_text(5)).size());
}

TEST(FileLog, NeverRotatesByItselfWithoutALimit) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(0));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append(*log, 10).ok());
  EXPECT_EQ(files.list(kDirectory)->size(), 1u);
}

TEST(FileLog, RotationOfAnEmptyLogDoesNothing) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  EXPECT_TRUE(log->rotate().ok());
  EXPECT_EQ(files.changes(), 0u);
  ASSERT_TRUE(append(*log, 1).ok());
  ASSERT_TRUE(log->rotate().ok());
  const std::uint64_t changes = files.changes();
  EXPECT_TRUE(log->rotate().ok());
  EXPECT_EQ(files.changes(), changes);
  EXPECT_EQ(files.content(kActivePath), "");
}

TEST(FileLog, TrimRemovesWholeSegmentsAndRemembersHowFar) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, 2).ok());  // 1-2 3-4 5-6 | 7-8
  ASSERT_TRUE(log->trim(Lsn{5}).ok());
  EXPECT_EQ(files.content(kLsnPath), "5\n");
  EXPECT_FALSE(files.exists(segment_path(3)) || files.exists(segment_path(3) + ".idx"));
  EXPECT_TRUE(files.exists(segment_path(5)) && files.exists(segment_path(5) + ".idx"));
  expect_entries(scan_log(files).entries, 5, 8);
  expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 5, 8);
  EXPECT_EQ(log->bytes(), files.content(segment_path(5))->size() + files.content(kActivePath)->size());
  ASSERT_TRUE(log->trim(Lsn{2}).ok());
  EXPECT_EQ(files.content(kLsnPath), "5\n") << "never goes back";
}

TEST(FileLog, TrimLeavesWhatIsHeldAsFarAsThereIsRoom) {
  CrashableFileSystem files;
  auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, 2).ok());  // 1-2 3-4 5-6 | 7-8
  EXPECT_EQ(log->held_bytes(), 0u);
  ASSERT_TRUE(log->trim(Lsn{6}, {.after = Lsn{2}, .bytes = 1 << 20}).ok());
  expect_entries(scan_log(files).entries, 3, 8);
  const std::uint64_t segment = files.content(segment_path(3))->size();
  EXPECT_EQ(log->held_bytes(), 2 * segment);
  ASSERT_TRUE(log->trim(Lsn{6}, {.after = Lsn{3}, .bytes = 2 * segment}).ok());
  EXPECT_EQ(log->held_bytes(), 2 * segment) << "4 is still wanted";
  log.reset();
  log = open_anew(files, rotating_at(1));
  EXPECT_EQ(log->held_bytes(), 2 * segment) << "after a restart, too";
  ASSERT_TRUE(log->trim(Lsn{6}, {.after = Lsn{2}, .bytes = 2 * segment - 1}).ok());
  EXPECT_EQ(log->held_bytes(), segment) << "the newest stay";
  expect_entries(scan_log(files).entries, 5, 8);
  ASSERT_TRUE(log->trim(Lsn{6}).ok());
  EXPECT_EQ(log->held_bytes(), 0u);
  expect_entries(scan_log(files).entries, 7, 8);
}

TEST(FileLog, IsEmptyAfterRotationAndTrimAndGoesOnCounting) {
  CrashableFileSystem files;
  {
    const auto log = open_anew(files);
    ASSERT_TRUE(append(*log, 3).ok());
    ASSERT_TRUE(log->rotate().ok());
    ASSERT_TRUE(log->trim(Lsn{1000}).ok()) << "at most to the end";
  }
  EXPECT_EQ(*files.list(kDirectory), (std::vector<std::string>{"karma.wal", "karma.wal.lsn"}));
  EXPECT_EQ(files.content(kActivePath), "");
  const Scan scan = scan_log(files).scan;
  EXPECT_EQ(scan.lsn_file.value, 3u);
  auto log = open_log(files, kDirectory, scan, scan.lsn_file, {});
  ASSERT_TRUE(log.ok());
  ASSERT_TRUE(append(**log, 1).ok());
  EXPECT_EQ((*log)->last().value, 4u);
  expect_entries(scan_log(files).entries, 4, 4);
}

TEST(FileLog, TrimThatFailsLosesNothingAndCanBeRepeated) {
  for (const Operation operation : {Operation::create, Operation::rename, Operation::remove}) {
    for (const std::uint64_t nth : {1, 2}) {
      CrashableFileSystem files;
      const auto log = open_anew(files, rotating_at(1));
      for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, 1).ok());
      files.fail({.operation = operation, .nth = nth, .count = 1});
      const Status trimmed = log->trim(Lsn{3});
      EXPECT_EQ(trimmed.ok(), operation != Operation::remove && nth == 2);
      ASSERT_TRUE(scan_log(files).scan.damage.empty());
      files.heal();
      ASSERT_TRUE(log->trim(Lsn{3}).ok());
      expect_entries(scan_log(files).entries, 4, 4);
      expect_entries(read_log(*log, 3), 4, 4);
    }
  }
}

// An error of a sync is told to each descriptor once: a trim must not take what the writer ought to learn.
TEST(FileLog, TrimSyncsNamesWithADescriptorOfItsOwn) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, 1).ok());
  ASSERT_TRUE(log->trim(Lsn{1}).ok());
  const std::uint64_t opened = files.count(Operation::open_directory);
  const std::uint64_t synced = files.count(Operation::sync_directory);
  ASSERT_TRUE(log->trim(Lsn{2}).ok());
  EXPECT_EQ(files.count(Operation::open_directory) - opened, files.count(Operation::sync_directory) - synced);
}

// --- failures --------------------------------------------------------------------------------------------------------

TEST(FileLog, AFullDiskRefusesTheBatchAndNothingElse) {
  const std::size_t batch = line_text(3).size() * 2;
  for (std::size_t written = 0; written <= batch; written += 7) {
    CrashableFileSystem files;
    const auto log = open_anew(files);
    ASSERT_TRUE(append(*log, 2).ok());
    files.fail({.operation = Operation::write, .written = written});
    const Status refused = append(*log, 2);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().message, "Cannot write karma.wal: No space left on device");
    EXPECT_FALSE(log->stopped());
    EXPECT_EQ(log->last().value, 2u);
    // Neither now nor after a crash is any of it there.
    expect_entries(scan_log(files).entries, 1, 2);
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
      expect_entries(scan_log(*files.after_crash(unsynced, written)).entries, 1, 2);
    }
    ASSERT_TRUE(append(*log, 1).ok());
    expect_entries(scan_log(files).entries, 1, 3);
  }
}

TEST(FileLog, RefusesUntilItsEndIsRestored) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  ASSERT_TRUE(append(*log, 2).ok());
  ASSERT_TRUE(log->rotate().ok());
  ASSERT_TRUE(append(*log, 1).ok());
  files.fail({.operation = Operation::truncate, .count = 3});
  ASSERT_TRUE(append(*log, 1).ok()) << "a rotation, and no truncation";
  files.fail({.operation = Operation::write, .written = line_text(5).size() + 20, .name = "karma.wal"});
  EXPECT_FALSE(append(*log, 2).ok());
  EXPECT_FALSE(append(*log, 2).ok()) << "still not restored";
  EXPECT_FALSE(log->rotate().ok());
  EXPECT_FALSE(log->stopped());
  ASSERT_TRUE(append(*log, 2).ok());
  expect_entries(scan_log(files).entries, 1, 6);
}

TEST(FileLog, AFailedCutLeavesTheRefusedBatchInDoubt) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 2).ok());
  files.fail({.operation = Operation::write, .written = line_text(3).size()});
  files.fail({.operation = Operation::truncate});
  const Status refused = append(*log, 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(refused.error().message.starts_with("Cannot write karma.wal: No space left on device. "))
      << refused.error().message;
  EXPECT_NE(refused.error().message.find("not known to be lost"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(log->stopped());
  ASSERT_TRUE(append(*log, 1).ok());
  expect_entries(scan_log(files).entries, 1, 3);
}

TEST(FileLog, CutsOffWhatCouldNotBeSynced) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 2).ok());
  files.fail({.operation = Operation::sync, .text = "Input/output error"});
  const std::uint64_t syncs = files.count(Operation::sync);
  const Status failed = append(*log, 2);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("not known to be lost"), std::string::npos) << failed.error().message;
  EXPECT_EQ(files.count(Operation::sync) - syncs, 1u) << "not tried again";
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept}) {
    expect_entries(scan_log(*files.after_crash(unsynced)).entries, 1, 2);
  }
  const Status later = append(*log, 1);
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().message.find("not known to be lost"), std::string::npos) << "it never came near the disk";
}

TEST(FileLog, StopsForGoodAfterAFailedSync) {
  CrashableFileSystem files;
  std::string event;
  LogOptions options;
  options.on_event = [&](const std::string& name, const std::string& message) { event = name + ": " + message; };
  const auto log = open_anew(files, options);
  ASSERT_TRUE(append(*log, 2).ok());
  files.fail({.operation = Operation::sync, .text = "Input/output error"});
  const Status failed = append(*log, 1);
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.error().message.starts_with("Writing has stopped: Cannot sync karma.wal: Input/output error"));
  EXPECT_TRUE(log->stopped());
  EXPECT_TRUE(event.starts_with("wal.stopped: Writing has stopped: Cannot sync karma.wal: Input/output error"))
      << event;
  EXPECT_EQ(log->last().value, 2u);
  const std::uint64_t changes = files.changes();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(append(*log, 1).ok()) << "the disk works again, but is not believed";
    EXPECT_FALSE(log->rotate().ok());
  }
  EXPECT_EQ(files.changes(), changes) << "nothing is tried again";
  expect_entries(read_log(*log, 0), 1, 2);
}

TEST(FileLog, StopsIfTheCutOfAFailedWriteCannotBeSynced) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 2).ok());
  files.fail({.operation = Operation::write, .written = 10});
  files.fail({.operation = Operation::sync});
  EXPECT_FALSE(append(*log, 1).ok());
  EXPECT_TRUE(log->stopped());
}

// Only a failed sync stops writing: whatever else of a rotation fails, the entries go where they can.
TEST(FileLog, ARotationThatFailsRefusesNothing) {
  for (const bool fsync : {false, true}) {
    for (const Operation operation : {Operation::rename, Operation::exists, Operation::create, Operation::open}) {
      for (const std::string& name : {segment_name(Lsn{1}), std::string(kActiveName), std::string(".karma.wal.next")}) {
        SCOPED_TRACE(std::to_string(static_cast<int>(operation)) + " " + name);
        CrashableFileSystem files;
        LogOptions options = rotating_at(1);
        options.fsync = fsync;
        const auto log = open_anew(files, options);
        ASSERT_TRUE(append(*log, 1).ok());
        files.fail({.operation = operation, .count = 3, .name = name, .text = "Input/output error"});
        for (int i = 0; i < 8; ++i) ASSERT_TRUE(append(*log, 1).ok());
        files.heal();
        EXPECT_TRUE(files.exists(segment_path(1))) << "made up for";
        expect_entries(scan_log(files).entries, 1, 9);
        expect_entries(read_log(*log, 0), 1, 9);
        if (fsync) expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, 9);
      }
    }
  }
}

TEST(FileLog, TriesAFailedRotationAgainWhenTheFileHasGrown) {
  CrashableFileSystem files;
  std::vector<std::string> events;
  LogOptions options = rotating_at(800);
  options.on_event = [&](const std::string& name, const std::string&) { events.push_back(name); };
  const auto log = open_anew(files, options);
  const auto grow = [&](std::uint64_t bytes) {
    while (log->bytes() < bytes) ASSERT_TRUE(append(*log, 1).ok());
  };
  grow(800);
  files.fail({.operation = Operation::rename, .count = CrashableFileSystem::kForEver});
  const std::uint64_t before = files.count(Operation::rename);
  grow(1600);
  const std::uint64_t tries = files.count(Operation::rename) - before;
  EXPECT_GT(tries, 1u);
  EXPECT_LE(tries, 8u);
  EXPECT_EQ(events, std::vector<std::string>{"wal.rotation_failed"}) << "said once";
  files.heal();
  grow(2400);
  EXPECT_EQ(events.size(), 2u);
  EXPECT_EQ(events.back(), "wal.segment");
  grow(3200);
  EXPECT_EQ(events.size(), 3u) << "at the next full file again";
}

TEST(FileLog, RotatesWithWhatItHoldsOpen) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  ASSERT_TRUE(append(*log, 2).ok());
  for (const Operation operation : {Operation::create, Operation::open, Operation::open_directory}) {
    files.fail({.operation = operation, .count = CrashableFileSystem::kForEver, .text = "Too many open files"});
  }
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(files.content(segment_path(1)), line_text(1) + line_text(2));
  EXPECT_EQ(files.content(kActivePath), line_text(3));
}

TEST(FileLog, WritesOnInTheFullFileWhileThereIsNoDescriptorForTheNext) {
  CrashableFileSystem files;
  std::vector<std::string> events;
  LogOptions options = rotating_at(1);
  options.on_event = [&](const std::string& name, const std::string&) { events.push_back(name); };
  const auto log = open_anew(files, options);
  for (const Operation operation : {Operation::create, Operation::open, Operation::open_directory}) {
    files.fail({.operation = operation,
                .nth = operation == Operation::create ? 2u : 1u,
                .count = CrashableFileSystem::kForEver,
                .text = "Too many open files"});
  }
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(events, std::vector<std::string>{"wal.rotation_failed"}) << "said once";
  expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, 5);
  files.heal();
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_TRUE(files.exists(segment_path(1)));
  EXPECT_EQ(files.content(kActivePath), line_text(6));
}

TEST(FileLog, TakesTheNextFileOfAKilledProcess) {
  CrashableFileSystem files;
  const std::string next = kDirectory + "/.karma.wal.next";
  files.edit(next, "not ours");
  const auto log = open_anew(files, rotating_at(1));
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(files.content(next), "");
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(files.content(kActivePath), line_text(2));
}

TEST(FileLog, LeavesNoOtherFileBehind) {
  CrashableFileSystem files;
  {
    const auto log = open_anew(files, rotating_at(1));
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*log, 1).ok());
  }
  EXPECT_EQ(*files.list(kDirectory),
            (std::vector<std::string>{"karma.wal", segment_name(Lsn{1}), segment_name(Lsn{1}) + ".idx"}));
}

TEST(FileLog, ErrorsOfAFileThatWasTheNextOneNameTheActiveOne) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*log, 1).ok());
  ASSERT_TRUE(log->rotate().ok());
  files.fail({.operation = Operation::write});
  EXPECT_EQ(append(*log, 1).error().message, "Cannot write karma.wal: No space left on device");
}

TEST(FileLog, ARotationWhoseSyncsFailStopsWriting) {
  for (const Operation operation : {Operation::sync, Operation::sync_directory}) {
    CrashableFileSystem files;
    const auto log = open_anew(files, rotating_at(1));
    ASSERT_TRUE(append(*log, 2).ok());
    files.fail({.operation = operation});
    EXPECT_FALSE(append(*log, 1).ok());
    EXPECT_TRUE(log->stopped());
    EXPECT_FALSE(append(*log, 1).ok());
    expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, 2);
  }
}

TEST(FileLog, NeedsNoIndexToRotate) {
  CrashableFileSystem files;
  std::vector<std::string> events;
  LogOptions options = rotating_at(1);
  options.on_event = [&](const std::string& name, const std::string&) { events.push_back(name); };
  const auto log = open_anew(files, options);
  ASSERT_TRUE(append(*log, 2).ok());
  files.fail({.operation = Operation::rename, .nth = 2});
  ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_FALSE(files.exists(segment_path(1) + ".idx"));
  EXPECT_EQ(events, (std::vector<std::string>{"wal.segment", "wal.segment_index_failed"}));
  expect_entries(read_log(*log, 1), 2, 3);
}

// What was in the file when it was opened, what could not be written, and what was.
TEST(FileLog, IndexesEveryLineOfASegment) {
  CrashableFileSystem files;
  const std::string before = line_text(1) + "\n" + line_text(2);
  files.edit(kActivePath, before);
  const auto log = open_anew(files);
  files.fail({.operation = Operation::write});
  EXPECT_FALSE(append(*log, 1).ok());
  ASSERT_TRUE(append(*log, 2).ok());
  ASSERT_TRUE(log->rotate().ok());
  const std::string content = *files.content(segment_path(1));
  std::string expected = "KARMA_WAL_INDEX_V1 size=" + std::to_string(content.size()) + "\n1 0\n";
  expected += "2 " + std::to_string(line_text(1).size() + 1) + "\n3 " + std::to_string(before.size()) + "\n4 " +
              std::to_string(content.find("{\"v\":2,\"lsn\":4")) + "\n";
  EXPECT_EQ(files.content(segment_path(1) + ".idx"), expected);
}

TEST(FileLog, WritesSmallIndexesAtOnce) {
  CrashableFileSystem files;
  LogOptions options = rotating_at(1);
  options.in_background = [&](const std::function<void()>&) {
    ADD_FAILURE() << "not worth it";
    return true;
  };
  options.entries_indexed_at_once = 1;
  const auto log = open_anew(files, options);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_TRUE(files.exists(segment_path(1) + ".idx"));
}

TEST(FileLog, LeavesIndexesToAnotherThreadWhereThereIsOne) {
  CrashableFileSystem files;
  std::vector<std::function<void()>> tasks;
  LogOptions options = rotating_at(1);
  options.in_background = [&](std::function<void()> task) {
    tasks.push_back(std::move(task));
    return true;
  };
  const auto log = open_anew(files, options);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, 1).ok());
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_FALSE(files.exists(segment_path(1) + ".idx") || files.exists(segment_path(2) + ".idx"));
  ASSERT_TRUE(log->trim(Lsn{1}).ok());
  for (const auto& task : tasks) task();
  EXPECT_FALSE(files.exists(segment_path(1) + ".idx")) << "its segment is gone";
  EXPECT_TRUE(files.exists(segment_path(2) + ".idx"));
}

TEST(FileLog, DoesWithoutAnIndexThatNobodyCanWrite) {
  CrashableFileSystem files;
  int asked = 0;
  LogOptions options = rotating_at(1);
  options.in_background = [&](const std::function<void()>&) { return ++asked, false; };
  const auto log = open_anew(files, options);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(asked, 2) << "of what is not waiting nothing is counted";
  EXPECT_FALSE(files.exists(segment_path(1) + ".idx") || files.exists(segment_path(2) + ".idx"));
  expect_entries(read_log(*log, 0), 1, 3);
}

// --- zeros ahead

LogOptions preallocating(std::uint64_t bytes, std::uint64_t segment_bytes = 0) {
  LogOptions options = rotating_at(segment_bytes);
  options.preallocate_bytes = bytes;
  return options;
}

// There may be no such file.
std::size_t zeros_at_the_end(const std::optional<std::string>& content) {
  return content ? content->size() - content->find_last_not_of('\0') - 1 : 0;
}

TEST(FileLog, WritesZerosAheadOfSmallBatchesAndThenOverwritesThem) {
  CrashableFileSystem files;
  const auto log = open_anew(files, preallocating(2000));
  ASSERT_TRUE(append(*log, 1).ok());
  while (log->bytes() < 2000) {
    EXPECT_EQ(files.content(kActivePath)->size(), log->bytes()) << "not worth it in a small file";
    ASSERT_TRUE(append(*log, 1).ok());
  }
  const std::string before = *files.content(kActivePath);
  EXPECT_EQ(before.size(), log->bytes() + 2000);
  EXPECT_EQ(zeros_at_the_end(before), 2000u);
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content(kActivePath), before) << "the batch's own sync takes them along";
  EXPECT_EQ(log->sync_count(), log->last().value);
  const std::uint64_t writes = files.count(Operation::write);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(append(*log, 2).ok());
    const std::string now = *files.content(kActivePath);
    EXPECT_EQ(now.size(), before.size()) << "nothing that the file system has to record";
    EXPECT_EQ(now.size() - zeros_at_the_end(now), log->bytes());
    EXPECT_EQ(files.after_crash(Unsynced::lost)->content(kActivePath), now);
  }
  EXPECT_EQ(files.count(Operation::write) - writes, 4u);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*log, 1).ok());
  EXPECT_LE(zeros_at_the_end(files.content(kActivePath)), 2000u);
  EXPECT_GT(zeros_at_the_end(files.content(kActivePath)), 0u);
  expect_entries(scan_log(files).entries, 1, log->last().value);
}

TEST(FileLog, WritesNoZerosWhereNothingIsGained) {
  const auto zeros = [](LogOptions options, std::size_t count) {
    CrashableFileSystem files;
    const auto log = open_anew(files, std::move(options));
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(append(*log, count).ok());
    expect_entries(scan_log(files).entries, 1, log->last().value);
    return zeros_at_the_end(files.content(kActivePath));
  };
  EXPECT_GT(zeros(preallocating(2000), 1), 0u);
  EXPECT_EQ(zeros(preallocating(0), 1), 0u);
  EXPECT_EQ(zeros(preallocating(2000), 10), 0u) << "large batches";
  EXPECT_GT(zeros(preallocating(100000), 100), 0u);
  EXPECT_EQ(zeros(preallocating(100000), 200), 0u) << "large batches";
  LogOptions unsynced = preallocating(2000);
  unsynced.fsync = false;
  EXPECT_EQ(zeros(unsynced, 1), 0u);
}

TEST(FileLog, CutsZerosWhenItClosesAFile) {
  CrashableFileSystem files;
  const std::uint64_t segment_bytes = 6000;
  {
    const auto log = open_anew(files, preallocating(1000, segment_bytes));
    while (!files.exists(segment_path(1))) {
      ASSERT_TRUE(append(*log, 1).ok());
      EXPECT_LE(files.content(kActivePath)->size(), segment_bytes + line_text(1000).size()) << "no zeros beyond it";
    }
    EXPECT_EQ(zeros_at_the_end(files.content(segment_path(1))), 0u);
    EXPECT_EQ(files.after_crash(Unsynced::lost)->content(segment_path(1)), files.content(segment_path(1)));
    while (zeros_at_the_end(files.content(kActivePath)) == 0) ASSERT_TRUE(append(*log, 1).ok());
    const std::uint64_t first = log->files().back().first.value;
    ASSERT_TRUE(log->rotate().ok());
    EXPECT_EQ(zeros_at_the_end(files.content(segment_path(first))), 0u);
    while (zeros_at_the_end(files.content(kActivePath)) == 0) ASSERT_TRUE(append(*log, 1).ok());
    expect_entries(read_log(*log, 0), 1, log->last().value);
  }
  EXPECT_EQ(zeros_at_the_end(files.content(kActivePath)), 0u) << "a stop";
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content(kActivePath), files.content(kActivePath));
  EXPECT_EQ(scan_log(files).scan.torn_bytes, 0u);
}

TEST(FileLog, ReadersSeeNoZeros) {
  CrashableFileSystem files;
  const auto log = open_anew(files, preallocating(3000, 20000));
  while (log->last().value < 400) {
    ASSERT_TRUE(append(*log, 1 + log->last().value % 7).ok());
    const std::uint64_t last = log->last().value;
    for (const std::uint64_t after : {std::uint64_t{0}, last / 2, last - 1}) {
      expect_entries(read_log(*log, after), after + 1, last);
    }
    const std::vector<FileInfo> told = log->files();
    std::uint64_t seen = 0;
    const auto scanned =
        scan(files, kDirectory, [&](Lsn, std::string_view) { return ++seen, Status(); }, {.files = &told});
    ASSERT_TRUE(scanned.ok());
    ASSERT_TRUE(scanned->damage.empty() && scanned->torn_bytes == 0);
    ASSERT_EQ(seen, last);
    ASSERT_FALSE(HasFailure());
  }
}

TEST(FileLog, ZerosThatCannotBeWrittenHarmNothing) {
  for (const std::size_t written : {0, 700}) {
    for (const bool cut_fails : {false, true}) {
      CrashableFileSystem files;
      LogOptions options = preallocating(1000, 4000);
      std::vector<std::string> events;
      options.on_event = [&](const std::string& name, const std::string&) { events.push_back(name); };
      const auto log = open_anew(files, options);
      while (log->bytes() + line_text(1).size() < 1000) ASSERT_TRUE(append(*log, 1).ok());
      files.fail({.operation = Operation::write, .nth = 2, .written = written});
      if (cut_fails) files.fail({.operation = Operation::truncate});
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(append(*log, 1).ok());
      EXPECT_EQ(events, std::vector<std::string>{"wal.preallocation_failed"}) << "and not tried again in this file";
      EXPECT_EQ(zeros_at_the_end(files.content(kActivePath)) > 0, cut_fails && written > 500);
      expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, log->last().value);
      ASSERT_TRUE(log->rotate().ok());
      EXPECT_EQ(zeros_at_the_end(files.content(segment_path(1))), 0u);
      for (int i = 0; i < 12; ++i) ASSERT_TRUE(append(*log, 1).ok());
      EXPECT_GT(zeros_at_the_end(files.content(kActivePath)), 0u) << "in the next one it is";
    }
  }
}

TEST(FileLog, AFailedWriteIntoZerosIsCutWithThem) {
  for (const std::size_t written : {0, 60, 130, 1000}) {
    CrashableFileSystem files;
    const auto log = open_anew(files, preallocating(1000));
    while (zeros_at_the_end(files.content(kActivePath)) == 0) ASSERT_TRUE(append(*log, 1).ok());
    const std::uint64_t last = log->last().value;
    files.fail({.operation = Operation::write, .written = written});
    ASSERT_FALSE(append(*log, 3).ok());
    EXPECT_EQ(files.after_crash(Unsynced::lost)->content(kActivePath)->size(), log->bytes());
    ASSERT_TRUE(append(*log, 1).ok());
    ASSERT_TRUE(append(*log, 2).ok());
    expect_entries(scan_log(*files.after_crash(Unsynced::lost)).entries, 1, last + 3);
  }
}

TEST(FileLog, AKilledOneWithZerosIsOpenedWithoutThem) {
  CrashableFileSystem files;
  const auto log = open_anew(files, preallocating(1000));
  while (zeros_at_the_end(files.content(kActivePath)) == 0) ASSERT_TRUE(append(*log, 2).ok());
  ASSERT_TRUE(append(*log, 5).ok());
  const std::uint64_t last = log->last().value;
  for (const std::uint64_t bytes : {0, 1000}) {
    const auto disk = files.after_crash(Unsynced::lost);
    EXPECT_GT(scan_log(*disk).scan.torn_bytes, 0u);
    {
      const auto next = open_anew(*disk, preallocating(bytes));
      EXPECT_EQ(zeros_at_the_end(disk->content(kActivePath)), 0u);
      EXPECT_EQ(disk->content(kActivePath)->size(), next->bytes());
      const std::uint64_t end = next->bytes();
      for (int i = 0; i < 9; ++i) ASSERT_TRUE(append(*next, 1).ok());
      EXPECT_EQ((*disk->content(kActivePath))[end], '\n') << "separates batches as before";
      expect_entries(read_log(*next, 0), 1, last + 9);
    }
    expect_entries(scan_log(*disk).entries, 1, last + 9);
  }
}

TEST(FileLog, DoesNotOverwriteASegment) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  ASSERT_TRUE(append(*log, 1).ok());
  files.edit(segment_path(1), "somebody's");
  EXPECT_FALSE(log->rotate().ok());
  EXPECT_TRUE(append(*log, 1).ok()) << "in the active file";
  EXPECT_EQ(files.content(kActivePath), line_text(1) + line_text(2));
  EXPECT_EQ(files.content(segment_path(1)), "somebody's");
}

TEST(FileLog, GoesOnAboveItsEndOnlyIfTheEntriesMayGo) {
  CrashableFileSystem files;
  {
    const auto log = open_anew(files);
    ASSERT_TRUE(append(*log, 3).ok());
  }
  const Scan scan = scan_log(files).scan;
  EXPECT_FALSE(open_log(files, kDirectory, scan, Lsn{2}, {}).ok());
  EXPECT_FALSE(open_log(files, kDirectory, scan, Lsn{10}, {}).ok());
  expect_entries(scan_log(files).entries, 1, 3);
  LogOptions options;
  options.discard_entries = true;
  auto log = open_log(files, kDirectory, scan, Lsn{10}, options);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(files.content(kLsnPath), "10\n");
  ASSERT_TRUE(append(**log, 1).ok());
  expect_entries(scan_log(files).entries, 11, 11);
}

TEST(FileLog, DiscardsDamagedFilesWithTheirEntries) {
  CrashableFileSystem files;
  files.edit(segment_path(1), line_text(1) + line_text(2));
  files.edit(segment_path(3), "garbage\n");
  files.edit(kActivePath, line_text(1) + line_text(5) + "garbage");
  const Scan scan = scan_log(files, true).scan;
  ASSERT_FALSE(scan.damage.empty());
  LogOptions options;
  options.accept_damage = true;
  options.discard_entries = true;
  const auto log = open_scanned(files, scan, options);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->bytes(), 0u);
  const auto disk = files.after_crash(Unsynced::lost);
  EXPECT_EQ(*disk->list(kDirectory), (std::vector<std::string>{"karma.wal", "karma.wal.lsn"}));
  EXPECT_EQ(disk->content(kActivePath), "");
  ASSERT_TRUE(append(*log, 1).ok());
  expect_entries(scan_log(files).entries, 6, 6);
}

TEST(FileLog, TheCutOfATornTailIsDurableWhenItIsOpen) {
  CrashableFileSystem files;
  files.edit(kActivePath, line_text(1) + "{\"v\":2");
  const auto log = open_anew(files);
  EXPECT_EQ(files.after_crash(Unsynced::lost)->content(kActivePath), line_text(1));
}

TEST(FileLog, AfterAnInterruptedOpeningTheNextOneSucceeds) {
  const std::string unfinished = plain_line(1) + plain_line(2).substr(0, plain_line(2).size() - 1);
  const std::string torn = line_text(1) + line_text(2) + line_text(3).substr(0, 20);
  for (const std::string& content : {unfinished, torn}) {
    bool interrupted = true;
    for (std::uint64_t at = 1; interrupted; ++at) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        CrashableFileSystem files;
        files.edit(kActivePath, content);
        const Scan scan = scan_log(files).scan;
        files.power_off_at(at, seed);
        interrupted = !open_log(files, kDirectory, scan, scan.last, {}).ok();
        const auto disk = files.after_crash(Unsynced::some, seed);
        const auto log = open_anew(*disk);
        ASSERT_TRUE(log);
        ASSERT_TRUE(append(*log, 1).ok());
        expect_entries(scan_log(*disk).entries, 1, 3);
      }
    }
  }
}

// --- reading beside the writer ---------------------------------------------------------------------------------------

TEST(FileLogRead, BeginsBehindAnyEntryInAnyFile) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1000));
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*log, 3).ok());
  for (std::uint64_t after = 0; after < 90; ++after) expect_entries(read_log(*log, after), after + 1, 90);
  EXPECT_TRUE(read_log(*log, 90).empty());
  EXPECT_TRUE(read_log(*log, 1000).empty());
}

TEST(FileLogRead, StopsWhenTheVisitorHasEnough) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 10).ok());
  int visits = 0;
  EXPECT_TRUE(log->read(Lsn{2}, [&](Lsn, std::string_view) { return ++visits < 3; }).ok());
  EXPECT_EQ(visits, 3);
}

TEST(FileLogRead, ReadsTheActiveFileFromNearTheEntryAfterARestartToo) {
  CrashableFileSystem files;
  {
    const auto log = open_anew(files);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*log, 100).ok());
  }
  const auto log = open_anew(files);
  const std::uint64_t before = files.count(Operation::read);
  expect_entries(read_log(*log, 9990), 9991, 10000);
  EXPECT_LE(files.count(Operation::read) - before, 3u) << "of a file of about a megabyte";
}

TEST(FileLogRead, SaysSoIfTheLogDoesNotReachBack) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, 1).ok());
  ASSERT_TRUE(log->trim(Lsn{2}).ok());
  const Status read = log->read(Lsn{1}, [](Lsn, std::string_view) { return true; });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::replication_gap);
  expect_entries(read_log(*log, 2), 3, 4);
}

// From the first question on: until then nobody wants it.
TEST(FileLogRead, WhatHasJustBeenWrittenIsInMemory) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(1));
  ASSERT_TRUE(append(*log, 10).ok());
  expect_entries(read_log(*log, 0), 1, 10);
  ASSERT_TRUE(append(*log, 10).ok());
  ASSERT_TRUE(append(*log, 10).ok());
  const std::uint64_t before = files.count(Operation::read);
  expect_entries(read_log(*log, 10), 11, 30);
  expect_entries(read_log(*log, 24), 25, 30);
  EXPECT_EQ(files.count(Operation::read), before);
  expect_entries(read_log(*log, 5), 6, 30);
  EXPECT_GT(files.count(Operation::read), before);
  ASSERT_TRUE(log->trim(Lsn{20}).ok());
  const Status read = log->read(Lsn{12}, [](Lsn, std::string_view) { return true; });
  ASSERT_FALSE(read.ok()) << "what was trimmed is gone, wherever it is still";
  EXPECT_EQ(read.error().code, ErrorCode::replication_gap);
  expect_entries(read_log(*log, 20), 21, 30);
}

TEST(FileLogRead, TakesTheIndexForAHintOnly) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 20).ok());
  ASSERT_TRUE(log->rotate().ok());
  const std::string index = segment_path(1) + ".idx";
  const std::string head = "KARMA_WAL_INDEX_V1 size=" + std::to_string(files.content(segment_path(1))->size()) + "\n";
  const std::string second = std::to_string(line_text(1).size());
  for (const std::string& lies : {head + "1 " + second + "\n2 0\n", head + "1 0\n5 " + second + "\n9 7\n",
                                  head + "20 0\n", head + "1 5\n2 6\n3 7\n4 8\n5 9\n6 10\n7 11\n"}) {
    files.edit(index, lies);
    for (std::uint64_t after = 0; after < 20; ++after) expect_entries(read_log(*log, after), after + 1, 20);
  }
}

TEST(FileLogRead, ReportsDamageThatAppearedLater) {
  CrashableFileSystem files;
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 20).ok());
  std::string content = *files.content(kActivePath);
  content[5 * line_text(1).size() + 30] ^= 1;
  files.edit(kActivePath, content);
  std::uint64_t last = 0;
  const Status read = log->read(Lsn{2}, [&](Lsn lsn, std::string_view) {
    last = lsn.value;
    return true;
  });
  EXPECT_FALSE(read.ok());
  EXPECT_EQ(last, 5u);
  EXPECT_FALSE(log->read(Lsn{10}, [](Lsn, std::string_view) { return true; }).ok()) << "the hint leads over it";
}

// Does something just before a file is opened.
class Interfering final : public FileSystem {
 public:
  explicit Interfering(FileSystem& files) : files_(files) {}
  void before_open(std::string path, std::function<void()> action) {
    path_ = std::move(path);
    action_ = std::move(action);
  }

  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
    if (path == path_ && action_) std::exchange(action_, nullptr)();
    return files_.open(path, how);
  }
  bool exists(const std::string& path) override { return files_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return files_.list(directory); }
  Result<std::vector<std::string>> list_directories(const std::string& directory) override {
    return files_.list_directories(directory);
  }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove(const std::string& path) override { return files_.remove(path); }
  Status remove_directory(const std::string& path) override { return files_.remove_directory(path); }
  Result<std::unique_ptr<Directory>> open_directory(const std::string& path) override {
    return files_.open_directory(path);
  }
  Status sync_directory(const std::string& directory) override { return files_.sync_directory(directory); }
  Status create_directories(const std::string& path) override { return files_.create_directories(path); }
  Result<std::unique_ptr<Lock>> lock(const std::string& path) override { return files_.lock(path); }

 private:
  FileSystem& files_;
  std::string path_;
  std::function<void()> action_;
};

TEST(FileLogRead, FollowsTheActiveFileWhenItBecomesASegment) {
  CrashableFileSystem disk;
  Interfering files(disk);
  const auto log = open_anew(files);
  ASSERT_TRUE(append(*log, 5).ok());
  files.before_open(kActivePath, [&] {
    ASSERT_TRUE(log->rotate().ok());
    ASSERT_TRUE(append(*log, 2).ok());
  });
  expect_entries(read_log(*log, 2), 3, 5);
  expect_entries(read_log(*log, 2), 3, 7);
}

TEST(FileLogRead, ReportsAGapWhenTheSegmentIsTrimmedAway) {
  CrashableFileSystem disk;
  Interfering files(disk);
  const auto log = open_anew(files, rotating_at(1));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, 2).ok());
  files.before_open(segment_path(1), [&] { ASSERT_TRUE(log->trim(Lsn{4}).ok()); });
  const Status read = log->read(Lsn{1}, [](Lsn, std::string_view) { return true; });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::replication_gap) << read.error().message;
}

TEST(FileLogRead, SeesADenseLogWhileItIsWrittenRotatedAndTrimmed) {
  CrashableFileSystem files;
  const auto log = open_anew(files, rotating_at(2000));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 400; ++i) EXPECT_TRUE(append(*log, 5).ok());
    done = true;
  });
  std::thread trimmer([&] {
    while (!done) EXPECT_TRUE(log->trim(Lsn{log->last().value / 2}).ok());
  });
  std::uint64_t next = 1;
  while (!done || next <= log->last().value) {
    const Status read = log->read(Lsn{next - 1}, [&](Lsn lsn, std::string_view entry) {
      EXPECT_EQ(lsn.value, next);
      EXPECT_EQ(entry, entry_text(lsn.value));
      EXPECT_LE(lsn, log->last());
      ++next;
      return true;
    });
    if (read.ok()) continue;
    ASSERT_EQ(read.error().code, ErrorCode::replication_gap) << read.error().message;
    next = log->last().value / 2 + 1;
  }
  writer.join();
  trimmer.join();
  EXPECT_EQ(log->last().value, 2000u);
}

TEST(NullLog, KeepsNothingAndStaysWhereItIs) {
  const auto log = null_log(Lsn{7});
  EXPECT_FALSE(log->keeps_entries());
  const std::string_view entries[] = {"", ""};
  EXPECT_TRUE(log->append(entries).ok());
  EXPECT_TRUE(log->rotate().ok());
  EXPECT_TRUE(log->trim(Lsn{7}).ok());
  EXPECT_EQ(log->last().value, 7u);
  EXPECT_EQ(log->bytes(), 0u);
  EXPECT_TRUE(read_log(*log, 0).empty());
}

}  // namespace
}  // namespace karma::wal
