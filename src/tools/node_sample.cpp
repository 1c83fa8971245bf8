#include "tools/node_sample.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "tools/ask.h"
#include "tools/table.h"

namespace karma::tools {

using nlohmann::ordered_json;

Result<NodeSample> sample_node(Client& client, Retry& retry) {
  const auto answer = [&](const char* op) { return ask(client, retry, op, Client::Fields::object()); };
  Result<ordered_json> health = answer("system.health");
  if (!health) return health.error();
  Result<ordered_json> stats = answer("system.stats");
  if (!stats) return stats.error();
  Result<ordered_json> replicas = answer("replication.replicas");
  if (!replicas && client.lost()) return replicas.error();
  Result<ordered_json> histograms = answer("system.histograms");
  if (!histograms && client.lost()) return histograms.error();
  return NodeSample{std::move(*health), std::move(*stats), replicas ? std::move(*replicas) : ordered_json(),
                    histograms ? read_histograms(*histograms) : std::nullopt};
}

Result<std::optional<SeriesTotals>> sample_totals(Client& client, Retry& retry) {
  const Result<ordered_json> list = ask(client, retry, "tree.list", Client::Fields::object());
  if (!list && client.lost()) return list.error();
  if (!list || list->size() > kMaxWatchedSeries) return std::optional<SeriesTotals>();
  const auto names = list->get<std::vector<std::string>>();
  SeriesTotals totals;
  std::uint64_t next = 0;
  const auto question = [&](std::uint64_t number, Buffer& line) -> Status {
    client.begin_request(line, "tree.info", {{"series", names[number]}});
    line.append('}');
    return {};
  };
  const auto take = [&](std::uint64_t number, const protocol::Reply& reply) -> Status {
    // A series may have been dropped meanwhile.
    if (reply.success) totals[names[number]] = ordered_json::parse(reply.response).at("total").get<std::uint64_t>();
    return {};
  };
  if (Status asked = protocol::converse(client, next, names.size(), question, take); !asked) return asked.error();
  return std::optional(std::move(totals));
}

std::uint64_t number_of(const ordered_json& stats, const char* name) {
  const auto found = stats.find(name);
  return found != stats.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

double decimal_of(const ordered_json& stats, const char* name) {
  const auto found = stats.find(name);
  return found != stats.end() && found->is_number() ? found->get<double>() : 0;
}

bool restarted(const NodeSample* before, const NodeSample& now) {
  return before != nullptr && decimal_of(now.stats, "uptime_seconds") < decimal_of(before->stats, "uptime_seconds");
}

std::optional<double> seconds_between(const NodeSample* before, const NodeSample& now) {
  if (before == nullptr) return std::nullopt;
  const double seconds = decimal_of(now.stats, "uptime_seconds") - decimal_of(before->stats, "uptime_seconds");
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

std::optional<double> rate(const NodeSample* before, const NodeSample& now, const char* statistic) {
  const std::optional<double> seconds = seconds_between(before, now);
  if (!seconds || !now.stats.contains(statistic)) return std::nullopt;
  const std::uint64_t from = number_of(before->stats, statistic);
  const std::uint64_t to = number_of(now.stats, statistic);
  if (to < from) return std::nullopt;
  return static_cast<double>(to - from) / *seconds;
}

std::optional<std::vector<SeriesRate>> hottest(const NodeSample* before, const NodeSample& now, std::size_t most) {
  const std::optional<double> seconds = seconds_between(before, now);
  if (!seconds || !before->totals || !now.totals) return std::nullopt;
  std::vector<SeriesRate> found;
  for (const auto& [series, total] : *now.totals) {
    const auto was = before->totals->find(series);
    const std::uint64_t from = was == before->totals->end() ? 0 : was->second;
    if (total > from) found.push_back({series, static_cast<double>(total - from) / *seconds, total});
  }
  std::ranges::stable_sort(found, std::ranges::greater(), &SeriesRate::per_second);
  found.resize(std::min(found.size(), most));
  return found;
}

std::string rate_text(std::optional<double> rate) {
  if (!rate) return "-";
  if (*rate >= 10) return number_text(static_cast<std::uint64_t>(*rate));
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", *rate);
  return text;
}

std::string snapshot_text(const ordered_json& stats) {
  if (stats.value("snapshot_under_way", false)) return "being written";
  if (number_of(stats, "snapshot_last_unix") == 0) return "none yet";
  return duration_text(static_cast<std::uint64_t>(decimal_of(stats, "snapshot_age_seconds"))) + " ago";
}

std::string lag_text(const ordered_json& stats) {
  std::string text = number_text(number_of(stats, "replication_lag_entries")) + " entries";
  const auto lag = stats.find("replication_lag_ms");
  if (lag != stats.end() && lag->is_number_unsigned()) text += ", " + number_text(lag->get<std::uint64_t>()) + " ms";
  return text + " behind its master";
}

}  // namespace karma::tools
