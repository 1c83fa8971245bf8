// What is asked for, made before the clock starts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/protocol.h"
#include "tools/load/requests.h"

namespace karma::tools::load {

struct WorkloadOptions {
  std::string op = "increment";
  std::uint64_t keys = 100000;
  std::uint64_t days = 30;
  std::uint64_t batch = 1000;
  std::uint64_t range_days = 0;
  std::uint64_t seed = 1;

  bool reads() const { return op != "increment" && op != "batch_add"; }
};

inline const std::vector<std::string_view> kOps = {"increment", "sum", "batch_add", "batch_sum", "mix", "mostly_sums"};

class Workload {
 public:
  Workload(const WorkloadOptions& options, const Protocol& protocol)
      : options_(options), protocol_(protocol), random_(options.seed) {}

  // Enough of them that the choice of keys looks random, few enough to stay in the cache's good graces.
  Requests requests() {
    const bool batches = options_.op == "batch_add" || options_.op == "batch_sum";
    const std::size_t items = batches ? options_.batch * std::max<std::uint64_t>(1, options_.range_days / 4) : 8;
    const std::size_t count = std::clamp<std::size_t>(400000 / items, 32, 50000);
    std::vector<Kind> kinds;
    for (std::size_t i = 0; i < count; ++i) kinds.push_back(kind_of(i));
    std::shuffle(kinds.begin(), kinds.end(), random_);
    Requests requests;
    for (const Kind kind : kinds) add(requests, kind);
    return requests;
  }

  // Of the same keys, whatever the op.
  Requests increments() {
    constexpr int kCount = 50000;
    Requests requests;
    for (int i = 0; i < kCount; ++i) add(requests, Kind::increment);
    return requests;
  }

  // Every key and day once, in requests that fit the node's default limit.
  Requests fill() const { return fill(0, options_.keys); }
  // Of the keys from `first` on, before `end`.
  Requests fill(std::uint64_t first, std::uint64_t end) const {
    constexpr std::size_t kItems = 100;
    Requests requests;
    std::vector<Point> points;
    const auto flush = [&] {
      if (points.empty()) return;
      requests.end_request(points.size(), protocol_.batch_add(requests.text(), points));
      points.clear();
    };
    for (auto key = static_cast<std::uint32_t>(first); key < end; ++key) {
      for (std::uint32_t day = 0; day < options_.days; ++day) {
        points.push_back({key, day, 1});
        if (points.size() == kItems) flush();
      }
    }
    flush();
    return requests;
  }

  // The totals of all keys, in requests that fit the default limit.
  Requests totals() const {
    constexpr std::uint64_t kKeys = 200;
    Requests requests;
    std::vector<std::uint32_t> keys;
    for (std::uint64_t key = 0; key < options_.keys; ++key) {
      keys.push_back(static_cast<std::uint32_t>(key));
      if (keys.size() < kKeys && key + 1 < options_.keys) continue;
      requests.end_request(keys.size(), protocol_.batch_sum(requests.text(), keys, {}));
      keys.clear();
    }
    return requests;
  }

  Requests create_series() const {
    Requests requests;
    requests.end_request(1, protocol_.create(requests.text()));
    return requests;
  }

 private:
  enum class Kind { increment, sum, batch_add, batch_sum };

  Kind kind_of(std::size_t index) const {
    if (options_.op == "increment") return Kind::increment;
    if (options_.op == "sum") return Kind::sum;
    if (options_.op == "batch_add") return Kind::batch_add;
    if (options_.op == "batch_sum") return Kind::batch_sum;
    const std::size_t place = index % 100;
    if (options_.op == "mostly_sums") return place < 20 ? Kind::increment : Kind::sum;
    return place < 50 ? Kind::increment : place < 90 ? Kind::sum : place < 95 ? Kind::batch_add : Kind::batch_sum;
  }

  void add(Requests& requests, Kind kind) {
    const Range range = Range::days(0, options_.range_days);
    std::string& text = requests.text();
    std::vector<Point> points;
    switch (kind) {
      case Kind::increment:
        points = {random_point()};
        requests.end_request(1, protocol_.increment(text, points[0]));
        break;
      case Kind::sum:
        requests.end_request(1, protocol_.sum(text, random_key(), range));
        break;
      case Kind::batch_add:
        for (std::uint64_t i = 0; i < options_.batch; ++i) points.push_back(random_point());
        requests.end_request(points.size(), protocol_.batch_add(text, points));
        break;
      case Kind::batch_sum: {
        std::vector<std::uint32_t> keys;
        for (std::uint64_t i = 0; i < options_.batch; ++i) keys.push_back(random_key());
        requests.end_request(keys.size(), protocol_.batch_sum(text, keys, range));
        break;
      }
    }
    for (const Point& point : points) requests.adds_to(point.key);
  }

  std::uint32_t random_key() { return static_cast<std::uint32_t>(random_() % options_.keys); }
  Point random_point() {
    const std::uint32_t key = random_key();
    return {key, static_cast<std::uint32_t>(random_() % options_.days), 1};
  }

  const WorkloadOptions options_;
  const Protocol& protocol_;
  std::mt19937_64 random_;
};

}  // namespace karma::tools::load
