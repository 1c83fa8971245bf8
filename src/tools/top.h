// What karma top shows of a node: made from its answers, so that it can be looked at without a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/terminal.h"

namespace karma::tools {

struct NodeSample {
  nlohmann::ordered_json health;
  nlohmann::ordered_json stats;
  nlohmann::ordered_json replicas;  // null: the node does not tell, as 1.0 does not
};

// How fast a statistic grew between two samples, a second, by the node's own clock. Nothing if there is no earlier
// sample, or the node has been restarted since, or does not tell.
std::optional<double> rate(const NodeSample* before, const NodeSample& now, const char* statistic);

// What is wrong comes first. Throws nlohmann::json::exception if the answers are not what they should be.
std::vector<ScreenLine> top_lines(const std::string& address, const NodeSample* before, const NodeSample& now);
nlohmann::ordered_json top_json(const std::string& address, const NodeSample* before, const NodeSample& now);

}  // namespace karma::tools
