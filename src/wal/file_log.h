// The log in files: writing, rotating and trimming (file_log.cpp), and reading at the same time (log_read.cpp).
//
// Threads: append and rotate run on the writer's thread and own the members that have no lock; trim and read may run on
// others. `files_mutex_` guards the list of files and is held for moments, never across a call that may wait for a
// disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "core/mutex.h"
#include "wal/log.h"
#include "wal/recent_entries.h"

namespace karma::wal {

class FileLog final : public Log {
 public:
  FileLog(FileSystem& files, std::string directory, const Scan& scan, Lsn last, LogOptions options);
  ~FileLog() override;

  // Repairs what a crash left; called once, before anything else.
  Status open(const Scan& scan);

  bool keeps_entries() const override { return true; }
  Status append(std::span<const std::string_view> entries) override;
  bool stopped() const override { return stopped_.load(std::memory_order_acquire); }
  Status rotate() override;
  Status trim(Lsn lsn, const Hold& hold = {}) override;
  std::vector<FileInfo> files() const override;
  Lsn last() const override { return Lsn{last_.load(std::memory_order_acquire)}; }
  std::uint64_t bytes() const override { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t held_bytes() const override { return held_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t sync_count() const override { return sync_count_.load(std::memory_order_relaxed); }
  std::uint64_t write_count() const override { return write_count_.load(std::memory_order_relaxed); }
  Status read(Lsn after, const std::function<bool(Lsn, std::string_view entry)>& visit) override;

 private:
  // A line of the active file, so that readers need not begin at its start. These are shared with the writer; the
  // offsets of all lines, which become the segment's index, are its own.
  struct Mark {
    Lsn lsn;
    std::uint64_t offset = 0;
  };
  // Where a reader finds an entry.
  struct Position {
    FileInfo file;
    std::uint64_t offset = 0;  // of a line at or before the entry; 0 if unknown
    bool active = false;
  };

  Status open_active();
  Status close_active();
  Status prepare_next();
  void drop_next();
  Status sync_names();
  // Of a closed segment.
  struct Index {
    std::string segment;
    std::uint64_t bytes = 0;
    Lsn first;
    std::vector<std::uint64_t> offsets;
  };
  void write_index(const Index& index, bool may_wait);
  Status make_room();
  Status rotate_if_possible();
  Status restore_end();
  Status cut_to_end();
  Status cut_zeros();
  void fill_buffer(std::span<const std::string_view> entries);
  void write_zeros_ahead();
  Status write_batch(std::span<const std::string_view> entries);
  Status sync_batch();
  void publish(Lsn last);
  FileInfo active() const;
  Status stop(const Error& cause);
  void note_offset(std::uint64_t offset);
  void mark(Lsn lsn, std::uint64_t offset) KARMA_REQUIRES(files_mutex_);
  Status mark_active();
  Status repair_end(const Scan& scan);
  Status discard_all();
  std::optional<FileInfo> take_oldest(Lsn lsn, const Hold& hold, std::uint64_t covered);
  std::uint64_t covered_bytes(Lsn lsn) const KARMA_REQUIRES(files_mutex_);
  Status remove_segment(const FileInfo& segment);

  bool reaches_back_to(Lsn lsn) const;
  Status locate(Lsn lsn, Position& position) const;
  bool still_there(const Position& position) const;
  Result<Lsn> read_file_from(const Position& position, Lsn next, Lsn to,
                             const std::function<bool(Lsn, std::string_view)>& visit, bool& wanted);

  void event(const char* name, const std::string& message) const;
  std::string path(std::string_view name) const;

  FileSystem& files_;
  const std::string directory_;
  const LogOptions options_;

  // The writer's.
  std::unique_ptr<FileSystem::Directory> held_directory_;  // its syncs need no descriptor
  std::unique_ptr<File> active_file_;                      // null until the active file exists
  // The active file after the next rotation, empty and under another name; null where it could not be created.
  std::unique_ptr<File> next_file_;
  bool names_synced_ = false;    // all names that the log rests on have reached the disk
  std::uint64_t rotate_at_;      // above options_.segment_bytes: a rotation has failed, which has been reported
  std::uint64_t end_ = 0;        // of the last good line in the active file
  bool end_is_unsure_ = false;   // a failed write could not be taken back: bytes may stand after end_
  std::uint64_t zeros_to_ = 0;   // above end_: up to here there may be zeros in the active file
  bool may_preallocate_ = true;  // false: it has failed in the active file, which has been reported
  bool separates_ = false;       // the batches of the active file, since zeros stand or stood ahead of them
  Buffer buffer_;
  std::string stop_message_;
  // Of the lines in the active file, from active_.first on. If some are missing, for want of memory or because of
  // damage, the segment gets no index.
  std::vector<std::uint64_t> offsets_;

  mutable Mutex files_mutex_;
  std::vector<FileInfo> segments_ KARMA_GUARDED_BY(files_mutex_);  // oldest first
  FileInfo active_ KARMA_GUARDED_BY(files_mutex_);                 // up to the last durable entry
  std::vector<Mark> marks_ KARMA_GUARDED_BY(files_mutex_);         // of the active file, ascending

  RecentEntries recent_;

  Mutex trim_mutex_;                               // one trim or index at a time
  std::atomic<std::uint64_t> offsets_waiting_{0};  // of indexes to be written on another thread
  Lsn lsn_file_ KARMA_GUARDED_BY(trim_mutex_);

  std::atomic<std::uint64_t> last_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> held_bytes_{0};
  std::atomic<std::uint64_t> sync_count_{0};
  std::atomic<std::uint64_t> write_count_{0};
  std::atomic<bool> stopped_{false};

  // For jobs on another thread, which may come to their turn after the log has gone.
  struct Life {
    Mutex mutex;
    bool over KARMA_GUARDED_BY(mutex) = false;
  };
  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
};

}  // namespace karma::wal
