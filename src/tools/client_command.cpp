// The options of karma import, export and reconcile, and their --help.
#include <unistd.h>

#include <ostream>

#include <karma/tools.h>

#include "commands/limits.h"
#include "core/settings.h"
#include "store/ingest.h"
#include "tools/commands.h"
#include "tools/flags.h"

namespace karma {
namespace {

using tools::Flags;
using tools::Streams;

constexpr int kWrongUsage = 2;
constexpr int kMaxSeconds = 86400;
constexpr int kMaxLineBytes = 1 << 30;

constexpr std::string_view kImportHead = R"(Usage: karma import FILE --series=SERIES [options]

Counts the points of a file into a running server, exactly once: if anything interrupts it, the same command goes on
where it stopped, and a file that is in already is not counted again. All lines are checked before the first is sent.

FILE   CSV: key,bucket,value a line, buckets as 20260505 or 2026-05-05, with a header or without
       NDJSON: {"key":42,"bucket":20260505,"value":10} or [42,20260505,10] a line

)";
constexpr std::string_view kImportTail = R"(
Chunks are as large as --max-request-bytes allows. A server that is started with --max-request-bytes=262144 takes
points faster; then say the same here. Runs that belong together need the same value.

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

// What all three have in common. A token comes from a flag, a file, or the environment.
class Connection {
 public:
  Connection(Flags& flags, tools::ConnectionOptions& options) : options_(options) {
    flags.text("host", "HOST", "the server", options.endpoint.host);
    flags.number("port", "PORT", "its port", options.endpoint.port, 1, 65535);
    flags.custom("token", "TOKEN", "what the server wants to see; or the variable KARMA_AUTH_TOKEN", "",
                 [this](std::string_view text) { return token_ = text, std::string(); });
    flags.custom("token-file", "FILE", "file whose first line is the token", "", [this](std::string_view text) {
      token_file_ = text;
      return std::string(text.empty() ? "must not be empty" : "");
    });
    flags.number("timeout", "SECONDS", "without a byte from the server before the connection is given up",
                 options.endpoint.timeout_seconds, 1, kMaxSeconds);
    flags.number("retry-seconds", "SECONDS", "how long to try again while the server cannot be reached",
                 options.retry_seconds, 0, kMaxSeconds);
  }

  Status resolve(const char* (*environment)(const char* name)) {
    if (token_ && token_file_) return validation_error("--token and --token-file are both given; one of them must go");
    if (token_file_) {
      Result<std::string> token = read_token_file(*token_file_);
      if (!token) return token.error();
      token_ = std::move(*token);
    }
    const char* variable = environment("KARMA_AUTH_TOKEN");
    if (!token_ && variable != nullptr) token_ = variable;
    options_.endpoint.token = token_.value_or("");
    return {};
  }

 private:
  tools::ConnectionOptions& options_;
  std::optional<std::string> token_;
  std::optional<std::string> token_file_;
};

void add_series(Flags& flags, std::string& series) {
  flags.custom("series", "SERIES", "the series", "", [&series](std::string_view text) {
    series = text;
    const std::string_view fault = series_name_fault(text);
    return std::string(fault);
  });
}

void add_format(Flags& flags, std::optional<tools::PointsFormat>& format) {
  flags.custom("format", "FORMAT", "csv or ndjson; without it the first line decides", "",
               [&format](std::string_view text) {
                 format = tools::points_format_of(text);
                 return std::string(format ? "" : "must be csv or ndjson");
               });
}

void add_day(Flags& flags, std::string_view flag, std::string_view meaning, std::optional<Bucket>& day) {
  flags.custom(flag, "DAY", meaning, "", [&day](std::string_view text) {
    day = tools::bucket_of(text);
    return std::string(day ? "" : "must be a day like 20260505 or 2026-05-05");
  });
}

// The arguments behind the name of the sub-command, against its flags. An exit code if there is nothing left to do.
class Invocation {
 public:
  Invocation(std::vector<std::string_view> arguments, const char* (*environment)(const char* name),
             const Streams& streams)
      : arguments_(std::move(arguments)), environment_(environment), streams_(streams) {}

  std::optional<int> parse(Flags& flags, Connection& connection, std::string_view head, std::string_view tail) {
    bool help_wanted = false;
    if (Status status = flags.parse(arguments_, positionals, help_wanted); !status.ok()) return misused(status);
    if (help_wanted) {
      streams_.out << head << flags.help() << tail << std::flush;
      return 0;
    }
    if (Status status = connection.resolve(environment_); !status.ok()) return misused(status);
    return std::nullopt;
  }
  int misused(const Status& status) const {
    streams_.err << "ERROR: " << status.error().message << std::endl;
    return kWrongUsage;
  }
  int misused(std::string message) const { return misused(Status(validation_error(std::move(message)))); }

