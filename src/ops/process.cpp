#include "ops/process.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace karma::ops {
namespace {

// The beginning of a file of /proc as text; empty if it cannot be read.
template <std::size_t kSize>
const char* read_text(const char* path, std::array<char, kSize>& text) {
  std::FILE* file = std::fopen(path, "re");
  const std::size_t size = file == nullptr ? 0 : std::fread(text.data(), 1, text.size() - 1, file);
  if (file != nullptr) std::fclose(file);
  text[size] = '\0';
  return text.data();
}

struct Memory {
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
};

Memory memory() {
  std::array<char, 256> text;
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (std::sscanf(read_text("/proc/self/statm", text), "%llu %llu", &size, &resident) != 2) return {};
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return {size * page, resident * page};
}

// Ticks after the start of the machine, and when that was.
double start_unix() {
  std::array<char, 1024> text;
  // The name of the program comes second, in parentheses, and may hold anything.
  const char* after_name = std::strrchr(read_text("/proc/self/stat", text), ')');
  unsigned long long ticks = 0;
  constexpr const char* kTwentySecond =
      ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu";
  if (after_name == nullptr || std::sscanf(after_name, kTwentySecond, &ticks) != 1) return 0;
  timespec now{};
  timespec up{};
  if (::clock_gettime(CLOCK_REALTIME, &now) != 0 || ::clock_gettime(CLOCK_BOOTTIME, &up) != 0) return 0;
  const auto seconds = [](const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  return seconds(now) - seconds(up) + static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

std::uint64_t resident_bytes() { return memory().resident_bytes; }

std::optional<std::uint64_t> open_descriptors() {
  std::error_code failed;
  const std::filesystem::directory_iterator open("/proc/self/fd", failed);
  if (failed) return std::nullopt;
  // The one that lists them is among them.
  return static_cast<std::uint64_t>(std::distance(begin(open), end(open))) - 1;
}

Process::Process() : start_unix_(start_unix()) {}

ProcessFigures Process::figures() const {
  ProcessFigures figures;
  timespec cpu{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
    figures.cpu_seconds = static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9;
  figures.start_unix = start_unix_;
  const Memory used = memory();
  figures.resident_bytes = used.resident_bytes;
  figures.virtual_bytes = used.virtual_bytes;
  figures.open_descriptors = open_descriptors().value_or(0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_descriptors = limit.rlim_cur;
  return figures;
}

}  // namespace karma::ops
