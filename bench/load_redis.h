// The same work in the words of Redis. It holds for each key a hash of its days and a string with the total, because
// that is what it takes to give the same answers.
#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tools/load/protocol.h"
#include "tools/load/replies.h"

namespace karma::tools::load {

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

inline Dialect dialect_of(std::string_view name) {
  return name == "redis" ? Dialect::redis : name == "echo" ? Dialect::echo : Dialect::karma;
}

// An echo server gets Karma's lines.
inline std::unique_ptr<Protocol> protocol_of(Dialect dialect, const std::string& token = "", bool stamped = false,
                                             bool row = false) {
  if (dialect == Dialect::redis) return std::make_unique<RedisProtocol>();
  return std::make_unique<KarmaProtocol>(token, stamped, "load", row);
}

}  // namespace karma::tools::load
