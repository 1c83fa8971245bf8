// system.*: the node itself.
#pragma once

#include <nlohmann/json.hpp>

#include "commands/op.h"
#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {

struct SystemPing : NoFields {
  static constexpr Spec kSpec{.name = "system.ping", .command = "ping", .of_node = true};
  Status answer(Reads&, Buffer& out) const {
    out.append(R"("pong")");
    return {};
  }
};

struct SystemHealth : NoFields {
  static constexpr Spec kSpec{.name = "system.health", .command = "health", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
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
};

struct SystemStats : NoFields {
  static constexpr Spec kSpec{.name = "system.stats", .command = "stats", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
    ops::write_stats(reads.services().stats(), out);
    return {};
  }
};

struct SystemMetrics : NoFields {
  static constexpr Spec kSpec{.name = "system.metrics", .command = "metrics", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
    json::append_string(out, ops::metrics_text(reads.services().stats()));
    return {};
  }
};

}  // namespace karma::commands
