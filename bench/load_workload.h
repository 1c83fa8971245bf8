// Requests, rendered before the clock starts, and what each of them adds to which counter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <karma/types.h>

#include "load_options.h"

namespace karma::load {

inline constexpr std::string_view kSeries = "load";

struct Request {
  std::string line;                  // with its line end
  std::uint64_t items = 1;           // counters it touches
  std::vector<std::uint32_t> added;  // keys that it adds 1 to
  std::uint64_t acknowledged = 0;
};

class Workload {
 public:
  explicit Workload(const Options& options) : options_(options), random_(options.seed) {
    // Enough of them that the choice of keys looks random, few enough to stay in the cache's good graces.
    const std::size_t points = 400000;
    const bool batches = options.op == "batch_add" || options.op == "batch_sum";
    const std::size_t count = batches ? std::max<std::size_t>(64, points / options.batch) : 50000;
    for (std::size_t i = 0; i < count; ++i) requests_.push_back(make(kind_of(i)));
    if (options.op == "mix") std::shuffle(requests_.begin(), requests_.end(), random_);
  }

  std::vector<Request>& requests() { return requests_; }

  // Every key and day once, in requests that fit the node's default limit.
  std::vector<Request> fill() {
    constexpr std::size_t kItems = 100;
    std::vector<Request> requests;
    std::string items;
    std::size_t count = 0;
    const auto flush = [&] {
      if (count == 0) return;
      requests.push_back({start("series.batch_add") + R"(,"items":[)" + items + "]}\n", count, {}, 0});
      items.clear();
      count = 0;
    };
    for (std::uint64_t key = 0; key < options_.keys; ++key) {
      for (std::uint64_t day = 0; day < options_.days; ++day) {
        items += (count == 0 ? "[" : ",[") + std::to_string(key) + "," + bucket(day) + ",1]";
        if (++count == kItems) flush();
      }
    }
    flush();
    return requests;
  }

  // The totals of all keys, in requests that fit the default limit.
  std::vector<Request> totals() const {
    constexpr std::uint64_t kKeys = 200;
    std::vector<Request> requests;
    for (std::uint64_t key = 0; key < options_.keys; key += kKeys) {
      const std::uint64_t end = std::min(options_.keys, key + kKeys);
      std::string keys;
      for (std::uint64_t next = key; next < end; ++next) keys += (next == key ? "" : ",") + std::to_string(next);
      requests.push_back({start("counter.batch_sum") + R"(,"keys":[)" + keys + "]}\n", end - key, {}, 0});
    }
    return requests;
  }

  std::string create_series() const { return start("tree.create") + "}\n"; }

 private:
  enum class Kind { increment, sum, batch_add, batch_sum };

  Kind kind_of(std::size_t index) const {
    if (options_.op == "increment") return Kind::increment;
    if (options_.op == "sum") return Kind::sum;
    if (options_.op == "batch_add") return Kind::batch_add;
    if (options_.op == "batch_sum") return Kind::batch_sum;
    const std::size_t place = index % 100;
    return place < 50 ? Kind::increment : place < 90 ? Kind::sum : place < 95 ? Kind::batch_add : Kind::batch_sum;
  }

  Request make(Kind kind) {
    Request request;
    switch (kind) {
      case Kind::increment:
        request.added = {random_key()};
        request.line = start("counter.increment") + R"(,"key":)" + std::to_string(request.added[0]) + R"(,"bucket":)" +
                       bucket(random_() % options_.days) + "}\n";
        break;
      case Kind::sum:
        request.line = start("counter.sum") + R"(,"key":)" + std::to_string(random_key()) + range() + "}\n";
        break;
      case Kind::batch_add: {
        request.items = options_.batch;
        request.line = start("series.batch_add") + R"(,"items":[)";
        for (std::uint64_t i = 0; i < options_.batch; ++i) {
          request.added.push_back(random_key());
          request.line += (i == 0 ? "[" : ",[") + std::to_string(request.added.back()) + "," +
                          bucket(random_() % options_.days) + ",1]";
        }
        request.line += "]}\n";
        break;
      }
      case Kind::batch_sum:
        request.items = options_.batch;
        request.line = start("counter.batch_sum") + R"(,"keys":[)";
        for (std::uint64_t i = 0; i < options_.batch; ++i)
          request.line += (i == 0 ? "" : ",") + std::to_string(random_key());
        request.line += "]" + range() + "}\n";
        break;
    }
    return request;
  }

  std::string start(std::string_view op) const {
    std::string line = R"({"v":2,)";
    if (!options_.token.empty()) line += R"("token":")" + options_.token + R"(",)";
    return line + R"("op":")" + std::string(op) + R"(","series":")" + std::string(kSeries) + '"';
  }

  std::uint32_t random_key() { return static_cast<std::uint32_t>(random_() % options_.keys); }

  // Day 0 is 2026-01-01.
  static std::string bucket(std::uint64_t day) {
    static const std::int32_t first = *Bucket::of_number(20260101).day();
    return std::to_string(Bucket::of_day(first + static_cast<std::int32_t>(day)).number());
  }

  std::string range() const {
    if (options_.range_days == 0) return "";
    return R"(,"range":{"from":)" + bucket(0) + R"(,"to":)" + bucket(options_.range_days - 1) + "}";
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::vector<Request> requests_;
};

}  // namespace karma::load
