#include "wal/line_reader.h"

#include <algorithm>
#include <cstring>

namespace karma::wal {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10;

}  // namespace

LineReader::LineReader(const File& file, std::uint64_t begin, std::uint64_t end)
    : file_(file), read_to_(begin), end_(end) {}

Result<bool> LineReader::next(RawLine& line) {
  std::size_t searched = 0;
  for (;;) {
    const char* start = buffer_.data() + begin_;
    const std::size_t held = filled_ - begin_;
    if (const void* feed = held > searched ? std::memchr(start + searched, '\n', held - searched) : nullptr) {
      const std::size_t length = static_cast<std::size_t>(static_cast<const char*>(feed) - start);
      line = {read_to_ - held, {start, length}, true};
      begin_ += length + 1;
      return true;
    }
    searched = held;
    const Result<bool> more = fill();
    if (!more) return more.error();
    if (*more) continue;
    if (held == 0) return false;
    line = {read_to_ - held, {buffer_.data() + begin_, held}, false};
    begin_ = filled_;
    return true;
  }
}

Result<bool> LineReader::fill() {
  if (read_to_ >= end_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, filled_ - begin_);
    filled_ -= begin_;
    begin_ = 0;
  }
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, end_ - read_to_));
  if (buffer_.size() < filled_ + wanted)
    buffer_.resize(std::max(filled_ + wanted, std::min(2 * filled_, filled_ + (kReadBytes << 6))));
  const Result<std::size_t> got = file_.read_at(read_to_, buffer_.data() + filled_, wanted);
  if (!got) return got.error();
  filled_ += *got;
  read_to_ += *got;
  return *got > 0;
}

}  // namespace karma::wal
