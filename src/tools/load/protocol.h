// The requests of a workload, in the words of Karma; bench/ has other servers beside it.
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <karma/types.h>

#include "core/buffer.h"
#include "core/json_text.h"
#include "tools/load/requests.h"

namespace karma::tools::load {

struct Point {
  std::uint32_t key;
  std::uint32_t day;
  std::uint64_t value;
};

// Days `from` to `to`, both included; the whole total if there are none.
struct Range {
  std::uint32_t from = 1;
  std::uint32_t to = 0;
  bool whole() const { return from > to; }
  static Range days(std::uint64_t first, std::uint64_t count) {
    if (count == 0) return {};
    return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first + count - 1)};
  }
};

inline void append_number(std::string& to, std::uint64_t number) {
  char digits[20];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// The bucket of day 0, 1, 2, … as text; day 0 is 2026-01-01.
inline const std::string& bucket_text(std::size_t day) {
  static std::vector<std::string> texts;
  while (texts.size() <= day) {
    const std::int32_t first = *Bucket::of_number(20260101).day();
    texts.push_back(std::to_string(Bucket::of_day(first + static_cast<std::int32_t>(texts.size())).number()));
  }
  return texts[day];
}

// Every function appends one request and returns how many replies answer it.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::size_t create(std::string& to) const = 0;
  virtual std::size_t increment(std::string& to, const Point& point) const = 0;
  virtual std::size_t sum(std::string& to, std::uint32_t key, Range range) const = 0;
  virtual std::size_t batch_add(std::string& to, std::span<const Point> points) const = 0;
  virtual std::size_t batch_sum(std::string& to, std::span<const std::uint32_t> keys, Range range) const = 0;
};

class KarmaProtocol : public Protocol {
 public:
  // With `stamped`, increments carry an idempotency key that Stamp makes unique. With `row`, a batch_sum of a range
  // asks for a row of numbers: a day, 7 days, the range and the whole total.
  explicit KarmaProtocol(std::string_view token = {}, bool stamped = false, std::string_view series = "load",
                         bool row = false)
      : token_(token.empty() ? "" : R"("token":)" + json_text(token) + ","),
        series_(json_text(series)),
        stamped_(stamped),
        row_(row) {}

  std::size_t create(std::string& to) const override { return end(begin(to, "tree.create")); }
  std::size_t increment(std::string& to, const Point& point) const override {
    append_number(begin(to, "counter.increment") += R"(,"key":)", point.key);
    to.append(R"(,"bucket":)").append(bucket_text(point.day));
    if (point.value != 1) append_number(to += R"(,"value":)", point.value);
    if (!stamped_) return end(to);
    to.append(R"(,"idempotency_key":")").append(Stamp::kDigits, '0').append(Stamp::kBehind) += '\n';
    return 1;
  }
  std::size_t sum(std::string& to, std::uint32_t key, Range range) const override {
    append_number(begin(to, "counter.sum") += R"(,"key":)", key);
    return end(append_range(to, range));
  }
  std::size_t batch_add(std::string& to, std::span<const Point> points) const override {
    begin(to, "series.batch_add") += R"(,"items":[)";
    const char* separator = "[";
    for (const Point& point : points) {
      append_number(to += separator, point.key);
      to.append(1, ',').append(bucket_text(point.day)) += ',';
      append_number(to, point.value);
      to += ']';
      separator = ",[";
    }
    return end(to += ']');
  }
  std::size_t batch_sum(std::string& to, std::span<const std::uint32_t> keys, Range range) const override {
    begin(to, "counter.batch_sum") += R"(,"keys":[)";
    const char* separator = "";
    for (const std::uint32_t key : keys) {
      append_number(to += separator, key);
      separator = ",";
    }
    to += ']';
    if (!row_ || range.whole()) return end(append_range(to, range));
    append_bounds(to += R"(,"ranges":[)", Range::days(range.from, 1)) += ',';
    append_bounds(to, Range::days(range.from, 7)) += ',';
    append_bounds(to, range) += ",null]";
    return end(to);
  }
  // An op that needs nothing but the series: tree.summary, or tree.top with more fields.
  std::size_t series_op(std::string& to, std::string_view op, std::string_view fields, Range range) const {
    begin(to, op) += fields;
    return end(append_range(to, range));
  }

 private:
  std::string& begin(std::string& to, std::string_view op) const {
    return to.append(R"({"v":2,)")
        .append(token_)
        .append(R"("op":")")
        .append(op)
        .append(R"(","series":)")
        .append(series_);
  }
  static std::size_t end(std::string& to) {
    to += "}\n";
    return 1;
  }
  static std::string& append_range(std::string& to, Range range) {
    return range.whole() ? to : append_bounds(to += R"(,"range":)", range);
  }
  static std::string& append_bounds(std::string& to, Range range) {
    to.append(R"({"from":)").append(bucket_text(range.from));
    return to.append(R"(,"to":)").append(bucket_text(range.to)).append("}");
  }

  static std::string json_text(std::string_view text) {
    Buffer buffer;
    json::append_string(buffer, text);
    return std::string(buffer.view());
  }

  const std::string token_;   // the field of a request
  const std::string series_;  // quoted
  const bool stamped_;
  const bool row_;
};

}  // namespace karma::tools::load
