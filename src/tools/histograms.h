// What a node has counted in buckets, as system.histograms tells it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace karma::tools {

struct BucketCounts {
  std::vector<double> bounds;         // upper ones, which belong to their buckets, ascending
  std::vector<std::uint64_t> counts;  // one more: of what is above the last bound
  double sum = 0;

  std::uint64_t count() const;
};

struct Histograms {
  std::vector<std::pair<std::string, BucketCounts>> requests;  // ms, by op
  BucketCounts log_queue;                                      // ms
  BucketCounts log_sync;                                       // ms
  BucketCounts log_batch;                                      // entries
};

// Nothing if the node does not measure, or does not tell (null). Throws nlohmann::json::exception if the answer is not
// what it should be.
std::optional<Histograms> read_histograms(const nlohmann::ordered_json& response);

// What came since `before`; without it all there is.
BucketCounts since(const BucketCounts* before, const BucketCounts& now);

// The bucket in which that part of the values ends: 0.99 for p99. Nothing if there are no values.
std::optional<std::size_t> quantile_bucket(const BucketCounts& values, double part);

// An op in a time between two looks.
struct OpLoad {
  std::string op;
  BucketCounts durations;  // ms
};
// Those that were asked for, the busiest first.
std::vector<OpLoad> busiest(const Histograms* before, const Histograms& now);

}  // namespace karma::tools
