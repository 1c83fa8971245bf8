#include "engine/resources.h"

#include <sched.h>

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

// Of the limits in this file of each group that the process is in. `read` gives nothing for "max". In a container the
// root of what can be seen is its own group.
template <class Read>
std::optional<std::uint64_t> least_limit(FileSystem& files, const char* file, Read read) {
  std::optional<std::uint64_t> least;
  for (std::string path = cgroup(files);; path.resize(path.rfind('/'))) {
    const std::string text = content_of(files, kCgroups + path + file);
    const std::optional<std::uint64_t> limit = read(trim(text));
    if (limit) least = std::min(*limit, least.value_or(*limit));
    if (path.empty() || path.rfind('/') == path.npos) return least;
  }
}

// "150000 100000": so many microseconds of so many.
std::optional<std::uint64_t> whole_cores(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == text.npos) return std::nullopt;
  const auto quota = parse_number<std::uint64_t>(text.substr(0, blank));
  const auto period = parse_number<std::uint64_t>(text.substr(blank + 1));
  return quota && period && *period != 0 ? std::optional(*quota / *period) : std::nullopt;
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

std::optional<std::uint64_t> memory_limit(FileSystem& files) {
  return least_limit(files, "/memory.max", parse_number<std::uint64_t>);
}

int allowed_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

int usable_cores(FileSystem& files) {
  const std::optional<std::uint64_t> granted = least_limit(files, "/cpu.max", whole_cores);
  const int allowed = allowed_cores();
  return granted && *granted < static_cast<std::uint64_t>(allowed) ? static_cast<int>(*granted) : allowed;
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
