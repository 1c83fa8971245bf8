#include "snapshot/tree_decoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "snapshot/byte_window.h"

namespace karma::snapshot {
namespace {

using store::Point;

constexpr std::size_t kMaxIntegerBytes = 9;
constexpr std::size_t kPointsReserved = 512;
constexpr int kMaxDepth = 64;  // of values under field names that are not ours
static_assert(2 * kMaxIntegerBytes <= ByteWindow::kSlack);

template <class T>
std::uint64_t big_endian(const unsigned char* at) {
  T number;
  std::memcpy(&number, at, sizeof number);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(number);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(number);
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(number);
  return number;
}

// An integer that is not negative, in any of its forms. Reads at most kMaxIntegerBytes from `at`; nullptr if it is
// something else.
inline const unsigned char* get_integer(const unsigned char* at, std::uint64_t& number) {
  const unsigned char head = *at++;
  if (head < 0x80) return number = head, at;
  switch (head) {
    case 0xce:
      return number = big_endian<std::uint32_t>(at), at + 4;
    case 0xcd:
      return number = big_endian<std::uint16_t>(at), at + 2;
    case 0xcc:
      return number = *at, at + 1;
    case 0xcf:
      return number = big_endian<std::uint64_t>(at), at + 8;
    case 0xd0:
      return number = *at, number >> 7 ? nullptr : at + 1;
    case 0xd1:
      return number = big_endian<std::uint16_t>(at), number >> 15 ? nullptr : at + 2;
    case 0xd2:
      return number = big_endian<std::uint32_t>(at), number >> 31 ? nullptr : at + 4;
    case 0xd3:
      return number = big_endian<std::uint64_t>(at), number >> 63 ? nullptr : at + 8;
    default:
      return nullptr;
  }
}

// A bucket and its value, each as by get_integer. A date takes five bytes. A value below 256, as most are, is in its
// first byte if below 128, else in the next; which of the two nobody could guess, so nothing branches on it.
inline const unsigned char* get_point(const unsigned char* at, std::uint64_t& bucket, std::uint64_t& value) {
  const std::uint64_t bytes = big_endian<std::uint64_t>(at);
  const std::uint64_t head = bytes >> 16 & 0xff;
  const std::uint64_t in_next = head >> 7;
  const std::uint64_t larger = (head ^ 0xcc) & (0 - in_next);
  if (((bytes >> 56 ^ 0xce) | larger) == 0) {
    bucket = bytes >> 24 & 0xffffffff;
    value = bytes >> (16 - 8 * in_next) & 0xff;
    return at + 6 + in_next;
  }
  at = get_integer(at, bucket);
  return at == nullptr ? at : get_integer(at, value);
}

class Decoder {
 public:
  Decoder(const File& file, const TakeCounter& take, const BytesDone& done) : window_(file, done), take_(take) {}

  Result<TreeFacts> run() {
    const bool good = root() && window_.drain();
    if (!window_.failure().ok()) return window_.failure().error();
    if (!good) return internal_error(fault_);
    facts_.bytes = window_.bytes_read();
    facts_.crc = window_.crc();
    return facts_;
  }

 private:
  bool fail(const char* fault) {
    if (fault_ == nullptr) fault_ = fault;
    return false;
  }
  bool cut_off() { return fail("it is cut off"); }

  bool root() {
    std::uint64_t field_count = 0;
    if (!map(field_count)) return false;
    std::optional<std::uint64_t> branches_num;
    bool has_branches = false;
    for (std::uint64_t i = 0; i < field_count; ++i) {
      std::string_view name;
      if (!text(name)) return false;
      if (name == "branches_num") {
        std::uint64_t number = 0;
        if (!integer(number)) return false;
        branches_num = number;
      } else if (name == "branches") {
        if (has_branches) return fail("it has a field twice");
        has_branches = true;
        if (!branches()) return false;
      } else if (!skip_value(0)) {
        return false;
      }
    }
    if (!has_branches) return fail("it has no branches");
    facts_.wrong_branch_count = branches_num != branch_count_;
    return true;
  }

  bool branches() {
    if (!array(branch_count_)) return false;
    for (std::uint64_t branch = 0; branch < branch_count_; ++branch) {
      std::uint64_t key_count = 0;
      if (!map(key_count)) return false;
      for (std::uint64_t i = 0; i < key_count; ++i) {
        std::uint64_t key = 0;
        if (!integer(key) || !counter(Key{key})) return false;
        if (key % branch_count_ != branch) ++facts_.misplaced_keys;
      }
    }
    return true;
  }

