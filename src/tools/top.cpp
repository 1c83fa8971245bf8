// karma top: a node, watched.
#include "tools/top.h"

#include <chrono>
#include <cstdio>
#include <ostream>
#include <sstream>
#include <thread>
#include <utility>

#include "tools/ask.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;
using Emphasis = ScreenLine::Emphasis;

constexpr std::size_t kShownSeries = 5;

std::string decimal_text(double number, const char* format) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string number_or(const ordered_json& value, const char* otherwise) {
  return value.is_number_unsigned() ? number_text(value.get<std::uint64_t>()) : otherwise;
}

void add_notes(const ordered_json& health, const char* list, const char* word, Emphasis emphasis,
               std::vector<ScreenLine>& lines) {
  const auto notes = health.find(list);
  if (notes == health.end()) return;
  for (const ordered_json& note : *notes) lines.push_back({word + note.get<std::string>(), emphasis});
}

// With a blank line before it.
void add_table(const std::vector<Row>& rows, std::vector<ScreenLine>& lines) {
  std::stringstream table;
  print_table(rows, table);
  lines.push_back({});
  for (std::string line; std::getline(table, line);)
    lines.push_back({line, lines.back().text.empty() ? Emphasis::title : Emphasis::none});
}

void add_slaves(const ordered_json& replicas, std::vector<ScreenLine>& lines) {
  if (replicas.is_null() || replicas.at("replicas").empty()) return;
  std::vector<Row> rows = {{"slave", "position", "on disk", "lag", "last contact"}};
  for (const ordered_json& replica : replicas.at("replicas")) {
    const double silent = replica.at("last_contact_ms").get<double>() / 1000;
    rows.push_back({replica.at("replica").get<std::string>(), number_or(replica.at("position"), "?"),
                    number_or(replica.at("durable_lsn"), "never"), number_or(replica.at("lag_entries"), "unknown"),
                    decimal_text(silent, "%.1f s ago")});
  }
  add_table(rows, lines);
}

// What is counted in buckets is known up to a bucket's bound.
std::string within_text(const BucketCounts& durations, double part) {
  const std::optional<std::size_t> bucket = quantile_bucket(durations, part);
  if (!bucket) return "-";
  const bool known = *bucket < durations.bounds.size();
  if (!known && durations.bounds.empty()) return "-";
  return (known ? "" : "> ") + decimal_text(durations.bounds[known ? *bucket : *bucket - 1], "%g") + " ms";
}

// Of what came between the samples; nothing if the node does not tell.
std::optional<std::vector<OpLoad>> loads_between(const NodeSample* before, const NodeSample& now) {
  if (!seconds_between(before, now) || !before->histograms || !now.histograms) return std::nullopt;
  return busiest(&*before->histograms, *now.histograms);
}

void add_ops(const NodeSample* before, const NodeSample& now, std::vector<ScreenLine>& lines) {
  const std::optional<std::vector<OpLoad>> loads = loads_between(before, now);
  if (!loads || loads->empty()) return;
  const double seconds = *seconds_between(before, now);
  std::vector<Row> rows = {{"op", "a second", "p50 within", "p99 within"}};
  for (const OpLoad& load : *loads) {
    rows.push_back({load.op, rate_text(static_cast<double>(load.durations.count()) / seconds),
                    within_text(load.durations, 0.5), within_text(load.durations, 0.99)});
  }
  add_table(rows, lines);
}

void add_series(const NodeSample* before, const NodeSample& now, std::vector<ScreenLine>& lines) {
  const std::optional<std::vector<SeriesRate>> series = hottest(before, now, kShownSeries);
  if (!series || series->empty()) return;
  std::vector<Row> rows = {{"series", "counted a second", "total"}};
  for (const SeriesRate& one : *series) rows.push_back({one.series, rate_text(one.per_second), number_text(one.total)});
  add_table(rows, lines);
}

