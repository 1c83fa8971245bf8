#include <algorithm>
#include <cstdio>
#include <iterator>

#include <nlohmann/json.hpp>

#include "tools/bench.h"
#include "tools/load/report.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

constexpr std::uint64_t kBatch = 1000;

// One client alone, as many as a busy application has, and few that send ahead.
constexpr BenchRow kRows[] = {
    {"counter.increment", "increment", 1, 1, 1},
    {"counter.increment", "increment", 64, 1, 1},
    {"counter.increment", "increment", 4, 128, 1},
    {"counter.sum", "sum", 1, 1, 1},
    {"counter.sum", "sum", 64, 1, 1},
    {"counter.sum", "sum", 4, 128, 1},
    {"counter.batch_sum", "batch_sum", 4, 1, kBatch},
    {"series.batch_add", "batch_add", 4, 1, kBatch},
    {"mixed", "mix", 64, 1, kBatch},
};

std::string milliseconds_text(std::uint64_t nanoseconds) {
  char text[32];
  std::snprintf(text, sizeof text, nanoseconds < 100'000'000 ? "%.3f" : "%.0f", static_cast<double>(nanoseconds) / 1e6);
  return text;
}

std::string rate_text(std::uint64_t count, double seconds) {
  return number_text(seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(count) / seconds) : 0);
}

std::string columns(const std::string& rate, const std::string& p50, const std::string& p99, const std::string& p999,
                    const std::string& errors) {
  char text[128];
  std::snprintf(text, sizeof text, " %10s %7s %7s %7s %6s", rate.c_str(), p50.c_str(), p99.c_str(), p999.c_str(),
                errors.c_str());
  return text;
}

std::string label(std::string_view op, std::string_view shape) {
  char text[64];
  std::snprintf(text, sizeof text, "%-25s %8s", std::string(op).c_str(), std::string(shape).c_str());
  return text;
}

}  // namespace

std::vector<BenchRow> bench_rows(const BenchOptions& options) {
  std::vector<BenchRow> rows;
  for (BenchRow row : kRows) {
    if (!options.op.empty() && options.op != row.op) continue;
    if (options.connections != 0 || options.pipeline != 0) {
      if (!rows.empty() && rows.back().op == row.op) continue;
      row.connections = static_cast<std::uint64_t>(std::max(options.connections, 1));
      row.pipeline = static_cast<std::uint64_t>(std::max(options.pipeline, 1));
    }
    rows.push_back(row);
  }
  return rows;
}

std::uint64_t smaller_batch(std::uint64_t batch) {
  constexpr std::uint64_t kSizes[] = {500, 200, 100, 50, 20, 10};
  const auto* const found = std::ranges::find_if(kSizes, [&](std::uint64_t size) { return size < batch; });
  return found == std::end(kSizes) ? 0 : *found;
}

std::string bench_header() {
  return label("op", "clients") + columns("requests/s", "p50 ms", "p99 ms", "p99.9", "errors");
}

std::string bench_label(const BenchRow& row) {
  std::string batch;
  if (row.batch != 1) batch = (row.load == "mix" ? ", batches of " : " of ") + std::to_string(row.batch);
  return label(std::string(row.op) + batch, std::to_string(row.connections) + " x " + std::to_string(row.pipeline));
}

std::string bench_figures(const BenchResult& result) {
  const load::Measured& measured = result.measured;
  const auto ms = [&](double share) { return milliseconds_text(measured.round_trips.at(share)); };
  return columns(rate_text(measured.replies, measured.seconds), ms(0.5), ms(0.99), ms(0.999),
                 number_text(measured.errors)) +
         (result.client_is_the_limit() ? " *" : "");
}

nlohmann::ordered_json bench_json(const BenchResult& result) {
  nlohmann::ordered_json json = {{"op", result.row.op},
                                 {"batch", result.row.batch},
                                 {"connections", result.row.connections},
                                 {"pipeline", result.row.pipeline}};
  load::Report report;
  report.measured(result.measured, "");
  report.number("client_cpu_seconds", "", result.client_cpu_seconds);
  json.update(report.json());
  json["client_is_the_limit"] = result.client_is_the_limit();
  return json;
}

}  // namespace karma::tools
