// What the machine still has for the node: room on the disk, memory and cores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <karma/file_system.h>

#include "core/mutex.h"

namespace karma::engine {

// With less than this, or than a twentieth of a small disk, the next snapshot or some busy hours may fill it.
inline constexpr std::uint64_t kLowDiskBytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kLowDiskShare = 20;
// Percent of the limit of the cgroup, beyond which the kernel may soon kill the process.
inline constexpr std::uint64_t kHighMemoryPercent = 90;

// The least limit on memory of the cgroups (v2) that this process is in; none if there is no limit, or no such cgroup.
std::optional<std::uint64_t> memory_limit(FileSystem& files);

// Cores that the process may run on.
int allowed_cores();
// Of those, as many as it may keep busy: the cgroups (v2) may grant it less. 0: not even one.
int usable_cores(FileSystem& files);

// In words, for health. `resident`: bytes of this process.
std::vector<std::string> resource_warnings(FileSystem& files, const std::string& directory, std::uint64_t resident);

// Keeps the latest warnings for threads that must not wait for the disk, which may be a network's. Thread-safe.
class ResourceWatch {
 public:
  void look(FileSystem& files, const std::string& directory, std::uint64_t resident);
  std::vector<std::string> warnings() const;

 private:
  mutable Mutex mutex_;
  std::vector<std::string> warnings_ KARMA_GUARDED_BY(mutex_);
};

}  // namespace karma::engine
