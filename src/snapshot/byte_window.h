// A file as a window of bytes that moves forward; what passes is added to a checksum.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>

#include <karma/error.h>
#include <karma/file_system.h>

#include "core/crc32c.h"

namespace karma::snapshot {

class ByteWindow {
 public:
  // Readable, if meaningless, bytes follow the last one of the window: whoever parses something of at most this size
  // may check afterwards whether it was all there.
  static constexpr std::size_t kSlack = 32;

  ByteWindow(const File& file, std::function<void(std::uint64_t)> on_read)
      : file_(file),
        on_read_(std::move(on_read)),
        capacity_(capacity_for(file)),
        bytes_(new unsigned char[capacity_ + kSlack]) {
    at_ = end_ = bytes_.get();
    std::memset(bytes_.get(), 0, kSlack);
  }

  const unsigned char* at() const { return at_; }
  const unsigned char* end() const { return end_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - at_); }
  void move_to(const unsigned char* at) { at_ = at; }
  std::uint64_t bytes_read() const { return read_; }
  std::uint32_t crc() const { return crc_; }
  Status& failure() { return failure_; }

  // Reads on until at least kSlack bytes are there, or all that are left. False: the file could not be read.
  bool fill() {
    if (size() >= kSlack || at_end_) return failure_.ok();
    const std::size_t kept = size();
    std::memmove(bytes_.get(), at_, kept);
    at_ = bytes_.get();
    Result<std::size_t> got = file_.read_at(read_, reinterpret_cast<char*>(bytes_.get()) + kept, capacity_ - kept);
    if (!got) failure_ = got.error();
    const std::size_t count = got ? *got : 0;
    at_end_ = count < capacity_ - kept;
    crc_ = crc32c({reinterpret_cast<const char*>(bytes_.get()) + kept, count}, crc_);
    read_ += count;
    end_ = bytes_.get() + kept + count;
    std::memset(bytes_.get() + kept + count, 0, kSlack);
    if (on_read_) on_read_(read_);
    return failure_.ok();
  }

  // Passes over `count` bytes; false if there are not so many.
  bool skip(std::uint64_t count) {
    while (count > size()) {
      count -= size();
      at_ = end_;
      if (at_end_ || !fill()) return false;
    }
    at_ += count;
    return true;
  }

  // To the end of the file, for the checksum. False: the file could not be read.
  bool drain() {
    while (!at_end_) {
      at_ = end_;
      if (!fill()) return false;
    }
    return failure_.ok();
  }

 private:
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 20;

  // Small files take small windows: there may be thousands of them. One byte more than the file shows its end.
  static std::size_t capacity_for(const File& file) {
    const Result<std::uint64_t> size = file.size();
    return std::clamp<std::uint64_t>(size ? *size + 1 : kMaxBytes, 2 * kSlack, kMaxBytes);
  }

  const File& file_;
  const std::function<void(std::uint64_t)> on_read_;
  const std::size_t capacity_;
  const std::unique_ptr<unsigned char[]> bytes_;
  const unsigned char* at_;
  const unsigned char* end_;
  std::uint64_t read_ = 0;
  std::uint32_t crc_ = 0;
  bool at_end_ = false;
  Status failure_;
};

}  // namespace karma::snapshot
