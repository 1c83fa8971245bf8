#include "tools/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace karma::tools {
namespace {

constexpr mode_t kOwnerOnly = 0600;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// Nobody else may read it, also if it was there before; a link is not followed.
File open_private(const std::string& path, int flags, const char* mode) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
  if (file < 0) return {nullptr, std::fclose};
  if (::fchmod(file, kOwnerOnly) != 0) {
    ::close(file);
    return {nullptr, std::fclose};
  }
  return {::fdopen(file, mode), std::fclose};
}

Error failure(const std::string& path) {
  return internal_error("the history " + path + " cannot be used: " + std::strerror(errno));
}

Status write_lines(const std::string& path, int flags, const std::vector<std::string>& lines) {
  File file = open_private(path, O_WRONLY | O_CREAT | flags, "w");
  if (!file) return failure(path);
  for (const std::string& line : lines) std::fputs((line + "\n").c_str(), file.get());
  if (std::fflush(file.get()) != 0) return failure(path);
  return {};
}

}  // namespace

Result<std::vector<std::string>> HistoryFile::load() const {
  std::vector<std::string> lines;
  File file = open_private(path_, O_RDONLY, "r");
  if (!file && errno == ENOENT) return lines;
  if (!file) return failure(path_);
  std::string line;
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get())) {
    if (c != '\n') {
      line += static_cast<char>(c);
    } else {
      lines.push_back(std::exchange(line, {}));
    }
  }
  if (std::ferror(file.get()) != 0) return failure(path_);
  const bool too_long = lines.size() > 2 * kMostLines;
  if (lines.size() > kMostLines) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMostLines));
  if (too_long) {
    // Whole, or as it was.
    const std::string shorter = path_ + ".new";
    if (Status written = write_lines(shorter, O_TRUNC, lines); !written) return written.error();
    if (std::rename(shorter.c_str(), path_.c_str()) != 0) return failure(path_);
  }
  return lines;
}

Status HistoryFile::add(const std::string& line) const { return write_lines(path_, O_APPEND, {line}); }

}  // namespace karma::tools
