// The write-ahead log on disk: the files of Karma 1.0, one line of JSON for each entry.
//
//   karma.wal                            the active file, appended to
//   karma.wal.<first LSN, 20 digits>.segment      closed parts, oldest first by number
//   karma.wal.<...>.segment.idx          text index of a segment: a hint, never trusted (segment_index.h)
//   karma.wal.lsn                        an LSN that was reached when the log was last trimmed
//
// A line is {"v":2,"lsn":N,"entry":{...},"crc32c":C} and a line feed; C is the CRC-32C of all bytes of the line before
// `,"crc32c"`. Lines of Karma 1.0 have no crc32c. Exactly as 1.0 writes them, {"v":2,"lsn":N,"entry":{...}} without
// blanks, they are accepted anywhere, so that one may roll back to 1.0 and upgrade again; in other forms, with white
// space or in another order, until the first line that has a checksum. Any further key is damage.
//
// Zeros may stand ahead, after the lines of the active file (LogOptions::preallocate_bytes), until it is closed.
//
// A crash can leave a torn tail of the active file (an unfinished line, or anything that follows the last good line and
// is not followed by a good one: NULs, garbage; tail.h), cut by open(). A segment without index: harmless. Everything
// else (a bad line before a good one, a gap, a repeat, a swap, damage in a segment) is not the work of a crash: scan()
// says where it is and does not guess.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "core/histogram.h"

namespace karma::wal {

inline constexpr std::string_view kActiveName = "karma.wal";
inline constexpr std::string_view kLsnName = "karma.wal.lsn";

// A place in the log that is damaged.
struct Damage {
  std::string file;          // name inside the directory
  std::uint64_t offset = 0;  // of the first byte of the line
  Lsn lsn;                   // the one expected there (0 if unknown)
  std::string what;
  bool newer = false;             // whole, but this program does not know what it says: a newer Karma wrote it
  std::string to_string() const;  // one line for a human reader
};

// One closed or active file as the scan found it.
struct FileInfo {
  std::string name;
  Lsn first;  // 0 if it holds no entry
  Lsn last;
  std::uint64_t bytes = 0;  // up to the end of the last good line
};

struct Scan {
  std::vector<FileInfo> files;  // in log order, the active one last if it exists
  std::uint64_t entry_count = 0;
  Lsn first;  // of all files; 0 if there are no entries
  Lsn last;
  Lsn lsn_file;                         // content of karma.wal.lsn; 0 if missing, empty or not a number
  bool lsn_file_bad = false;            // it exists and is neither empty nor a number
  bool checksummed = false;             // a line with a checksum was seen
  std::uint64_t later_plain_lines = 0;  // without checksum, after the first that has one: Karma 1.0 was at work
  std::uint64_t torn_bytes = 0;         // after the last good line of the active file, to be cut
  bool unfinished_line = false;         // the last good line lacks its line feed
  std::vector<Damage> damage;           // what a crash cannot have done
};

// Called for each good entry in order; the text is the `entry` object as it stands in the line.
using Visit = std::function<Status(Lsn, std::string_view entry)>;

struct ScanOptions {
  // Log::files() of a log that is being written: only these are read, up to the sizes that they say.
  const std::vector<FileInfo>* files = nullptr;
  // Go on after damage, skipping lines that cannot be read (`karma check`, --recover). Without it the scan stops
  // there.
  bool beyond_damage = false;
  // Bytes done and bytes in all, called now and then.
  std::function<void(std::uint64_t, std::uint64_t)> progress{};
  // Why this program cannot read an entry; empty if it can. Asked only for lines with a checksum: an unreadable one was
  // written by a newer Karma and counts as damage. Karma 1.0 logged requests that it then refused.
  std::function<std::string(std::string_view entry)> why_unknown{};
};

// Reads the whole log and changes nothing. For a log that is being written, `options.files` must be set. An Error means
// that a file could not be read, or comes from `visit`.
Result<Scan> scan(FileSystem& files, const std::string& directory, const Visit& visit, const ScanOptions& options = {});

// What trimming leaves although snapshots have it, because others still want to read it: segments that hold entries
// above `after`, the newest ones, as many as have room in `bytes`.
struct Hold {
  Lsn after{UINT64_MAX};
  std::uint64_t bytes = 0;
};

// One batch of the log, as the writer appends it. Used by one thread (the writer's), except for the functions said to
// be thread-safe.
class Log {
 public:
  virtual ~Log() = default;

