// Where replies end, whether they are good, and the sums in them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace karma::tools::load {

enum class Dialect { karma, redis, echo };

// The "value" of each element of a counter.batch_sum reply.
inline void append_values(std::string_view reply, std::vector<std::uint64_t>& values) {
  constexpr std::string_view kValue = R"("value":)";
  for (std::size_t at = reply.find(kValue); at != std::string_view::npos; at = reply.find(kValue, at)) {
    at += kValue.size();
    std::uint64_t value = 0;
    while (at < reply.size() && reply[at] >= '0' && reply[at] <= '9')
      value = value * 10 + static_cast<std::uint64_t>(reply[at++] - '0');
    values.push_back(value);
  }
}

// Of one connection. A reply may come in pieces: what next() has not used must be there again, with more after it.
class ReplyReader {
 public:
  struct Reply {
    bool good = true;
    std::string_view text;  // what is wrong, if it is not good
  };

  // Moves `at` after the next reply; false if it is not there whole. `values` takes the numbers of an array, or those
  // after "value".
  bool next(Dialect dialect, const char*& at, const char* end, Reply& reply, std::vector<std::uint64_t>* values) {
    if (dialect == Dialect::redis) return next_redis(at, end, reply, values);
    const auto* line_end = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    if (line_end == nullptr) return false;
    reply.text = {at, static_cast<std::size_t>(line_end - at)};
    reply.good = dialect == Dialect::echo || reply.text.starts_with(kGood);
    if (values != nullptr) append_values(reply.text, *values);
    at = line_end + 1;
    return true;
  }

 private:
  static constexpr std::string_view kGood = R"({"protocol_version":2,"success":true,)";

  // Replies are lines, strings with their length ahead, and arrays of strings.
  bool next_redis(const char*& at, const char* end, Reply& reply, std::vector<std::uint64_t>* values) {
    while (true) {
      const char* digit = at + 1;
      if (digit >= end) return false;
      const bool negative = *digit == '-';
      std::uint64_t number = 0;
      if (*at == '-' || *at == '+') {
        digit = static_cast<const char*>(std::memchr(at, '\r', static_cast<std::size_t>(end - at)));
        if (digit == nullptr) return false;
      } else {
        for (digit += negative; digit < end && *digit != '\r'; ++digit)
          number = number * 10 + static_cast<std::uint64_t>(*digit - '0');
      }
      const char* behind = digit + 2;
      if (behind > end) return false;
      switch (*at) {
        case '-':
          reply.good = false;
          reply.text = {at, static_cast<std::size_t>(digit - at)};
          break;
        case '$':
          if (negative) number = 0;
          if (!negative && static_cast<std::uint64_t>(end - behind) < number + 2) return false;
          if (values != nullptr) values->push_back(number_in({behind, number}));
          if (!negative) behind += number + 2;
          break;
        case '*':
          elements_ = number + 1;
          break;
        default:
          break;
      }
      at = behind;
      if (elements_ == 0 || --elements_ == 0) return true;
    }
  }
  static std::uint64_t number_in(std::string_view digits) {
    std::uint64_t number = 0;
    for (const char digit : digits) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    return number;
  }

  std::uint64_t elements_ = 0;  // of the array that is being read, still to come
};

}  // namespace karma::tools::load
