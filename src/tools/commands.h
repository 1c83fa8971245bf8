// karma import, export, reconcile, promote and replicas: what each does once its options are known. Each returns the
// exit code.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include <karma/types.h>

#include "protocol/client.h"
#include "tools/points_text.h"

namespace karma::tools {

using protocol::Endpoint;

// Where the sub-commands talk to.
struct Streams {
  std::ostream& out;  // results
  std::ostream& err;  // progress, notices, errors
  bool terminal;      // err is one
};

struct ConnectionOptions {
  Endpoint endpoint;
  int retry_seconds = 60;
};

struct ImportOptions {
  ConnectionOptions connection;
  std::string file;
  std::string series;  // empty: each line names its own
  std::string mode = "add";
  std::optional<PointsFormat> format;
  std::string stream_id;  // empty: from the file's content
  int chunk_items = 10000;
  int max_request_bytes = 4096;
  bool abort = false;
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
  std::optional<PointsFormat> format;
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

}  // namespace karma::tools