ordered_json series_json(const NodeSample* before, const NodeSample& now) {
  const std::optional<std::vector<SeriesRate>> series = hottest(before, now, kShownSeries);
  if (!series) return nullptr;
  ordered_json list = ordered_json::array();
  for (const SeriesRate& one : *series)
    list.push_back({{"series", one.series}, {"counted_per_second", one.per_second}, {"total", one.total}});
  return list;
}

ordered_json ops_json(const NodeSample* before, const NodeSample& now) {
  const std::optional<std::vector<OpLoad>> loads = loads_between(before, now);
  if (!loads) return nullptr;
  const double seconds = *seconds_between(before, now);
  const auto within = [](const BucketCounts& durations, double part) {
    const std::optional<std::size_t> bucket = quantile_bucket(durations, part);
    return bucket && *bucket < durations.bounds.size() ? ordered_json(durations.bounds[*bucket]) : ordered_json();
  };
  ordered_json ops = ordered_json::array();
  for (const OpLoad& load : *loads) {
    ops.push_back({{"op", load.op},
                   {"per_second", static_cast<double>(load.durations.count()) / seconds},
                   {"p50_within_ms", within(load.durations, 0.5)},
                   {"p99_within_ms", within(load.durations, 0.99)}});
  }
  return ops;
}

class Top {
 public:
  Top(const TopOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        address_(options.connection.endpoint.address()),
        client_(options.connection.endpoint) {}

  Status run() {
    Result<NodeSample> first = sample(options_.connection.retry_seconds);
    if (!first) return first.error();
    now_ = std::move(*first);
    std::optional<Screen> screen;
    if (streams_.out_terminal && !options_.once && !options_.json) screen.emplace(streams_.out, options_.colour);
    if (!options_.once) show(screen);
    while (!pause(screen)) {
      Result<NodeSample> next = sample(0);
      if (next) {
        before_ = std::exchange(now_, std::move(*next));
        answered_ = SteadyClock::now();
        show(screen);
      } else if (options_.once) {
        return next.error();
      } else {
        show_silence(next.error(), screen);
      }
      if (options_.once) break;
    }
    return {};
  }

 private:
  using SteadyClock = std::chrono::steady_clock;

  // Each on a connection of its own: a server closes those that are idle for some seconds.
  Result<NodeSample> sample(int retry_seconds) try {
    client_.close();
    Retry retry(client_, retry_seconds, streams_.err);
    Result<NodeSample> sample = sample_node(client_, retry);
    if (!sample) return sample.error();
    Result<std::optional<SeriesTotals>> totals = sample_totals(client_, retry);
    if (!totals) return totals.error();
    sample->totals = std::move(*totals);
    client_.close();
    top_lines(address_, nullptr, *sample);  // so that what cannot be shown is found here
    return sample;
  } catch (const ordered_json::exception& failure) {
    return internal_error(std::string("the server's reply is not what it should be: ") + failure.what());
  }

  // Whether it is the end.
  bool pause(std::optional<Screen>& screen) {
    const std::chrono::seconds interval(options_.interval_seconds);
    if (screen) return screen->quit_within(interval);
    std::this_thread::sleep_for(interval);
    return false;
  }

  void show(std::optional<Screen>& screen) {
    const NodeSample* before = before_ ? &*before_ : nullptr;
    if (options_.json) {
      print(top_json(address_, before, now_));
    } else {
      print(top_lines(address_, before, now_), screen);
    }
  }

  void show_silence(const Error& error, std::optional<Screen>& screen) {
    if (options_.json) return print({{"address", address_}, {"answers", false}, {"error", error.message}});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now() - answered_).count();
    print({{address_ + "  no answer for " + duration_text(static_cast<std::uint64_t>(seconds)), Emphasis::alarm},
           {error.message},
           {},
           {"Asked again every " + duration_text(static_cast<std::uint64_t>(options_.interval_seconds)) + "."}},
          screen);
  }

