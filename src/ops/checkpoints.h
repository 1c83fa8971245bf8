// How far each source has been read, as producers tell it: recovery.json of Karma 1.0,
//
//   {"checkpoints":[{"source":…,"offset":…,"event_id":…,"updated_at_unix":n},…],"crc32c":C}
//
// sorted by source, offset and event_id left out where there are none. C is the CRC-32C of all bytes before
// `,"crc32c":`. Karma 1.0 ignores it and writes none: a file with only the checkpoints is one of its own. Beside the
// log: a checkpoint is durable when it is answered, and is in no snapshot. Slaves ask for them by themselves.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>
#include <karma/file_system.h>

#include "core/mutex.h"

namespace karma::ops {

inline constexpr std::string_view kCheckpointsName = "recovery.json";

struct Checkpoint {
  std::string source;
  std::optional<std::string> offset;
  std::optional<std::string> event_id;
  std::int64_t updated_at = 0;  // Unix seconds
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// Thread-safe.
class Checkpoints {
 public:
  using Map = std::map<std::string, Checkpoint, std::less<>>;
  // Reads the file, if there is one. An Error names it: it is damaged.
  static Result<Map> read(FileSystem& files, const std::string& directory);

  // With `most` sources no new one is accepted; a file that holds more is read all the same.
  Checkpoints(FileSystem& files, std::string directory, std::size_t most = 1000)
      : files_(files), directory_(std::move(directory)), most_(most) {}

  // For a start: replaces everything.
  void restore(Map checkpoints);
  // Replaces the source's earlier one; durable on success, unchanged on an Error. Waits for the disk.
  Status put(Checkpoint checkpoint);
  // Whether there was one; durable likewise.
  Result<bool> forget(std::string_view source);
  // Of a slave: its master's take the place of all; durable likewise.
  Status replace(Map checkpoints);
  // Another number after each change, in this process.
  std::uint64_t revision() const;

  // Of all sources, ascending, or of one.
  std::vector<Checkpoint> list(const std::optional<std::string_view>& source) const;
  // Up to `limit` of those whose sources come after `behind`.
  std::vector<Checkpoint> list_behind(std::string_view behind, std::size_t limit) const;
  std::size_t count() const;
  std::int64_t last_updated_at() const;  // the newest; 0 if there is none

 private:
  Map copy() const;
  // On disk, then in memory.
  Status save(Map checkpoints) KARMA_REQUIRES(saving_);

  FileSystem& files_;
  const std::string directory_;
  const std::size_t most_;
  Mutex saving_;  // one change at a time
  mutable Mutex mutex_;
  Map checkpoints_ KARMA_GUARDED_BY(mutex_);
  std::uint64_t revision_ KARMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace karma::ops
