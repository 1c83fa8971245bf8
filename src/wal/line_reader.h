// A part of a file, line by line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma::wal {

struct RawLine {
  std::uint64_t offset = 0;
  std::string_view text;    // without the line feed; valid until the next call
  bool terminated = false;  // by a line feed; only the last line may lack it
  std::uint64_t end() const { return offset + text.size() + (terminated ? 1 : 0); }
};

class LineReader {
 public:
  // Reads the bytes from `begin` up to `end`, or up to the end of the file if that comes first.
  LineReader(const File& file, std::uint64_t begin, std::uint64_t end);

  // False when there is nothing more.
  Result<bool> next(RawLine& line);

 private:
  Result<bool> fill();  // false at the end

  const File& file_;
  std::uint64_t read_to_;  // offset in the file after the buffer's content
  const std::uint64_t end_;
  std::string buffer_;
  std::size_t begin_ = 0;   // of what was not yet given out
  std::size_t filled_ = 0;  // bytes of the buffer that hold content
};

}  // namespace karma::wal
