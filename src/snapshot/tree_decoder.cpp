#include "snapshot/tree_decoder.h"

#include <algorithm>
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

// How a value begins.
enum class Kind { integer, map, array, text, other };
struct Head {
  Kind kind = Kind::other;
  std::uint64_t number = 0;  // an integer that is not negative; else how many elements, pairs or bytes follow
};

// Reads at most kMaxIntegerBytes from `at`; nullptr if it is no type of MessagePack.
const unsigned char* get_head(const unsigned char* at, Head& head) {
  const unsigned char first = *at;
  if ((first & 0xf0) == 0x80) return head = {Kind::map, first & 0x0fu}, at + 1;
  if ((first & 0xf0) == 0x90) return head = {Kind::array, first & 0x0fu}, at + 1;
  if ((first & 0xe0) == 0xa0) return head = {Kind::text, first & 0x1fu}, at + 1;
  head.kind = Kind::integer;
  if (const unsigned char* end = get_integer(at, head.number)) return end;
  ++at;
  // What has its length in so many bytes before it.
  const auto sized = [&](Kind kind, unsigned bytes, unsigned more = 0) {
    const std::uint64_t size = bytes == 1   ? *at
                               : bytes == 2 ? big_endian<std::uint16_t>(at)
                                            : big_endian<std::uint32_t>(at);
    return head = {kind, size + more}, at + bytes;
  };
  if (first >= 0xe0 || first == 0xc0 || first == 0xc2 || first == 0xc3) return head = {}, at;
  if (first >= 0xde) return sized(Kind::map, 2u << (first - 0xde));
  if (first >= 0xdc) return sized(Kind::array, 2u << (first - 0xdc));
  if (first >= 0xd9) return sized(Kind::text, 1u << (first - 0xd9));
  if (first >= 0xd4) return head = {Kind::other, 1 + (std::uint64_t{1} << (first - 0xd4))}, at;  // of a type of its own
  if (first >= 0xd0) return head = {Kind::other, std::uint64_t{1} << (first - 0xd0)}, at;        // a negative integer
  if (first == 0xca || first == 0xcb) return head = {Kind::other, first == 0xca ? 4u : 8u}, at;
  if (first >= 0xc7) return sized(Kind::other, 1u << (first - 0xc7), 1);
  if (first >= 0xc4) return sized(Kind::other, 1u << (first - 0xc4));
  return nullptr;
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
    facts_.digest.add(key, points());
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

  bool map(std::uint64_t& count) { return head("a map is expected", Kind::map, count); }
  bool array(std::uint64_t& count) { return head("an array is expected", Kind::array, count); }

  bool head(const char* wanted, Kind kind, std::uint64_t& number) {
    return small(wanted, [&](const unsigned char* at) {
      Head found;
      const unsigned char* const end = get_head(at, found);
      number = found.number;
      return found.kind == kind ? end : nullptr;
    });
  }

  // A field's name. Names longer than any of ours come back empty.
  bool text(std::string_view& name) {
    std::uint64_t length = 0;
    if (!head("a field name is expected", Kind::text, length)) return false;
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
    Head found;
    if (!small("an unknown type", [&](const unsigned char* at) { return get_head(at, found); })) return false;
    if (found.kind == Kind::integer) return true;
    if (found.kind != Kind::map && found.kind != Kind::array) return window_.skip(found.number) || cut_off();
    for (std::uint64_t left = found.kind == Kind::map ? 2 * found.number : found.number; left > 0; --left) {
      if (!skip_value(depth + 1)) return false;
    }
    return true;
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
