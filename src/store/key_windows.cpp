#include "store/key_windows.h"

#include <algorithm>
#include <utility>

namespace karma::store {

std::shared_ptr<const KeyWindow> KeyWindows::find(std::uint64_t series, std::optional<Key> cursor) {
  const MutexLock lock(mutex_);
  const auto found = std::find_if(windows_.begin(), windows_.end(), [&](const auto& window) {
    return window && window->series == series && window->continues(cursor);
  });
  if (found == windows_.end()) return nullptr;
  std::rotate(windows_.begin(), found, found + 1);
  return windows_.front();
}

void KeyWindows::keep(std::shared_ptr<const KeyWindow> window) {
  std::shared_ptr<const KeyWindow> dropped;  // and freed without the lock
  const MutexLock lock(mutex_);
  ++kept_;
  // One that holds the same keys is older.
  auto place = std::find_if(windows_.begin(), windows_.end(), [&](const auto& other) {
    return other && other->series == window->series && other->after == window->after;
  });
  if (place == windows_.end()) place = windows_.end() - 1;
  dropped = std::exchange(*place, std::move(window));
  std::rotate(windows_.begin(), place, place + 1);
}

std::uint64_t KeyWindows::kept() const {
  const MutexLock lock(mutex_);
  return kept_;
}

}  // namespace karma::store
