// The newest entries of a log, as they were written: slaves that keep up ask for what has just been added, each of
// them, and get it without a look at the files. Nothing is kept while nobody reads the log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include <karma/types.h>

#include "core/mutex.h"

namespace karma::wal {

class RecentEntries {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;  // of all entries
  static constexpr std::uint64_t kKeptUnread = 1 << 20;            // entries, after the last question

  // Somebody reads the log, which ends at `last`. Thread-safe.
  void want(Lsn last) { wanted_until_.store(last.value + kKeptUnread, std::memory_order_relaxed); }
  // Entries that are durable and follow each other from `first` on. On the writer's thread.
  void add(Lsn first, std::span<const std::string_view> entries);
  // Gives those from `next` to `to` that are here to `visit`, until it returns false, which is then `wanted`. Returns
  // the LSN after the last one given. Thread-safe; `visit` is called without a lock.
  Lsn read(Lsn next, Lsn to, const std::function<bool(Lsn, std::string_view entry)>& visit, bool& wanted) const;

 private:
  // What is in it is never changed, only more is added.
  struct Block {
    Lsn first;
    std::size_t bytes = 0;  // it has room for
    std::unique_ptr<char[]> text;
    std::unique_ptr<std::uint32_t[]> ends;
  };
  struct Kept {
    std::shared_ptr<Block> block;
    std::uint32_t count = 0;  // readers look no further
  };

  void append(std::string_view entry, Lsn lsn) KARMA_REQUIRES(mutex_);
  void clear() KARMA_REQUIRES(mutex_);

  std::atomic<std::uint64_t> wanted_until_{0};
  bool keeps_ = false;  // the writer's
  mutable Mutex mutex_;
  std::deque<Kept> blocks_ KARMA_GUARDED_BY(mutex_);  // LSNs ascending without a gap
  std::size_t bytes_ KARMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace karma::wal