  // Whether entries are worth encoding at all. Constant.
  virtual bool keeps_entries() const = 0;

  // Writes the entries (the text of their `entry` objects) as one write, numbered from last().next(), then syncs.
  // After an Error nothing of the batch is in the log and the next append may be tried; unless the text says that the
  // write is not known to be lost, as after a failed sync.
  virtual Status append(std::span<const std::string_view> entries) = 0;

  // True for good after a failed sync, and only then: the content of the disk is unknown, so nothing may be
  // acknowledged any more.
  virtual bool stopped() const = 0;  // thread-safe

  // Closes the active file, so that all entries so far are in segments, and starts an empty one. No-op if it is empty.
  virtual Status rotate() = 0;

  // Removes whole segments (index first) that hold nothing above `lsn`, after noting `lsn` (at most last()) in
  // karma.wal.lsn; except for those that are held. Thread-safe.
  virtual Status trim(Lsn lsn, const Hold& hold = {}) = 0;

  // The files that hold entries, in log order, each up to its last durable entry: scan() may read these while the log
  // goes on, as only trim() removes any. Thread-safe.
  virtual std::vector<FileInfo> files() const = 0;

  virtual Lsn last() const = 0;                   // thread-safe
  virtual std::uint64_t bytes() const = 0;        // of lines in all files; thread-safe
  virtual std::uint64_t held_bytes() const = 0;   // of these, what the last trim left; thread-safe
  virtual std::uint64_t sync_count() const = 0;   // thread-safe
  virtual std::uint64_t write_count() const = 0;  // batches; thread-safe

  // Entries above `after`, in order, from memory or the files on disk, until `visit` returns false or the durable end
  // is reached. Thread-safe; never blocks append. replication_gap if the files do not reach back to `after`.
  virtual Status read(Lsn after, const std::function<bool(Lsn, std::string_view entry)>& visit) = 0;
};

struct LogOptions {
  bool fsync = true;
  std::uint64_t segment_bytes = 64u << 20;  // rotate before a batch when the active file is at least so large; 0: never
  // Zeros are written so far ahead of the lines, so that the sync of a batch overwrites them and need not wait until
  // the file system has recorded a new size; 0: none. Only with fsync, in a file that holds as many bytes of lines, and
  // after batches of at most half of it, and of 16 KiB: where less is written nothing is gained, where more is, bytes.
  std::uint64_t preallocate_bytes = 0;
  // wal.tail_cut, wal.segment, wal.segment_index_failed, wal.rotation_failed, wal.preallocation_failed, wal.truncate,
  // wal.stopped. Called on the thread on which it happens.
  std::function<void(const std::string& event, const std::string& message)> on_event{};
  // Runs a job on another thread, later: the indexes of closed segments with more entries than the number below.
  // Otherwise they are written while the batch that found the file full waits. False: it never runs, and the segment
  // has no index. A job that comes to its turn after the log has gone does nothing.
  std::function<bool(std::function<void()> job)> in_background{};
  std::size_t entries_indexed_at_once = 0;
  // How long the syncs of batches took; nullptr: nobody asks for it.
  DurationHistogram* sync_durations = nullptr;
  // The operator let the scan go on after damage: append after it.
  bool accept_damage = false;
  // A complete snapshot, already on the disk, covers all entries of the files: remove them. Needed if the log cannot
  // continue after them, because `last` is above scan.last or because of damage that the next start would refuse.
  bool discard_entries = false;
};

// Opens the log for appending after a scan without damage: cuts the torn tail, finishes the last line. The next entry
// is numbered from `last`, which must not be below scan.last; it may be above only if the files hold no entries or with
// discard_entries. A directory without log stays as it is until the first append.
Result<std::unique_ptr<Log>> open_log(FileSystem& files, const std::string& directory, const Scan& scan, Lsn last,
                                      LogOptions options);

// A log that keeps nothing (--wal=false): appends succeed. LSNs stay where they are, unless `numbers`: then entries are
// counted, as on a slave, where their LSNs are the master's.
std::unique_ptr<Log> null_log(Lsn last, bool numbers = false);

}  // namespace karma::wal
