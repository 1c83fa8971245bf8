// What was typed in earlier sessions: a file of lines that only its owner can read.
#pragma once

#include <string>
#include <vector>

#include <karma/error.h>

namespace karma::tools {

class HistoryFile {
 public:
  static constexpr std::size_t kMostLines = 1000;

  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  // The latest lines, the oldest first; none if there is no such file. A file that has grown too long is made shorter.
  Result<std::vector<std::string>> load() const;
  Status add(const std::string& line) const;

 private:
  const std::string path_;
};

}  // namespace karma::tools
