#include "engine/resources.h"

#include <algorithm>
#include <cstdio>

#include "core/text.h"

namespace karma::engine {
namespace {

constexpr const char* kOwnCgroup = "/proc/self/cgroup";
constexpr const char* kCgroups = "/sys/fs/cgroup";
constexpr std::string_view kUnified = "0::";
constexpr std::size_t kMaxBytes = 64 << 10;

// The kernel tells no size of its files.
std::string content_of(FileSystem& files, const std::string& path) {
  const Result<std::unique_ptr<File>> file = files.open(path, FileSystem::Open::read);
  if (!file) return {};
  std::string content(kMaxBytes, '\0');
  const Result<std::size_t> size = (*file)->read_at(0, content.data(), content.size());
  content.resize(size ? *size : 0);
  return content;
}

// "/system.slice/karma.service"; empty at the root, or without version 2.
std::string cgroup(FileSystem& files) {
  const std::string content = content_of(files, kOwnCgroup);
  for (std::string_view rest = content; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.starts_with(kUnified)) continue;
    const std::string_view path = line.substr(kUnified.size());
    return path == "/" ? std::string() : std::string(path);
  }
  return {};
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

std::optional<std::uint64_t> memory_limit(FileSystem& files) {
  std::optional<std::uint64_t> least;
  // The group and all that it is in; in a container the root of what can be seen is its own group.
  for (std::string path = cgroup(files);; path.resize(path.rfind('/'))) {
    const std::string text = content_of(files, kCgroups + path + "/memory.max");
    const std::optional<std::uint64_t> limit = parse_number<std::uint64_t>(trim(text));  // or "max"
    if (limit) least = std::min(*limit, least.value_or(*limit));
    if (path.empty() || path.rfind('/') == path.npos) return least;
  }
}

std::vector<std::string> resource_warnings(FileSystem& files, const std::string& directory, std::uint64_t resident) {
  std::vector<std::string> found;
  if (const Result<FileSystem::Space> disk = files.space(directory);
      disk && disk->free < std::min(kLowDiskBytes, disk->size / kLowDiskShare))
    found.push_back("the disk has only " + mebibytes(disk->free) + " of " + mebibytes(disk->size) +
                    " left: the next snapshot may fail, and then writes are refused");
  if (const std::optional<std::uint64_t> limit = memory_limit(files);
      limit && resident / kHighMemoryPercent >= *limit / 100)
    found.push_back("the process takes " + mebibytes(resident) + " of the " + mebibytes(*limit) +
                    " of memory that its cgroup may have: beyond that the kernel kills it");
  return found;
}

void ResourceWatch::look(FileSystem& files, const std::string& directory, std::uint64_t resident) {
  std::vector<std::string> found = resource_warnings(files, directory, resident);
  const MutexLock lock(mutex_);
  warnings_ = std::move(found);
}

std::vector<std::string> ResourceWatch::warnings() const {
  const MutexLock lock(mutex_);
  return warnings_;
}

}  // namespace karma::engine
