// What karma top shows of a node: made from its answers, so that it can be looked at without a terminal.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/node_sample.h"
#include "tools/terminal.h"

namespace karma::tools {

// What is wrong comes first. Throws nlohmann::json::exception if the answers are not what they should be.
std::vector<ScreenLine> top_lines(const std::string& address, const NodeSample* before, const NodeSample& now);
nlohmann::ordered_json top_json(const std::string& address, const NodeSample* before, const NodeSample& now);

}  // namespace karma::tools
