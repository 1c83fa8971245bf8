// karma stats: system.health and system.stats for people.
#include <algorithm>
#include <cstdio>
#include <ostream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

// Which statistics belong to it: by their whole name, or by how it begins.
struct Topic {
  std::string_view title;
  std::vector<std::string_view> names;
};

const std::vector<Topic>& topics() {
  static const std::vector<Topic> kTopics = {
      {"Node", {"uptime_seconds", "version", "role", "trees", "keys", "memory_", "open_to_network", "log_lost_lines"}},
      {"Requests",
       {"command_count", "error_count", "query_", "batch_", "retention_count", "compact_count", "latency_"}},
      {"Clients", {"connections", "max_connections", "client_memory_"}},
      {"Log", {"wal_", "writes_stopped", "replay_refused_entries"}},
      {"Snapshots", {"dump_count", "snapshot_"}},
      {"Replication", {"replication_", "replicas", "digest_check_", "diverged"}},
      {"Exactly once", {"idempotency_", "ingest_"}},
      {"Reconciliation and recovery", {"reconciliation_", "recovery_"}},
      {"Other", {""}},  // of a newer server
  };
  return kTopics;
}

const Topic& topic_of(std::string_view name) {
  return *std::ranges::find_if(topics(), [&](const Topic& topic) {
    return std::ranges::any_of(topic.names, [&](std::string_view begin) { return name.starts_with(begin); });
  });
}

std::string value_of(std::string_view name, const ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get<std::string>();
  if (name.ends_with("_seconds") && value.is_number()) {
    const double seconds = value.get<double>();
    if (seconds >= 1) return duration_text(static_cast<std::uint64_t>(seconds));
  }
  if (!value.is_number_unsigned()) {
    char text[32];
    if (!value.is_number()) return value.dump();
    std::snprintf(text, sizeof text, "%.3f", value.get<double>());
    return text;
  }
  const std::uint64_t number = value.get<std::uint64_t>();
  if (name.ends_with("_bytes")) return bytes_text(number);
  if (name.ends_with("_unix")) return number == 0 ? "never" : time_text(number);
  return number_text(number);
}

void print_notes(const ordered_json& health, const char* list, const char* word, std::ostream& out) {
  if (!health.contains(list)) return;
  for (const ordered_json& note : health.at(list)) out << word << ": " << note.get<std::string>() << '\n';
}

void print(const ConnectionOptions& options, const ordered_json& health, const ordered_json& stats, std::ostream& out) {
  out << options.endpoint.address() << ": " << health.at("role").get<std::string>() << ", "
      << health.at("status").get<std::string>() << '\n';
  print_notes(health, "problems", "problem", out);
  print_notes(health, "warnings", "warning", out);
  std::size_t width = 0;  // the same in all topics
  for (const auto& [name, value] : stats.items()) width = std::max(width, name.size());
  for (const Topic& topic : topics()) {
    std::vector<Row> rows;
    for (const auto& [name, value] : stats.items()) {
      if (&topic_of(name) != &topic) continue;
      rows.push_back({name + std::string(width - name.size(), ' '), value_of(name, value)});
    }
    if (rows.empty()) continue;
    out << '\n' << topic.title << '\n';
    print_table(rows, out, "  ");
  }
}

Status print_stats(const ConnectionOptions& options, bool json, const Streams& streams) {
  const Result<ordered_json> health = ask(options, "system.health", streams);
  if (!health) return health.error();
  const Result<ordered_json> stats = ask(options, "system.stats", streams);
  if (!stats) return stats.error();
  if (json) {
    streams.out << ordered_json{{"health", *health}, {"stats", *stats}}.dump(-1, ' ', false,
                                                                             ordered_json::error_handler_t::replace)
                << std::endl;
  } else {
    print(options, *health, *stats, streams.out);
    streams.out << std::flush;
  }
  return {};
}

}  // namespace

int run_stats(const ConnectionOptions& options, bool json, const Streams& streams) {
  return exit_code(understood([&] { return print_stats(options, json, streams); }), streams);
}

}  // namespace karma::tools
