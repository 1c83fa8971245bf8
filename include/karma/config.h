// Every setting of a node. A setting has the name of its flag: --max-request-bytes is max_request_bytes.
// Defaults are those of Karma 1.0 where it had the setting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <karma/error.h>

namespace karma {

enum class Role { master, slave };
// What a write is answered that too few slaves have confirmed in time.
enum class OnAckTimeout { error, degrade };
// From this level on events are logged.
enum class LogLevel { debug, info, warn, error };
enum class LogFormat { json, text };

struct Config {
  std::optional<std::string> config;  // the settings file; whoever fills a Config has read it

  // network
  std::string bind = "0.0.0.0";
  int port = 8080;
  bool nodelay = true;
  int io_threads = 0;  // 0: one per core
  int spin_us = 50;    // how long a thread looks for more work before it sleeps; 0: not at all
  int http_port = 0;   // for what watches the node; 0: none
  std::string http_bind = "127.0.0.1";
  int max_connections = 10000;
  bool protected_mode = false;       // refuse to listen beyond loopback without a token
  int read_timeout = 5;              // seconds without a byte from the client; 0: never
  int write_timeout = 5;             // seconds without progress while a reply waits to be taken; 0: never
  int shutdown_timeout = 5;          // seconds for clients to be answered after SIGINT or SIGTERM
  int max_request_bytes = 4096;      // a line without its end
  int max_response_bytes = 1 << 20;  // a reply without its end; 0: no limit
  int client_memory_mib = 512;       // what clients can cause to be held, all together
  int query_timeout_ms = 1000;       // for tree.* reads; 0: none

  // who may do what
  Role role = Role::master;
  std::optional<std::string> auth_token;
  std::optional<std::string> auth_token_file;  // where it was read from, as the other two
  std::optional<std::string> read_auth_token;
  std::optional<std::string> read_auth_token_file;

  // data
  std::string directory = ".";
  bool restore = true;
  bool wal = true;
  bool wal_fsync = true;
  int wal_segment_bytes = 64 << 20;       // 0: never rotate
  int wal_preallocate_bytes = 256 << 10;  // zeros ahead of the active file's lines; 0: none
  std::int64_t wal_retention_bytes = -1;  // of the log, for slaves; -1: see the table of settings
  int wal_batch_size = 1024;              // entries per sync
  int wal_batch_wait_us = 0;
  int dump_retention_per_tree = 5;   // 0: keep all
  int snapshot_interval = 0;         // seconds between snapshots that nobody asks for; 0: none
  int snapshot_wal_bytes = 0;        // size of the log at which one is taken; 0: none
  std::vector<std::string> recover;  // damaged files the operator gives up, by name

  // idempotency and ingest
  int idempotency_max_records = 1000000;
  int idempotency_max_age_seconds = 604800;  // 0: no limit
  int ingest_max_streams = 1000;             // active at a time
  int ingest_max_staged_points = 50000000;   // of all active replace_series streams together
  int recovery_max_checkpoints = 1000;

  // replication
  std::optional<std::string> replication_source_host;
  int replication_source_port = 8080;
  std::optional<std::string> replication_token;
  std::optional<std::string> replication_token_file;
  std::vector<std::string> replication_peers;  // host:port of nodes that may have become master
  int replication_poll_interval_ms = 1000;
  int replication_batch_size = 1000;
  int replication_check_interval = 600;  // seconds; 0: never
  int ready_max_lag_ms = 10000;          // of a slave that is to count as ready
  bool replica_serve_stale = true;       // also what its master does not share any more
  int min_replicas_ack = 0;              // slaves that have to confirm a write before it is answered; 0: none
  int replicas_ack_timeout_ms = 1000;
  OnAckTimeout replicas_ack_on_timeout = OnAckTimeout::error;

  bool log = true;
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::json;
  std::optional<std::string> log_file;  // instead of stdout and stderr
  int slow_ms = 100;                    // requests that take this long are kept; 0: none
};

// What the command line asks for.
struct CommandLine {
  enum class Action { serve, print, check, repair, dump };
  Action action = Action::serve;
  Config config;         // of `serve`
  std::string argument;  // the directory of `check`, `repair` and `dump`; what is to be printed
};

// A flag wins over the environment, that over the settings file (--config), and that over the default; then validation.
// The message of an error is for stderr, without the leading "ERROR: ". `environment` looks a variable up: nullptr if
// it is not set.
Result<CommandLine> parse_command_line(int argc, const char* const* argv, const char* (*environment)(const char* name));

// What every flag is checked for after parsing; for programs that fill a Config themselves.
Status validate(const Config& config);

// The text of --help; `defaults` are shown as such (on the command line, what the environment says), tokens never.
std::string help_text(const Config& defaults = {});

}  // namespace karma
