// Which sub-command is meant; the options of karma import, export and reconcile, and their --help.
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <ostream>

#include <karma/tools.h>

#include "core/command_names.h"
#include "protocol/limits.h"
#include "store/ingest.h"
#include "tools/input_file.h"
#include "tools/invocation.h"

namespace karma {
namespace {

using tools::Connection;
using tools::Invocation;
using tools::Streams;

constexpr int kMaxLineBytes = 1 << 30;

constexpr std::string_view kImportHead = R"(Usage: karma import FILE... [--series=SERIES] [options]

Counts the points of files into a running server, exactly once: if anything interrupts it, the same command goes on
where it stopped, and a file that is in already is not counted again. All lines are checked before the first is sent.

FILE   CSV: key,bucket,value a line, buckets as 20260505 or 2026-05-05; comma, semicolon or tab between them,
            quotes as in RFC 4180; a header names the columns in any order, and maybe others beside them
       NDJSON: {"key":42,"bucket":20260505,"value":10} or [42,20260505,10] a line
       Either may be packed by gzip or zstd; - is standard input. Without --series each line names its own series.

)";
constexpr std::string_view kImportTail = R"(
A server that is started with --max-request-bytes=262144 takes points faster; then say the same here, in all runs.
Exit codes   0  all points are in     1  failed     2  wrong usage
)";
constexpr std::string_view kExportHead = R"(Usage: karma export --series=SERIES [options]

Writes all points of a series of a running server, as karma import reads them. It is no snapshot: what is written
meanwhile may be in or not.

)";
constexpr std::string_view kExportTail = R"(
Exit codes   0  complete     1  failed, or keys have more in total than their days hold     2  wrong usage
)";
constexpr std::string_view kReconcileHead = R"(Usage: karma reconcile --csv=FILE --series=SERIES [options]

Compares points that were counted elsewhere with those of a running server and prints the keys that differ:
key,expected,actual,delta,days. What the server has in the days of the file and the file has not is drift, too.
Leave out the day that is still being counted: --to=YESTERDAY.

)";
constexpr std::string_view kReconcileTail = R"(
Exit codes   0  no drift     1  drift     2  cannot tell
)";
void add_series(Options& options, std::string& series) {
  options.add({.flag = "series", .value = "SERIES", .meaning = "the series"}, [&series](std::string_view text) {
    series = text;
    return std::string(series_name_fault(text));
  });
}

void add_points(Options& options, tools::PointsOptions& points) {
  options.add({.flag = "format", .value = "FORMAT", .meaning = "csv or ndjson; without it the first line decides"},
              [&points](std::string_view text) {
                points.format = tools::points_format_of(text);
                return std::string(points.format ? "" : "must be csv or ndjson");
              });
  options.text("key-column", "NAME", "column of the keys, or its number from 1; without it, key", points.key_column);
  options.text("bucket-column", "NAME", "of the days; without it, bucket or date", points.bucket_column);
  options.text("value-column", "NAME", "of the values; without it, value", points.value_column);
  options.add(
      {.flag = "time-zone", .value = "ZONE", .meaning = "of the days of times: Europe/Berlin, +02:00; without it, UTC"},
      [&points](std::string_view text) {
        points.time_zone = tools::TimeZone::of(text);
        return std::string(points.time_zone ? ""
                                            : "must be an offset like +02:00, or a name like Europe/Berlin that "
                                              "the package tzdata has");
      });
}

void add_day(Options& options, std::string_view flag, std::string_view meaning, std::optional<Bucket>& day) {
  options.add({.flag = flag, .value = "DAY", .meaning = meaning}, [&day](std::string_view text) {
    day = tools::bucket_of(text);
    return std::string(day ? "" : "must be a day like 20260505 or 2026-05-05");
  });
}

std::string misuse_of(const tools::ImportOptions& options) {
  const bool stream_alone = options.abort && !options.stream_id.empty() && options.files.empty();
  if (!stream_alone && options.files.empty())
    return "karma import takes a file: karma import FILE [--series=SERIES]; - is standard input";
  if (!stream_alone && options.series.empty() && !options.stream_id.empty())
    return "a stream is of one series: --stream-id needs --series";
  if (options.stream_id.size() > protocol::kMaxStreamIdBytes) return "--stream-id is too long";
  if (options.files.size() > 1 && !options.stream_id.empty()) return "a stream is of one file: --stream-id takes one";
  if (options.skips && options.series.empty()) return "--on-error=skip needs --series";
  if (!options.skips && !options.rejects.empty()) return "--rejects goes with --on-error=skip";
  if (options.files.size() > 1 && !options.rejects.empty())
    return "--rejects takes the lines of one file; without it those of each go to FILE.rejects";
  for (const std::string& file : options.files) {
    const bool nameless = file == tools::kStandardInput || file.starts_with("/dev/") || file.starts_with("/proc/");
    if (options.skips && options.rejects.empty() && nameless)
      return "--on-error=skip needs --rejects=FILE to write the lines to that are left out of " +
             tools::shown_name(file);
    if (file == options.rejects) return "--rejects must not be the file that is read";
  }
  return {};
}

