// The options of karma plot, top and report, and their --help.
#include <karma/clock.h>

#include "core/text.h"
#include "tools/invocation.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

constexpr std::size_t kMostKeys = 50;
constexpr int kTopTimeoutSeconds = 5;

constexpr std::string_view kPlotHead = R"(Usage: karma plot --series=SERIES [--key=KEY[,KEY]...] [options]

Draws the days of counters of a running server: a bar for each day, with the total and the maximum, each key scaled to
its own maximum. A day without a value has none. Without --key: a sparkline for each of the largest keys.

)";
constexpr std::string_view kPlotTail = R"(
Examples
  karma plot --series=links --key=42 --range=2026-05-01..2026-05-31
  karma plot --series=links --key=42,43,44 --range=90d --spark
  karma plot --series=links --limit=20 --token-file=/etc/karma/read-token
  karma plot --series=links --key=42 --json | jq '.keys[0].days'

It is drawn in block characters if LC_ALL, LC_CTYPE or LANG name UTF-8, and in colour on a terminal, unless NO_COLOR is
set.

Exit codes   0  drawn     1  failed     2  wrong usage
)";

constexpr std::string_view kTopHead = R"(Usage: karma top [options]

Watches a running server: what is wrong with it first, then requests, errors, latency, clients, data, log, the slaves
with their lag, and the ops that were asked for, the busiest first. Of an op that a server with --http-port measures it
says within which time half of the requests were answered (p50), and 99 % of them (p99), since the last look. Last come
the series that grew most, where there are 256 at most. q or Ctrl-C ends it. When the server goes away it says so, and
goes on when it is back. Its own questions are counted: five each time, and one for each series.

)";
constexpr std::string_view kTopTail = R"(
Examples
  karma top --host=10.0.0.5 --token-file=/etc/karma/read-token
  karma top --once                   what happened in --interval seconds, once
  karma top --json --interval=10 | jq -c '[.ops_per_second, .errors_per_second]'
  karma top --once --json | jq -r '.ops[]? | [.op, .per_second, .p99_within_ms] | @tsv'

Exit codes   0  ended     1  failed     2  wrong usage
)";

constexpr std::string_view kReportHead = R"(Usage: karma report [options]

Writes a page of HTML about a running server: what is wrong with it, its load, how long requests took, by op, and the
days of the largest keys of each series. It is one file without scripts, which loads nothing: to be opened, mailed,
kept. Without --series it shows the ten with the largest totals. To find its largest keys, the server reads each of
these series twice, at a low priority. Latencies by op need a server with --http-port.

)";
constexpr std::string_view kReportTail = R"(
Examples
  karma report --host=10.0.0.5 --token-file=/etc/karma/read-token
  karma report --series=links --range=2026-05-01..2026-05-31 --top=20 --output=may.html
  karma report --seconds=0 --output=- | gzip > "karma-$(date +%F).html.gz"

Exit codes   0  written     1  failed     2  wrong usage
)";

std::string set_keys(std::string_view text, std::vector<std::uint64_t>& keys) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::optional<std::uint64_t> key = parse_number<std::uint64_t>(text.substr(0, comma));
    if (!key) return "must be keys like 42 or 42,43";
    if (keys.size() == kMostKeys) return "must be at most " + std::to_string(kMostKeys) + " keys";
    keys.push_back(*key);
    if (comma == text.npos) return {};
    text.remove_prefix(comma + 1);
  }
}

void add_range(Options& options, BucketRange& range) {
  constexpr std::string_view kDefault = "30d";
  const Bucket today = bucket_at(system_clock().unix_seconds());
  range = *plot_range_of(kDefault, today);
  options.add({.flag = "range",
               .value = "RANGE",
               .meaning = "the latest days, today (UTC) the last of them: 30d; or FROM..TO, both of them included; at "
                          "most 367 days",
               .shown_default = std::string(kDefault)},
              [&range, today](std::string_view text) {
                const std::optional<BucketRange> found = plot_range_of(text, today);
                range = found.value_or(range);
                return std::string(found ? "" : "must be like 30d or 2026-05-01..2026-05-31, at most 367 days");
              });
}

}  // namespace

int plot_command(Invocation& invocation, const Streams& streams) {
  PlotOptions target;
  target.connection.retry_seconds = 0;
  int width = 0;
  bool ascii = false;
  Options options("karma plot", kPlotHead, kPlotTail);
  options.text("series", "SERIES", "the series", target.series);
  options.add({.flag = "key", .value = "KEY", .meaning = "the counter, or several with commas between them"},
              [&](std::string_view text) { return set_keys(text, target.keys); });
  add_range(options, target.range);
  options.number("limit", "N", "without --key: so many keys", target.limit, 1, static_cast<int>(kMostKeys));
  options.truth("spark", "a line for each key", target.spark);
  options.add({.flag = "width", .value = "N", .meaning = "columns, 48 to 200; without it those of the terminal"},
              [&](std::string_view text) {
                width = parse_number<int>(text).value_or(0);
                return std::string(width >= kLeastWidth && width <= kMostWidth ? "" : "must be 48 to 200");
              });
  options.truth("ascii", "no block characters", ascii);
  options.truth("json", "the values, on one line", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse(options, connection)) return *code;
  if (!invocation.positionals.empty() || target.series.empty())
    return invocation.misused("karma plot takes a series: karma plot --series=SERIES [--key=KEY]");
  target.canvas = canvas_of(streams, invocation.lookup(), width, ascii);
  return run_plot(target, streams);
}

int top_command(Invocation& invocation, const Streams& streams) {
  constexpr int kMostSeconds = 3600;
  TopOptions target;
  target.connection.retry_seconds = 0;
  target.connection.endpoint.timeout_seconds = kTopTimeoutSeconds;
  Options options("karma top", kTopHead, kTopTail);
  options.number("interval", "SECONDS", "between two looks", target.interval_seconds, 1, kMostSeconds);
  options.truth("once", "print it once, after --interval", target.once);
  options.truth("json", "an object on one line for each look", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code =
          invocation.parse_alone(options, connection, "karma top takes options only: --host, --port"))
    return *code;
  target.colour = canvas_of(streams, invocation.lookup(), 0, false).colour;
  return run_top(target, streams);
}

int report_command(Invocation& invocation, const Streams& streams) {
  constexpr int kMostSeconds = 3600;
  constexpr std::size_t kMostSeries = 50;
  ReportOptions target;
  target.output = "karma-report.html";
  target.connection.retry_seconds = 0;
  Options options("karma report", kReportHead, kReportTail);
  options.text("output", "FILE", "replaced when it is complete; - is standard output", target.output);
  options.add({.flag = "series", .value = "SERIES", .meaning = "this one; may come several times"},
              [&](std::string_view text) {
                if (target.series.size() == kMostSeries) return "must be at most " + std::to_string(kMostSeries);
                target.series.emplace_back(text);
                return std::string(series_name_fault(text));
              });
  options.number("top", "N", "so many keys of each series", target.limit, 1, static_cast<int>(kMostKeys));
  add_range(options, target.range);
  options.number("seconds", "SECONDS", "how long its load is watched; 0: figures since its start only", target.seconds,
                 0, kMostSeconds);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse_alone(
          options, connection, "karma report takes options only: --output, --series, --host, --port"))
    return *code;
  if (target.output.empty()) return invocation.misused("--output must not be empty");
  return run_report(target, streams);
}

}  // namespace karma::tools
