// How a node is at a moment, from its own answers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/histograms.h"
#include "tools/retry.h"

namespace karma::tools {

// What all counters of each series hold together.
using SeriesTotals = std::map<std::string, std::uint64_t>;

struct NodeSample {
  nlohmann::ordered_json health;
  nlohmann::ordered_json stats;
  nlohmann::ordered_json replicas;            // null: the node does not tell, as 1.0 does not
  std::optional<Histograms> histograms = {};  // nothing: the node does not measure, or does not tell
  std::optional<SeriesTotals> totals = {};    // nothing: they were not asked for, or are too many
};

// Four questions. What an older node does not know is left out. Throws nlohmann::json::exception if the answers are not
// what they should be.
Result<NodeSample> sample_node(Client& client, Retry& retry);

// One short question for each series, all of them under way at a time. Nothing if there are more than
// kMaxWatchedSeries, or the node does not answer reads now. Throws likewise.
inline constexpr std::size_t kMaxWatchedSeries = 256;
Result<std::optional<SeriesTotals>> sample_totals(Client& client, Retry& retry);

// Of statistics that a node may not have: 0.
std::uint64_t number_of(const nlohmann::ordered_json& stats, const char* name);
double decimal_of(const nlohmann::ordered_json& stats, const char* name);

// What the second sample counts from 0 again.
bool restarted(const NodeSample* before, const NodeSample& now);

// How much time is between two samples, by the node's own clock. Nothing if there is no earlier sample, or the node has
// been restarted since.
std::optional<double> seconds_between(const NodeSample* before, const NodeSample& now);
// How fast a statistic grew in it, a second. Nothing also if the node does not tell.
std::optional<double> rate(const NodeSample* before, const NodeSample& now, const char* statistic);
// The series whose totals grew, and how fast, a second; the fastest first, `most` of them. Nothing if it is not known.
struct SeriesRate {
  std::string series;
  double per_second = 0;
  std::uint64_t total = 0;
};
std::optional<std::vector<SeriesRate>> hottest(const NodeSample* before, const NodeSample& now, std::size_t most);
// 1.5, 1,234, or - if it is not known.
std::string rate_text(std::optional<double> rate);

std::string snapshot_text(const nlohmann::ordered_json& stats);  // 5 min ago
std::string lag_text(const nlohmann::ordered_json& stats);       // of a slave

}  // namespace karma::tools
