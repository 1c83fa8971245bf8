// The metrics of a node as Prometheus scrapes them: HELP and TYPE everywhere, seconds and bytes, labels only from
// closed sets. The figures of system.stats come from the same table as system.metrics, under the names that Prometheus
// expects.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/spin.h"
#include "ops/process.h"
#include "ops/stats.h"
#include "ops/timings.h"

namespace karma::ops {

struct NodeFigures {
  Stats stats;
  std::size_t problems = 0;  // of system.health
  std::size_t warnings = 0;
  Timings timings;
  SpinPlaces::Counts io_spins;
  SpinPlaces::Counts writer_spins;
};

// `node`: nothing while it restores.
std::string scrape_text(std::string_view version, const ProcessFigures& process,
                        const std::optional<NodeFigures>& node);

}  // namespace karma::ops
