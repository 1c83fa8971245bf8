#include "commands/system.h"

#include <cstdio>

#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {

namespace {

// ,"name":["…"], or nothing if there are none: 1.0 knew neither list.
void append_texts(Buffer& out, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out.append(R"(,")");
  out.append(name);
  out.append(R"(":[)");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i != 0) out.append(',');
    json::append_string(out, texts[i]);
  }
  out.append(']');
}

}  // namespace

Status SystemPing::answer(Reads&, Buffer& out) const {
  out.append(R"("pong")");
  return {};
}

Status SystemHealth::answer(Reads& reads, Buffer& out) const {
  const Health health = reads.services().health();
  char uptime[32];
  std::snprintf(uptime, sizeof uptime, "%.6f", health.uptime_seconds);
  out.append(health.problems.empty() ? R"({"status":"ok","uptime_seconds":)"
                                     : R"({"status":"degraded","uptime_seconds":)");
  out.append(uptime);
  out.append(R"(,"role":)");
  json::append_string(out, health.role);
  out.append(health.wal_enabled ? R"(,"wal_enabled":true)" : R"(,"wal_enabled":false)");
  append_texts(out, "problems", health.problems);
  append_texts(out, "warnings", health.warnings);
  out.append('}');
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
