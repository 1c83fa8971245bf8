#include "commands/system.h"

#include <nlohmann/json.hpp>

#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {

Status SystemPing::answer(Reads&, Buffer& out) const {
  out.append(R"("pong")");
  return {};
}

Status SystemHealth::answer(Reads& reads, Buffer& out) const {
  const Health health = reads.services().health();
  nlohmann::ordered_json fields = {{"status", health.problems.empty() ? "ok" : "degraded"},
                                   {"uptime_seconds", health.uptime_seconds},
                                   {"role", health.role},
                                   {"wal_enabled", health.wal_enabled}};
  // Only where there are any: 1.0 knew neither list.
  if (!health.problems.empty()) fields["problems"] = health.problems;
  if (!health.warnings.empty()) fields["warnings"] = health.warnings;
  json::append_value(out, fields);
  return {};
}

Status SystemStats::answer(Reads& reads, Buffer& out) const {
  ops::write_stats(reads.services().stats(), out);
  return {};
}

Status SystemMetrics::answer(Reads& reads, Buffer& out) const {
  json::append_string(out, ops::metrics_text(reads.services().stats()));
  return {};
}

}  // namespace karma::commands