  void print(const std::vector<ScreenLine>& lines, std::optional<Screen>& screen) {
    if (screen) return screen->show(lines);
    if (std::exchange(printed_, true)) streams_.out << '\n';
    for (const ScreenLine& line : lines) streams_.out << printable(line.text) << '\n';
    streams_.out << std::flush;
  }

  void print(const ordered_json& object) {
    streams_.out << object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << std::endl;
  }

  const TopOptions& options_;
  const Streams& streams_;
  const std::string address_;
  Client client_;
  NodeSample now_;
  std::optional<NodeSample> before_;
  SteadyClock::time_point answered_ = SteadyClock::now();
  bool printed_ = false;
};

}  // namespace

std::vector<ScreenLine> top_lines(const std::string& address, const NodeSample* before, const NodeSample& now) {
  const ordered_json& stats = now.stats;
  const auto per_second = [&](const char* statistic) { return rate_text(rate(before, now, statistic)); };
  const auto count = [&](const char* statistic) { return number_text(number_of(stats, statistic)); };
  const auto bytes = [&](const char* statistic) { return bytes_text(number_of(stats, statistic)); };
  const std::string role = now.health.at("role").get<std::string>();
  const std::string status = now.health.at("status").get<std::string>();
  std::vector<ScreenLine> lines;
  lines.push_back({address + "  " + role + "  " + status + "  up " +
                       duration_text(static_cast<std::uint64_t>(decimal_of(stats, "uptime_seconds"))),
                   status == "ok" ? Emphasis::title : Emphasis::alarm});
  add_notes(now.health, "problems", "problem: ", Emphasis::alarm, lines);
  add_notes(now.health, "warnings", "warning: ", Emphasis::warning, lines);
  if (restarted(before, now)) lines.push_back({"It has been restarted.", Emphasis::warning});
  lines.push_back({});
  lines.push_back({"requests   " + per_second("command_count") + " a second, " + per_second("error_count") +
                   " errors a second, " + count("query_timeout_count") + " timeouts in all"});
  lines.push_back({"latency    " + decimal_text(decimal_of(stats, "latency_ms_avg"), "%.3f") + " ms on average, " +
                   decimal_text(decimal_of(stats, "latency_ms_last"), "%.3f") + " ms the last request"});
  lines.push_back({"clients    " + count("connections") + " of " + count("max_connections") + " connections, " +
                   bytes("client_memory_bytes") + " of " + bytes("client_memory_limit_bytes")});
  lines.push_back(
      {"data       " + count("trees") + " series, " + count("keys") + " keys, " + bytes("memory_bytes") + " memory"});
  lines.push_back({"log        " + per_second("wal_current_lsn") + " entries a second, " +
                   per_second("wal_sync_count") + " syncs a second, " + bytes("wal_bytes") + ", LSN " +
                   count("wal_current_lsn")});
  lines.push_back({"snapshot   " + snapshot_text(stats)});
  if (role == "slave") lines.push_back({"slave      " + lag_text(stats)});
  add_slaves(now.replicas, lines);
  add_ops(before, now, lines);
  add_series(before, now, lines);
  return lines;
}

ordered_json top_json(const std::string& address, const NodeSample* before, const NodeSample& now) {
  const auto per_second = [&](const char* statistic) {
    const std::optional<double> found = rate(before, now, statistic);
    return found ? ordered_json(*found) : ordered_json();
  };
  return {{"address", address},
          {"answers", true},
          {"restarted", restarted(before, now)},
          {"ops_per_second", per_second("command_count")},
          {"errors_per_second", per_second("error_count")},
          {"log_entries_per_second", per_second("wal_current_lsn")},
          {"ops", ops_json(before, now)},
          {"hottest_series", series_json(before, now)},
          {"health", now.health},
          {"stats", now.stats},
          {"replicas", now.replicas}};
}

int run_top(const TopOptions& options, const Streams& streams) {
  return exit_code(Top(options, streams).run(), streams);
}

}  // namespace karma::tools
