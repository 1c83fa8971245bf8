// What karma bench measures and how it shows it, so that both can be looked at without a server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tools/commands.h"
#include "tools/load/clients.h"

namespace karma::tools {

// So many requests may be under way in all: each takes up to 20 KB here, and as much in the server.
inline constexpr int kMostUnderWay = 16384;

// Requests of one kind, from so many connections, each of which has so many under way.
struct BenchRow {
  std::string_view op;    // as the server knows it; "mixed" is half increments, 40 % sums, 5 % of each batch
  std::string_view load;  // as load::WorkloadOptions know it
  std::uint64_t connections = 1;
  std::uint64_t pipeline = 1;
  std::uint64_t batch = 1;  // items of a batch, if there are any
};

// The rows of a run without options, or what the options make of them. None: there is no such op.
std::vector<BenchRow> bench_rows(const BenchOptions& options);
// The next smaller size of batches, for servers that do not take such long requests. 0: there is none.
std::uint64_t smaller_batch(std::uint64_t batch);

struct BenchResult {
  BenchRow row;
  load::Measured measured;
  double client_cpu_seconds = 0;

  // The client has one thread. When that is busy all the time, the figures are its own rather than the server's.
  bool client_is_the_limit() const { return measured.seconds >= 0.5 && client_cpu_seconds > 0.95 * measured.seconds; }
};

// Lines of a table, as wide as a terminal, in two pieces: what is measured, and what came out.
std::string bench_header();
std::string bench_label(const BenchRow& row);
std::string bench_figures(const BenchResult& result);
nlohmann::ordered_json bench_json(const BenchResult& result);

}  // namespace karma::tools
