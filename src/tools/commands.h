// The sub-commands that talk to a server: what each does once its options are known. Each returns the exit code.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <karma/types.h>

#include "protocol/client.h"
#include "tools/chart.h"
#include "tools/points_text.h"

namespace karma::tools {

using protocol::Endpoint;

// Where the sub-commands talk to.
struct Streams {
  std::ostream& out;  // results
  std::ostream& err;  // progress, notices, errors
  bool terminal;      // err is one
  bool out_terminal = false;
};

struct ConnectionOptions {
  Endpoint endpoint;
  int retry_seconds = 60;
};

struct ImportOptions {
  ConnectionOptions connection;
  std::vector<std::string> files;  // "-": standard input; none: abort the stream that is named
  std::string series;              // empty: each line names its own
  std::string mode = "add";
  PointsOptions points;
  std::string stream_id;  // empty: from the file's content
  int chunk_items = 10000;
  int max_request_bytes = 4096;
  bool abort = false;
  bool check = false;   // read, tell and send nothing
  bool skips = false;   // leave wrong lines out
  std::string rejects;  // where these go; empty: FILE.rejects
};
// 0: all is in (now or before), 1: failed.
int run_import(const ImportOptions& options, const Streams& streams);

struct ExportOptions {
  ConnectionOptions connection;
  std::string series;
  std::string output;  // empty: Streams::out
  PointsFormat format = PointsFormat::csv;
  std::optional<Bucket> from;  // neither: all there is
  std::optional<Bucket> to;
};
// 0: complete, 1: failed, or points are missing.
int run_export(const ExportOptions& options, const Streams& streams);

struct ReconcileOptions {
  ConnectionOptions connection;
  std::string file;
  std::string series;
  PointsOptions points;
  std::optional<Bucket> from;  // of the file's days, if not given
  std::optional<Bucket> to;
  bool listed_keys_only = false;
  bool report = false;
};
// 0: no drift, 1: drift, 2: cannot tell.
int run_reconcile(const ReconcileOptions& options, const Streams& streams);

// 0: the node is master, now or before; 1: failed.
int run_promote(const ConnectionOptions& options, const Streams& streams);
// 0: printed, 1: failed.
int run_replicas(const ConnectionOptions& options, const Streams& streams);

// 0: it answers, 1: it does not.
int run_ping(const ConnectionOptions& options, const Streams& streams);

struct CallOptions {
  ConnectionOptions connection;
  bool json = false;  // one line for each reply, on a terminal, too
};
// The request that the arguments of karma call spell: an object, or an op and NAME=VALUE.
Result<std::string> request_of(const std::vector<std::string>& words);
// Sends one request; or each line of `requests`, one after the other. 0: all succeeded, 1: not so.
int run_call(const CallOptions& options, const std::string& request, const Streams& streams);
int run_calls(const CallOptions& options, std::istream& requests, const Streams& streams);

struct SlowlogOptions {
  ConnectionOptions connection;
  int limit = 10;
  bool clear = false;
  bool json = false;
};
// 0: printed or cleared, 1: failed.
int run_slowlog(const SlowlogOptions& options, const Streams& streams);

// The oldest `limit` connections. 0: printed, 1: failed.
int run_clients(const ConnectionOptions& options, int limit, bool json, const Streams& streams);

// 0: printed, 1: failed.
int run_stats(const ConnectionOptions& options, bool json, const Streams& streams);

struct PlotOptions {
  ConnectionOptions connection;
  std::string series;
  std::vector<std::uint64_t> keys;  // none: the largest of the series
  int limit = 10;                   // of these
  BucketRange range;                // of days
  bool spark = false;
  bool json = false;
  Canvas canvas;
};
// 30d, of which `today` is the last one, or FROM..TO. Nothing if it is not so, or more days than a request may ask for.
std::optional<BucketRange> plot_range_of(std::string_view text, Bucket today);
// 0: drawn, 1: failed.
int run_plot(const PlotOptions& options, const Streams& streams);

struct ReportOptions {
  ConnectionOptions connection;
  std::string output;
  std::vector<std::string> series;  // none: those with the largest totals
  int limit = 10;                   // keys of each
  BucketRange range;                // of days
  int seconds = 5;                  // between two looks; 0: one look
};
// 0: written, 1: failed.
int run_report(const ReportOptions& options, const Streams& streams);

struct TopOptions {
  ConnectionOptions connection;
  int interval_seconds = 2;
  bool once = false;
  bool json = false;
  bool colour = false;
};
// Until it is ended from outside, or once. 0: ended, 1: failed.
int run_top(const TopOptions& options, const Streams& streams);

struct CliOptions {
  ConnectionOptions connection;
  std::string history;  // file; empty: none
  bool json = false;    // replies as they come, on a terminal, too
  Canvas canvas;
};
// A prompt if both ends are terminals, else a request a line. 0: ended; 1: a request failed, and it was no prompt.
int run_cli(const CliOptions& options, const Streams& streams);

struct BenchOptions {
  ConnectionOptions connection;
  std::string series = "karma-bench";
  std::string op;       // empty: all
  int connections = 0;  // both 0: several shapes
  int pipeline = 0;
  int keys = 10000;
  int seconds = 3;
  bool json = false;
};
// 0: measured and all totals are right, or interrupted; 1: it failed, requests were refused, or totals are wrong.
int run_bench(const BenchOptions& options, const Streams& streams);

}  // namespace karma::tools