  std::vector<std::string> positionals;

 private:
  const std::vector<std::string_view> arguments_;
  const char* (*const environment_)(const char* name);
  const Streams& streams_;
};

int import_command(Invocation& invocation, const Streams& streams) {
  tools::ImportOptions options;
  Flags flags;
  add_series(flags, options.series);
  flags.custom("mode", "MODE",
               "add: values are added; set: values replace those of their day (0 deletes it);\n"
               "replace_series: the file becomes the series, at once, when all of it is in",
               options.mode, [&](std::string_view text) {
                 options.mode = text;
                 return std::string(store::ingest_mode_of(text) ? "" : "must be add, set or replace_series");
               });
  add_format(flags, options.format);
  flags.text("stream-id", "ID", "name of the stream; without it, made from content, series and mode",
             options.stream_id);
  flags.number("max-request-bytes", "BYTES", "the setting of the server", options.max_request_bytes, 512,
               kMaxLineBytes);
  flags.number("chunk-items", "N", "points in a chunk at most", options.chunk_items, 1,
               static_cast<int>(commands::kMaxBatchItems));
  flags.truth("abort", "give the unfinished import of this file up", options.abort);
  Connection connection(flags, options.connection);
  if (std::optional<int> code = invocation.parse(flags, connection, kImportHead, kImportTail)) return *code;
  if (invocation.positionals.size() != 1 || options.series.empty())
    return invocation.misused("karma import takes a file and a series: karma import FILE --series=SERIES");
  if (options.stream_id.size() > commands::kMaxStreamIdBytes) return invocation.misused("--stream-id is too long");
  options.file = invocation.positionals[0];
  return tools::run_import(options, streams);
}

int export_command(Invocation& invocation, const Streams& streams) {
  tools::ExportOptions options;
  Flags flags;
  add_series(flags, options.series);
  flags.text("output", "FILE", "appears when it is complete; without it the points go to standard output",
             options.output);
  flags.custom("format", "FORMAT", "csv or ndjson", "csv", [&](std::string_view text) {
    const std::optional<tools::PointsFormat> format = tools::points_format_of(text);
    options.format = format.value_or(options.format);
    return std::string(format ? "" : "must be csv or ndjson");
  });
  add_day(flags, "from", "first day; without --from and --to all days, checked against the totals", options.from);
  add_day(flags, "to", "last day", options.to);
  Connection connection(flags, options.connection);
  if (std::optional<int> code = invocation.parse(flags, connection, kExportHead, kExportTail)) return *code;
  if (!invocation.positionals.empty() || options.series.empty())
    return invocation.misused("karma export takes a series: karma export --series=SERIES");
  if (options.from && options.to && *options.to < *options.from)
    return invocation.misused("--from must not be after --to");
  return tools::run_export(options, streams);
}

int reconcile_command(Invocation& invocation, const Streams& streams) {
  tools::ReconcileOptions options;
  Flags flags;
  flags.text("csv", "FILE", "the points to compare with: key,bucket,value a line", options.file);
  add_series(flags, options.series);
  add_format(flags, options.format);
  add_day(flags, "from", "first day; without it the first one of the file", options.from);
  add_day(flags, "to", "last day; without it the last one of the file", options.to);
  flags.truth("listed-keys-only", "pass over keys that the file does not hold", options.listed_keys_only);
  flags.truth("report", "tell the server the result (reconciliation.report), for its metrics", options.report);
  Connection connection(flags, options.connection);
  if (std::optional<int> code = invocation.parse(flags, connection, kReconcileHead, kReconcileTail)) return *code;
  if (!invocation.positionals.empty() || options.file.empty() || options.series.empty())
    return invocation.misused("karma reconcile takes a file and a series: karma reconcile --csv=FILE --series=SERIES");
  if (options.from && options.to && *options.to < *options.from)
    return invocation.misused("--from must not be after --to");
  return tools::run_reconcile(options, streams);
}

}  // namespace

std::optional<int> run_client_command(int argc, const char* const* argv, const char* (*environment)(const char* name),
                                      std::ostream& out, std::ostream& err) {
  if (argc < 2) return std::nullopt;
  const std::string_view command = argv[1];
  const Streams streams{out, err, ::isatty(STDERR_FILENO) == 1};
  Invocation invocation({argv + 2, argv + argc}, environment, streams);
  if (command == "import") return import_command(invocation, streams);
  if (command == "export") return export_command(invocation, streams);
  if (command == "reconcile") return reconcile_command(invocation, streams);
  return std::nullopt;
}

}  // namespace karma