  bool counter(Key key) {
    ++facts_.key_count;
    std::uint64_t field_count = 0;
    if (!map(field_count)) return false;
    bool has_table = false;
    std::optional<std::uint64_t> total;
    for (std::uint64_t i = 0; i < field_count; ++i) {
      std::string_view name;
      if (!text(name)) return false;
      if (name == "table") {
        if (has_table) return fail("a counter has a field twice");
        has_table = true;
        if (!table()) return false;
      } else if (name == "total") {
        std::uint64_t number = 0;
        if (!integer(number)) return false;
        total = number;
      } else if (!skip_value(0)) {
        return false;
      }
    }
    if (!has_table) return fail("a counter has no table");
    if (total != sum_) ++facts_.wrong_totals;
    if (point_count_ != 0 && !take_(key, points())) return fail("it has a key twice");
    return true;
  }

  bool table() {
    std::uint64_t count = 0;
    if (!map(count)) return false;
    point_count_ = 0;
    bool ascending = true;
    bool overflow = false;
    std::uint64_t sum = 0;
    std::uint64_t before = 0;
    while (count > 0) {
      if (!window_.fill()) return false;
      const unsigned char* at = window_.at();
      const unsigned char* const end = window_.end();
      // All that is certain to lie inside the window at once; of the last bytes of the file one point at a time.
      const std::uint64_t certain = std::max<std::uint64_t>(window_.size() / (2 * kMaxIntegerBytes), 1);
      std::uint64_t left = std::min(count, certain);
      count -= left;
      // The count is hostile until its bytes are there: room is made for what the window holds.
      if (points_.size() < point_count_ + left) points_.resize(std::max(point_count_ + left, kPointsReserved));
      Point* const first = points_.data();
      Point* to = first + point_count_;
      for (; left > 0; --left) {
        std::uint64_t bucket = 0;
        std::uint64_t value = 0;
        at = get_point(at, bucket, value);
        if (at == nullptr) return window_.size() == 0 ? cut_off() : fail("a bucket or value is not a number");
        if (value == 0) {
          ++facts_.zero_values;
          continue;
        }
        ascending &= to == first || bucket > before;
        before = bucket;
        overflow |= __builtin_add_overflow(sum, value, &sum);
        *to++ = {Bucket::of_number(bucket), value};
      }
      point_count_ = static_cast<std::size_t>(to - first);
      if (at > end) return cut_off();
      window_.move_to(at);
    }
    sum_ = sum;
    if (overflow) return fail("a counter is above 2^64-1");
    return ascending || sort_points();
  }

  std::span<Point> points() { return {points_.data(), point_count_}; }

  bool sort_points() {
    const std::span<Point> all = points();
    std::sort(all.begin(), all.end(), [](const Point& a, const Point& b) { return a.bucket < b.bucket; });
    const auto same = [](const Point& a, const Point& b) { return a.bucket == b.bucket; };
    if (std::adjacent_find(all.begin(), all.end(), same) != all.end()) return fail("a counter has a bucket twice");
    return true;
  }

  // Parses with `parse`, which reads at most kSlack bytes and returns where it stopped, or nullptr.
  template <class Parse>
  bool small(const char* wanted, Parse parse) {
    if (!window_.fill()) return false;
    if (window_.size() == 0) return cut_off();
    const unsigned char* const at = parse(window_.at());
    if (at == nullptr) return fail(wanted);
    if (at > window_.end()) return cut_off();
    window_.move_to(at);
    return true;
  }

  bool integer(std::uint64_t& number) {
    return small("a number is expected", [&](const unsigned char* at) { return get_integer(at, number); });
  }

  bool map(std::uint64_t& count) { return header("a map is expected", 0x80, 0xde, count); }
  bool array(std::uint64_t& count) { return header("an array is expected", 0x90, 0xdc, count); }

  bool header(const char* wanted, unsigned char fixed, unsigned char head16, std::uint64_t& count) {
    return small(wanted, [&](const unsigned char* at) -> const unsigned char* {
      const unsigned char head = *at++;
      if ((head & 0xf0) == fixed) return count = head & 0x0f, at;
      if (head == head16) return count = big_endian<std::uint16_t>(at), at + 2;
      if (head == head16 + 1) return count = big_endian<std::uint32_t>(at), at + 4;
      return nullptr;
    });
  }

