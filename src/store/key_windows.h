// The keys of large series in ascending order, a window at a time.
//
// A series is stored by hash: to find the keys that follow a cursor takes a look at all of them. So that not every page
// does that, so many of them are sorted at once that a series takes a few windows, and the windows that were used last
// are kept. A window is never wrong, only old: keys that have gone are found out when their totals are read, and those
// that came since are remembered by the series (Series::added_since()).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <karma/types.h>

#include "core/mutex.h"

namespace karma::store {

// In a series with fewer keys every page looks at all of them.
inline constexpr std::uint64_t kWindowedKeys = 65536;

struct KeyWindow {
  // A quarter of the series, up to 8 MiB: each window takes a look at all keys. Sixteenths made an export of a million
  // keys take 1.3 times as long.
  static std::size_t size_for(std::uint64_t key_count) {
    constexpr std::uint64_t kMost = 1 << 20;
    const std::uint64_t part = key_count / 4;
    return static_cast<std::size_t>(part < kWindowedKeys ? kWindowedKeys : part > kMost ? kMost : part);
  }

  std::uint64_t series = 0;  // Series::identity()
  std::uint64_t added = 0;   // Series::added() at that time
  std::optional<Key> after;  // holds the keys above it, or all
  bool complete = false;     // up to the end; else up to the last one
  std::vector<Key> keys;     // ascending

  bool reaches(Key key) const { return complete || !(keys.back() < key); }
  bool continues(std::optional<Key> cursor) const {
    if (!cursor) return !after;
    return (!after || !(*cursor < *after)) && (complete || *cursor < keys.back());
  }
};

// Thread-safe.
class KeyWindows {
 public:
  // One that holds the keys of the series that follow the cursor, or nullptr.
  std::shared_ptr<const KeyWindow> find(std::uint64_t series, std::optional<Key> cursor);
  // In place of the one that was used longest ago.
  void keep(std::shared_ptr<const KeyWindow> window);
  // How many were kept so far.
  std::uint64_t kept() const;

 private:
  static constexpr std::size_t kMost = 8;  // 64 MiB

  mutable Mutex mutex_;
  std::array<std::shared_ptr<const KeyWindow>, kMost> windows_ KARMA_GUARDED_BY(mutex_);  // the last used one first
  std::uint64_t kept_ KARMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace karma::store
