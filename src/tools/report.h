// What karma report has found out, and the page that shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <karma/types.h>

#include "tools/counter_days.h"
#include "tools/node_sample.h"

namespace karma::tools {

struct SeriesReport {
  std::string name;
  std::string fault = {};             // why the rest is not known
  std::uint64_t keys = 0;             // of all days
  std::uint64_t total = 0;            // likewise
  bool saturated = false;             // it is more
  std::uint64_t range_keys = 0;       // of the days that are shown
  std::uint64_t range_total = 0;      // likewise
  bool range_saturated = false;       // it is more
  std::vector<KeyDays> largest = {};  // in these days
};

struct Report {
  std::string address;
  std::string made_by;  // version of the command
  std::uint64_t made_unix = 0;
  std::optional<NodeSample> before = {};  // nothing: it was looked at once
  NodeSample now = {};
  BucketRange range;
  std::vector<SeriesReport> series = {};
  std::size_t series_left_out = 0;
  std::string series_fault = {};  // why there are none
};

// All of the page. Nothing in it is fetched or executed. Throws nlohmann::json::exception if the node's answers are not
// what they should be.
std::string report_page(const Report& report);

}  // namespace karma::tools