  // A field's name. Names longer than any of ours come back empty.
  bool text(std::string_view& name) {
    std::uint64_t length = 0;
    const bool good = small("a field name is expected", [&](const unsigned char* at) -> const unsigned char* {
      const unsigned char head = *at++;
      if ((head & 0xe0) == 0xa0) return length = head & 0x1f, at;
      if (head == 0xd9) return length = *at, at + 1;
      if (head == 0xda) return length = big_endian<std::uint16_t>(at), at + 2;
      if (head == 0xdb) return length = big_endian<std::uint32_t>(at), at + 4;
      return nullptr;
    });
    if (!good) return false;
    name = {};
    if (length < sizeof name_) {
      if (!window_.fill()) return false;
      if (window_.size() < length) return cut_off();
      std::memcpy(name_, window_.at(), length);
      name = {name_, length};
    }
    return window_.skip(length) || cut_off();
  }

  // Passes over one value of any type.
  bool skip_value(int depth) {
    if (depth > kMaxDepth) return fail("it is nested too deeply");
    if (!window_.fill()) return false;
    if (window_.size() == 0) return cut_off();
    const unsigned char head = *window_.at();
    if ((head & 0xf0) == 0x80 || head == 0xde || head == 0xdf) {
      std::uint64_t count = 0;
      return map(count) && skip_values(2 * count, depth);
    }
    if ((head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd) {
      std::uint64_t count = 0;
      return array(count) && skip_values(count, depth);
    }
    std::uint64_t length = 0;
    const bool good = small("an unknown type", [&](const unsigned char* at) { return scalar(at, length); });
    return good && (window_.skip(length) || cut_off());
  }

  bool skip_values(std::uint64_t count, int depth) {
    for (; count > 0; --count) {
      if (!skip_value(depth + 1)) return false;
    }
    return true;
  }

  // The head of a value that holds no others; `length` bytes follow it.
  static const unsigned char* scalar(const unsigned char* at, std::uint64_t& length) {
    const unsigned char head = *at++;
    length = 0;
    if (head < 0x80 || head >= 0xe0 || head == 0xc0 || head == 0xc2 || head == 0xc3) return at;
    if ((head & 0xe0) == 0xa0) return length = head & 0x1f, at;
    switch (head) {
      case 0xc4:
      case 0xd9:
        return length = *at, at + 1;
      case 0xc5:
      case 0xda:
        return length = big_endian<std::uint16_t>(at), at + 2;
      case 0xc6:
      case 0xdb:
        return length = big_endian<std::uint32_t>(at), at + 4;
      case 0xc7:
        return length = *at + std::uint64_t{1}, at + 1;
      case 0xc8:
        return length = big_endian<std::uint16_t>(at) + 1, at + 2;
      case 0xc9:
        return length = big_endian<std::uint32_t>(at) + 1, at + 4;
      case 0xcc:
      case 0xd0:
        return at + 1;
      case 0xcd:
      case 0xd1:
        return at + 2;
      case 0xca:
      case 0xce:
      case 0xd2:
        return at + 4;
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return at + 8;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return length = 1 + (1u << (head - 0xd4)), at;
      default:
        return nullptr;
    }
  }

  ByteWindow window_;
  const TakeCounter& take_;
  TreeFacts facts_;
  std::uint64_t branch_count_ = 0;
  std::vector<Point> points_;  // its first point_count_ are the counter's
  std::size_t point_count_ = 0;
  std::uint64_t sum_ = 0;
  char name_[16];
  const char* fault_ = nullptr;
};

}  // namespace

std::string TreeFacts::oddities() const {
  std::string text;
  const auto add = [&](const std::string& oddity) { text += (text.empty() ? "" : ", ") + oddity; };
  if (wrong_totals != 0) add(std::to_string(wrong_totals) + " counters with a wrong total");
  if (misplaced_keys != 0) add(std::to_string(misplaced_keys) + " keys in a wrong branch");
  if (zero_values != 0) add(std::to_string(zero_values) + " buckets with the value 0");
  if (wrong_branch_count) add("a wrong number of branches");
  return text;
}

Result<TreeFacts> decode_tree(const File& file, const TakeCounter& take, const BytesDone& done) {
  return Decoder(file, take, done).run();
}

}  // namespace karma::snapshot