int import_command(Invocation& invocation, const Streams& streams) {
  tools::ImportOptions target;
  Options options("karma import", kImportHead, kImportTail);
  add_series(options, target.series);
  options.add({.flag = "mode",
               .value = "MODE",
               .meaning = "add: values are added; set: values replace those of their day (0 deletes it); "
                          "replace_series: the file becomes the series, at once, when all of it is in",
               .shown_default = target.mode},
              [&](std::string_view text) {
                target.mode = text;
                return std::string(store::ingest_mode_of(text) ? "" : "must be add, set or replace_series");
              });
  add_points(options, target.points);
  options.text("stream-id", "ID", "name of the stream, else made from content, series and mode", target.stream_id);
  options.number("max-request-bytes", "BYTES", "the setting of the server", target.max_request_bytes, 512,
                 kMaxLineBytes);
  options.number("chunk-items", "N", "points in a chunk at most", target.chunk_items, 1,
                 static_cast<int>(protocol::kMaxBatchItems));
  options.truth("check", "read everything, say what would be sent, and send nothing", target.check);
  options.add({.flag = "on-error",
               .value = "stop|skip",
               .meaning = "skip: leave wrong lines out, and write them to FILE.rejects",
               .shown_default = "stop"},
              [&](std::string_view text) {
                target.skips = text == "skip";
                return std::string(text == "stop" || text == "skip" ? "" : "must be stop or skip");
              });
  options.text("rejects", "FILE", "where lines that are left out go instead", target.rejects);
  options.truth("abort", "give up the unfinished import of FILE, or of --stream-id alone", target.abort);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse(options, connection)) return *code;
  target.files = invocation.positionals;
  const std::string misuse = misuse_of(target);
  return misuse.empty() ? tools::run_import(target, streams) : invocation.misused(misuse);
}

int export_command(Invocation& invocation, const Streams& streams) {
  tools::ExportOptions target;
  Options options("karma export", kExportHead, kExportTail);
  add_series(options, target.series);
  options.text("output", "FILE", "appears when it is complete; without it the points go to standard output",
               target.output);
  options.add({.flag = "format", .value = "FORMAT", .meaning = "csv or ndjson", .shown_default = "csv"},
              [&](std::string_view text) {
                const std::optional<tools::PointsFormat> format = tools::points_format_of(text);
                target.format = format.value_or(target.format);
                return std::string(format ? "" : "must be csv or ndjson");
              });
  add_day(options, "from", "first day; without --from and --to all days, checked against the totals", target.from);
  add_day(options, "to", "last day", target.to);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse(options, connection)) return *code;
  if (!invocation.positionals.empty() || target.series.empty())
    return invocation.misused("karma export takes a series: karma export --series=SERIES");
  if (target.from && target.to && *target.to < *target.from) return invocation.misused("--from must not be after --to");
  return tools::run_export(target, streams);
}

int reconcile_command(Invocation& invocation, const Streams& streams) {
  tools::ReconcileOptions target;
  Options options("karma reconcile", kReconcileHead, kReconcileTail);
  options.text("csv", "FILE", "the points to compare with: key,bucket,value a line", target.file);
  add_series(options, target.series);
  add_points(options, target.points);
  add_day(options, "from", "first day; without it the first one of the file", target.from);
  add_day(options, "to", "last day; without it the last one of the file", target.to);
  options.truth("listed-keys-only", "pass over keys that the file does not hold", target.listed_keys_only);
  options.truth("report", "tell the server the result (reconciliation.report), for its metrics", target.report);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse(options, connection)) return *code;
  if (!invocation.positionals.empty() || target.file.empty() || target.series.empty())
    return invocation.misused("karma reconcile takes a file and a series: karma reconcile --csv=FILE --series=SERIES");
  if (target.from && target.to && *target.to < *target.from) return invocation.misused("--from must not be after --to");
  return tools::run_reconcile(target, streams);
}

struct Command {
  std::string_view name;
  int (*run)(Invocation& invocation, const Streams& streams);
};

constexpr Command kCommands[] = {
    {"import", import_command},
    {"export", export_command},
    {"reconcile", reconcile_command},
    {"promote", tools::promote_command},
    {"replicas", tools::replicas_command},
    {"ping", tools::ping_command},
    {"call", tools::call_command},
    {"stats", tools::stats_command},
    {"plot", tools::plot_command},
    {"top", tools::top_command},
    {"report", tools::report_command},
    {"config", tools::config_command},
    {"slowlog", tools::slowlog_command},
    {"clients", tools::clients_command},
    {"cli", tools::cli_command},
    {"bench", tools::bench_command},
};
static_assert(std::ranges::all_of(kCommands, is_command_name, &Command::name));

}  // namespace

std::optional<int> run_client_command(int argc, const char* const* argv, const char* (*environment)(const char* name),
                                      std::ostream& out, std::ostream& err) {
  if (argc < 2) return std::nullopt;
  const Command* const command = std::ranges::find(kCommands, argv[1], &Command::name);
  if (command == std::end(kCommands)) return std::nullopt;
  const Streams streams{out, err, ::isatty(STDERR_FILENO) == 1, ::isatty(STDOUT_FILENO) == 1};
  Invocation invocation("karma " + std::string(command->name), {argv + 2, argv + argc}, environment, streams);
  return command->run(invocation, streams);
}

}  // namespace karma
