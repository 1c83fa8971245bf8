// What Karma's documentation says of counters, series and trees, as plainly as it can be written: maps, and every
// answer made from them. Requests come as structs, so that the model shares no code with what it checks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace karma::test {

class Random;

struct Request {
  using Range = std::pair<std::uint64_t, std::uint64_t>;
  struct Item {
    std::uint64_t key;
    std::uint64_t bucket;
    std::uint64_t value;
  };

  std::string op;
  std::string series;
  std::uint64_t key = 0;
  std::uint64_t bucket = 0;  // or `before`, or the limit of tree.keys and tree.top
  std::uint64_t value = 0;
  std::optional<Range> range;
  std::vector<std::optional<Range>> ranges;
  std::optional<Range> compare_to;
  bool by_delta = false;
  std::optional<std::uint64_t> cursor;
  std::vector<std::uint64_t> keys;
  std::vector<Item> items;

  std::string to_json() const;
  bool is_mutation() const;
};

class Model {
 public:
  using Days = std::map<std::uint64_t, std::uint64_t>;
  using Counters = std::map<std::uint64_t, Days>;

  // The reply, without its line end.
  std::string execute(const Request& request);
  // As `karma dump` prints it.
  std::string content() const;

  std::map<std::string, Counters> series;

 private:
  std::string mutate(const Request& request);
  std::string read(const Request& request) const;
  std::string add(const Request& request);
  std::string set(const Request& request);
  std::string find_reply(const Request& request, const Counters& counters) const;
};

// Requests over few series (at most 5), keys and days, so that they meet; all of them well-formed. `huge`: with values
// near 2^64 as well, so that additions overflow now and then.
class Workload {
 public:
  Workload(Random& random, bool huge, std::size_t series_count = 3)
      : random_(random), huge_(huge), series_count_(series_count) {}

  Request next();           // anything
  Request next_mutation();  // what goes into the log, if it is not refused
  Request next_read();
  std::string series();

 private:
  std::uint64_t key();
  std::uint64_t bucket();
  std::uint64_t value(std::uint64_t least);
  Request::Range range();
  std::vector<std::optional<Request::Range>> ranges();
  std::vector<std::uint64_t> keys();
  std::vector<Request::Item> items(std::uint64_t least);

  Random& random_;
  const bool huge_;
  const std::size_t series_count_;
};

}  // namespace karma::test
