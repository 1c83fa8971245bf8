#include "tools/histograms.h"

#include <algorithm>
#include <cmath>

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

BucketCounts read_buckets(const ordered_json& bounds, const ordered_json& found, const char* sum) {
  BucketCounts buckets{.bounds = bounds.get<std::vector<double>>(),
                       .counts = found.at("counts").get<std::vector<std::uint64_t>>(),
                       .sum = found.at(sum).get<double>()};
  // So that whoever draws them need not look.
  buckets.counts.resize(buckets.bounds.size() + 1);
  return buckets;
}

}  // namespace

std::uint64_t BucketCounts::count() const {
  std::uint64_t all = 0;
  for (const std::uint64_t in_bucket : counts) all += in_bucket;
  return all;
}

std::optional<Histograms> read_histograms(const ordered_json& response) {
  if (response.is_null() || !response.at("measured").get<bool>()) return std::nullopt;
  const ordered_json& bounds = response.at("bounds_ms");
  Histograms histograms{.requests = {},
                        .log_queue = read_buckets(bounds, response.at("log_queue"), "sum_ms"),
                        .log_sync = read_buckets(bounds, response.at("log_sync"), "sum_ms"),
                        .log_batch = read_buckets(response.at("log_batch_bounds"), response.at("log_batch"), "sum")};
  for (const auto& [op, durations] : response.at("requests").items())
    histograms.requests.emplace_back(op, read_buckets(bounds, durations, "sum_ms"));
  return histograms;
}

BucketCounts since(const BucketCounts* before, const BucketCounts& now) {
  BucketCounts grown = now;
  if (before == nullptr || before->bounds != now.bounds) return grown;
  for (std::size_t i = 0; i < grown.counts.size(); ++i) grown.counts[i] -= std::min(grown.counts[i], before->counts[i]);
  grown.sum = std::max(now.sum - before->sum, 0.0);
  return grown;
}

std::optional<std::size_t> quantile_bucket(const BucketCounts& values, double part) {
  const std::uint64_t all = values.count();
  if (all == 0) return std::nullopt;
  const double wanted = std::max(std::ceil(part * static_cast<double>(all)), 1.0);
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < values.counts.size()) {
    seen += values.counts[bucket];
    if (static_cast<double>(seen) >= wanted) break;
    ++bucket;
  }
  return bucket;
}

std::vector<OpLoad> busiest(const Histograms* before, const Histograms& now) {
  std::vector<OpLoad> loads;
  for (const auto& [op, durations] : now.requests) {
    const BucketCounts* earlier = nullptr;
    if (before != nullptr) {
      const auto found = std::ranges::find(
          before->requests, op, [](const auto& of) -> auto& { return of.first; });
      if (found != before->requests.end()) earlier = &found->second;
    }
    BucketCounts grown = since(earlier, durations);
    if (grown.count() != 0) loads.push_back({op, std::move(grown)});
  }
  std::ranges::stable_sort(loads, std::ranges::greater(), [](const OpLoad& load) { return load.durations.count(); });
  return loads;
}

}  // namespace karma::tools
