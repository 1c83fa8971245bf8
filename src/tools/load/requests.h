// Requests as bytes, one after the other, so that a client sends any number of them in one write and copies none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace karma::tools::load {

struct Request {
  std::size_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t items = 1;    // counters it touches
  std::uint32_t replies = 1;  // that answer it
  std::uint32_t acknowledged = 0;
  std::size_t first_added = 0;
  std::uint32_t added = 0;  // keys that it adds 1 to
};

// The digits in the idempotency key of a request: others for each.
class Stamp {
 public:
  static constexpr std::size_t kDigits = 12;
  static constexpr std::string_view kBehind =
      "\"}";  // what ends a request with such a key, except for the end of the line

  // The keys of one source differ from those of another, and from each other for the first hundred million.
  explicit Stamp(std::size_t source = 0) {
    for (std::size_t digit = kSourceDigits; digit-- > 0; source /= 10)
      source_[digit] = static_cast<char>('0' + source % 10);
  }

  // `request_end`: after the kBehind of the request.
  void write_next(char* request_end) {
    char* const to = request_end - kBehind.size() - kDigits;
    std::memcpy(to, source_, kSourceDigits);
    // Counted in a register: bytes just written one by one would have to be waited for.
    digits_ += kOne;
    if (digits_ / kOne > '9') carry();
    std::memcpy(to + kSourceDigits, &digits_, sizeof digits_);
  }

 private:
  static constexpr std::size_t kSourceDigits = kDigits - sizeof(std::uint64_t);
  static constexpr std::uint64_t kOne = std::uint64_t{1} << 56;  // of the last digit, which is in the highest byte

  void carry() {
    for (int bit = 56; bit > 0 && (digits_ >> bit & 0xFF) > '9'; bit -= 8)
      digits_ += (std::uint64_t{1} << (bit - 8)) - (std::uint64_t{10} << bit);
  }

  char source_[kSourceDigits];
  std::uint64_t digits_ = 0x3030303030303030;
};

class Requests {
 public:
  // The bytes that were appended to text() since the last call are a request.
  Request& end_request(std::size_t items, std::size_t replies) {
    const std::size_t begin = list_.empty() ? 0 : list_.back().offset + list_.back().bytes;
    Request request;
    request.offset = begin;
    request.bytes = static_cast<std::uint32_t>(text_.size() - begin);
    request.items = static_cast<std::uint32_t>(items);
    request.replies = static_cast<std::uint32_t>(replies);
    request.first_added = added_.size();
    return list_.emplace_back(request);
  }
  std::string& text() { return text_; }
  // The latest request adds 1 to this key.
  void adds_to(std::uint32_t key) {
    added_.push_back(key);
    ++list_.back().added;
  }
  void clear() {
    text_.clear();
    list_.clear();
    added_.clear();
  }

  std::size_t size() const { return list_.size(); }
  Request& operator[](std::size_t index) { return list_[index]; }
  const Request& operator[](std::size_t index) const { return list_[index]; }
  std::span<const std::uint32_t> added_by(const Request& request) const {
    return std::span(added_).subspan(request.first_added, request.added);
  }
  std::string_view bytes_of(std::size_t first, std::size_t count) const {
    const Request& last = list_[first + count - 1];
    return std::string_view(text_).substr(list_[first].offset, last.offset + last.bytes - list_[first].offset);
  }

  // Adds to each key's total what was acknowledged.
  void add_acknowledged(std::vector<std::uint64_t>& totals) const {
    for (const Request& request : list_)
      for (const std::uint32_t key : added_by(request)) totals[key] += request.acknowledged;
  }

  // Every request ends with a stamp: make it unique.
  void stamp(std::size_t first, std::size_t count) {
    for (std::size_t index = first; index < first + count; ++index)
      stamp_.write_next(text_.data() + list_[index].offset + list_[index].bytes - 1);
  }

 private:
  std::string text_;
  std::vector<Request> list_;
  std::vector<std::uint32_t> added_;
  Stamp stamp_;
};

}  // namespace karma::tools::load
