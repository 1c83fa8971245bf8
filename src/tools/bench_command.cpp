// The options of karma bench, and its --help.
#include "core/text.h"
#include "tools/bench.h"
#include "tools/invocation.h"

namespace karma::tools {
namespace {

constexpr int kMostConnections = 1000;
constexpr int kMostPipeline = 4096;
constexpr int kMostKeys = 1000000;
constexpr int kMostSeconds = 3600;

constexpr std::string_view kHead = R"(Usage: karma bench [options]

Measures a running server: requests a second, and how long each takes from being sent to being answered. Without options
a fixed list of ops and shapes, some seconds each, so that machines can be compared; the options pick from it.

Everything happens in a series of its own, which must not exist before and is dropped at the end, also after Ctrl-C. The
server's log and its slaves get the writes like any others: mind where you run it. At the end every counter is compared
with what was acknowledged. Each connection has at most --pipeline requests under way and waits for replies (a closed
loop): while the server stalls nothing more is sent, so a stall shows in few requests.

)";
constexpr std::string_view kTail = R"(
Examples
  karma bench
  karma bench --op=counter.increment --connections=64 --pipeline=16 --seconds=10
  karma bench --json | jq -r '.rows[] | [.op, .connections, .pipeline, .ops_per_second, .p99_us] | @tsv'

Exit codes   0  all counters are right, or interrupted     1  failed     2  wrong usage
)";

// Without a default: 0 is not what it stands for.
Options::Set number_into(int& target, int max) {
  return [&target, max](std::string_view text) {
    const int number = parse_number<int>(text).value_or(0);
    if (number < 1 || number > max) return "must be a number from 1 to " + std::to_string(max);
    target = number;
    return std::string();
  };
}

}  // namespace

int bench_command(Invocation& invocation, const Streams& streams) {
  BenchOptions target;
  target.connection.retry_seconds = 0;
  Options options("karma bench", kHead, kTail);
  options.add({.flag = "op",
               .value = "OP",
               .meaning = "counter.increment, counter.sum, counter.batch_sum, series.batch_add, or mixed: 50 % "
                          "increments, 40 % sums, 5 % of each batch; without it all of them"},
              [&](std::string_view text) {
                target.op = text;
                return std::string(!bench_rows(target).empty() ? ""
                                                               : "must be counter.increment, counter.sum, "
                                                                 "counter.batch_sum, series.batch_add or mixed");
              });
  options.add({.flag = "connections", .value = "N", .meaning = "so many, instead of several shapes; else 1"},
              number_into(target.connections, kMostConnections));
  options.add({.flag = "pipeline", .value = "N", .meaning = "requests that each has under way, likewise"},
              number_into(target.pipeline, kMostPipeline));
  options.number("keys", "N", "counters, of 30 days each, chosen at random", target.keys, 1, kMostKeys);
  options.number("seconds", "N", "how long to measure each row", target.seconds, 1, kMostSeconds);
  options.add({.flag = "series", .value = "SERIES", .meaning = "name of the series", .shown_default = target.series},
              [&](std::string_view text) {
                target.series = text;
                return std::string(series_name_fault(text));
              });
  options.truth("json", "one object at the end", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code =
          invocation.parse_alone(options, connection, "karma bench takes options only: --host, --port"))
    return *code;
  for (const BenchRow& row : bench_rows(target)) {
    if (row.connections * row.pipeline > kMostUnderWay)
      return invocation.misused("--connections times --pipeline must be at most " + std::to_string(kMostUnderWay));
  }
  return run_bench(target, streams);
}

}  // namespace karma::tools
