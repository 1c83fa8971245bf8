// The same work in the words of Karma and of Redis. Redis holds for each key a hash of its days and a string with the
// total, because that is what it takes to give the same answers.
#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <karma/types.h>

#include "load_requests.h"

namespace karma::load {

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
  // With `stamped`, increments carry an idempotency key that Stamp makes unique.
  KarmaProtocol(std::string token, bool stamped) : token_(std::move(token)), stamped_(stamped) {}

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
    return end(append_range(to += ']', range));
  }
  // An op that needs nothing but the series: tree.summary, or tree.top with more fields.
  std::size_t series_op(std::string& to, std::string_view op, std::string_view fields, Range range) const {
    begin(to, op) += fields;
    return end(append_range(to, range));
  }

 private:
  std::string& begin(std::string& to, std::string_view op) const {
    to += R"({"v":2,)";
    if (!token_.empty()) to.append(R"("token":")").append(token_).append(R"(",)");
    return to.append(R"("op":")").append(op).append(R"(","series":"load")");
  }
  static std::size_t end(std::string& to) {
    to += "}\n";
    return 1;
  }
  static std::string& append_range(std::string& to, Range range) {
    if (range.whole()) return to;
    to.append(R"(,"range":{"from":)").append(bucket_text(range.from));
    return to.append(R"(,"to":)").append(bucket_text(range.to)).append("}");
  }

  const std::string token_;
  const bool stamped_;
};

class RedisProtocol : public Protocol {
 public:
  std::size_t create(std::string& to) const override {
    argument(begin(to, 1), "PING");
    return 1;
  }
  std::size_t increment(std::string& to, const Point& point) const override {
    argument(argument(argument(begin(to, 4), "HINCRBY"), 'd', point.key), bucket_text(point.day));
    argument(to, point.value);
    argument(argument(argument(begin(to, 3), "INCRBY"), 't', point.key), point.value);
    return 2;
  }
  std::size_t sum(std::string& to, std::uint32_t key, Range range) const override {
    if (range.whole()) {
      argument(argument(begin(to, 2), "GET"), 't', key);
      return 1;
    }
    argument(argument(begin(to, 3 + range.to - range.from), "HMGET"), 'd', key);
    for (std::uint32_t day = range.from; day <= range.to; ++day) argument(to, bucket_text(day));
    return 1;
  }
  std::size_t batch_add(std::string& to, std::span<const Point> points) const override {
    std::size_t replies = 0;
    for (const Point& point : points) replies += increment(to, point);
    return replies;
  }
  std::size_t batch_sum(std::string& to, std::span<const std::uint32_t> keys, Range range) const override {
    if (!range.whole()) {
      for (const std::uint32_t key : keys) sum(to, key, range);
      return keys.size();
    }
    argument(begin(to, keys.size() + 1), "MGET");
    for (const std::uint32_t key : keys) argument(to, 't', key);
    return 1;
  }

 private:
  static std::string& begin(std::string& to, std::size_t arguments) {
    append_number(to += '*', arguments);
    return to += "\r\n";
  }
  static std::string& argument(std::string& to, std::string_view text) {
    append_number(to += '$', text.size());
    return to.append("\r\n").append(text).append("\r\n");
  }
  static std::string& argument(std::string& to, std::uint64_t number) { return argument(to, std::to_string(number)); }
  static std::string& argument(std::string& to, char prefix, std::uint32_t key) {
    char text[24] = {prefix};
    const char* end = std::to_chars(text + 1, text + sizeof text, key).ptr;
    return argument(to, std::string_view(text, end));
  }
};

enum class Dialect { karma, redis, echo };

inline Dialect dialect_of(std::string_view name) {
  return name == "redis" ? Dialect::redis : name == "echo" ? Dialect::echo : Dialect::karma;
}

// An echo server gets Karma's lines.
inline std::unique_ptr<Protocol> protocol_of(Dialect dialect, const std::string& token = "", bool stamped = false) {
  if (dialect == Dialect::redis) return std::make_unique<RedisProtocol>();
  return std::make_unique<KarmaProtocol>(token, stamped);
}

}  // namespace karma::load
