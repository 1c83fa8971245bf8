#include "core/settings.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <type_traits>

#include "core/address.h"
#include "core/text.h"

namespace karma {
namespace {

using Group = SettingGroup;

constexpr int kNoLimit = INT_MAX;

constexpr Setting kSettings[] = {
    Setting{Group::file, kConfigFlag, "KARMA_CONFIG", &Config::config, "FILE",
            "Read settings from this file, in TOML: a line NAME = VALUE for each, named like its flag."},
    Setting{Group::network, "bind", "KARMA_HOST", &Config::bind, "HOST",
            "Address or host name to listen on; :: is every IPv4 and IPv6 address."}
        .short_form('b'),
    Setting{Group::network, "port", "KARMA_PORT", &Config::port, "PORT", "TCP port to listen on."}
        .short_form('p')
        .at_least(1)
        .at_most(65535),
    Setting{Group::data, "directory", "KARMA_DUMP_DIR", &Config::directory, "DIR",
            "Where the log and the snapshots live. Created if missing; one process at a time."}
        .short_form('d'),
    Setting{Group::replication, "role", "KARMA_ROLE", &Config::role, "ROLE",
            "master takes writes; slave refuses them."},
    Setting{Group::data, "restore", "KARMA_RESTORE", &Config::restore, "BOOL",
            "Load snapshots and log at start. Without it the node starts empty, keeps what is there and takes no "
            "snapshots."}
        .short_form('r'),
    Setting{
        Group::data, "recover", "KARMA_RECOVER", &Config::recover, "FILE",
        "Give up what is damaged in this file of the data directory, or the entries that it shows to be missing, and "
        "start without them. The file must exist. Repeatable; separated by commas in the environment."},
    Setting{Group::network, "nodelay", "KARMA_TCP_NODELAY", &Config::nodelay, "BOOL",
            "Send replies at once instead of gathering small packets (TCP_NODELAY)."}
        .short_form('n'),
    Setting{Group::network, "io-threads", "KARMA_IO_THREADS", &Config::io_threads, "N",
            "Threads that serve connections; 0: one per core the process may use."}
        .at_least(0)
        .at_most(128),
    Setting{
        Group::network, "spin-us", "KARMA_SPIN_MICROSECONDS", &Config::spin_us, "MICROSECONDS",
        "How long a thread looks for more work before it sleeps, while work has been coming that fast and there are "
        "cores for it; 0: never."}
        .at_least(0)
        .at_most(1000),
    Setting{
        Group::network, "http-port", "KARMA_HTTP_PORT", &Config::http_port, "PORT",
        "TCP port for load balancers and whoever else watches the node, over HTTP. It asks for no token and gives no "
        "data away; 0: none."}
        .at_least(0)
        .at_most(65535),
    Setting{Group::network, "http-bind", "KARMA_HTTP_BIND", &Config::http_bind, "HOST",
            "Address or host name that this port listens on."},
    Setting{Group::network, "ready-max-lag-ms", "KARMA_READY_MAX_LAG_MS", &Config::ready_max_lag_ms, "MILLISECONDS",
            "A slave that is further behind its master, or does not know how far, is not ready over HTTP."}
        .at_least(0),
    Setting{Group::limits, "max-connections", "KARMA_MAX_CONNECTIONS", &Config::max_connections, "N",
            "Clients at a time; one more gets an error and is closed."}
        .at_least(1),
    Setting{
        Group::limits, "client-memory-mib", "KARMA_CLIENT_MEMORY_MIB", &Config::client_memory_mib, "MIB",
        "What clients may cause to be held, all together: requests under way (an eighth), bytes received or not yet "
        "taken (an eighth), staged points (the rest). Beyond it connections are paused and staging is refused."}
        .at_least(1),
    Setting{Group::access, "protected-mode", "KARMA_PROTECTED_MODE", &Config::protected_mode, "BOOL",
            "Refuse to start when the address is reachable from other machines and no token is set."},
    Setting{Group::data, "wal", "KARMA_WAL", &Config::wal, "BOOL",
            "Keep a write-ahead log. Without it a crash loses everything since the last snapshot."}
        .short_form('w'),
    Setting{Group::data, "wal-fsync", "KARMA_WAL_FSYNC", &Config::wal_fsync, "BOOL",
            "Acknowledge a write only when it is on disk. Without it a power failure may lose acknowledged writes."},
    Setting{Group::data, "wal-segment-bytes", "KARMA_WAL_SEGMENT_BYTES", &Config::wal_segment_bytes, "BYTES",
            "Begin a new log file when the current one is this large; 0: never."}
        .at_least(0),
    Setting{Group::data, "wal-preallocate-bytes", "KARMA_WAL_PREALLOCATE_BYTES", &Config::wal_preallocate_bytes,
            "BYTES",
            "Write zeros so far ahead in a log file that is written to in small batches, so that their syncs take less "
            "time; 0: no zeros."}
        .at_least(0)
        .at_most(16 << 20),
    Setting{Group::data, "wal-retention-bytes", "KARMA_WAL_RETENTION_BYTES", &Config::wal_retention_bytes, "BYTES",
            "Keep so much of the log that is in snapshots already for slaves that have not got it yet; -1: the smaller "
            "of 4 GiB and a tenth of the disk."}
        .at_least(-1),
    Setting{Group::data, "wal-batch-size", "KARMA_WAL_BATCH_SIZE", &Config::wal_batch_size, "ENTRIES",
            "Writes that may share one sync."}
        .at_least(1),
    Setting{Group::data, "wal-batch-wait-us", "KARMA_WAL_BATCH_WAIT_MICROSECONDS", &Config::wal_batch_wait_us,
            "MICROSECONDS", "How long a sync waits for more writes to share it."}
        .at_least(0),
    Setting{Group::limits, "max-request-bytes", "KARMA_MAX_REQUEST_BYTES", &Config::max_request_bytes, "BYTES",
            "Longest request, without its line end. A batch of 10000 items needs about 300000."}
        .at_least(1),
    Setting{Group::limits, "max-response-bytes", "KARMA_MAX_RESPONSE_BYTES", &Config::max_response_bytes, "BYTES",
            "Longest reply; 0: no limit."}
        .at_least(0),
    Setting{
        Group::limits, "read-timeout", "KARMA_READ_TIMEOUT_SECONDS", &Config::read_timeout, "SECONDS",
        "Close a connection that sends nothing for so long, or takes twelve times as long for one request; 0: never."}
        .at_least(0),
    Setting{Group::limits, "write-timeout", "KARMA_WRITE_TIMEOUT_SECONDS", &Config::write_timeout, "SECONDS",
            "Close a connection that takes nothing of a waiting reply for so long; 0: never."}
        .at_least(0),
    Setting{Group::limits, "query-timeout-ms", "KARMA_QUERY_TIMEOUT_MS", &Config::query_timeout_ms, "MILLISECONDS",
            "Longest time for a tree.* read; 0: no limit."}
        .at_least(0),
    Setting{Group::limits, "shutdown-timeout", "KARMA_SHUTDOWN_TIMEOUT_SECONDS", &Config::shutdown_timeout, "SECONDS",
            "How long clients may take to receive their replies after SIGINT or SIGTERM."}
        .at_least(0),
    Setting{Group::data, "dump-retention-per-tree", "KARMA_DUMP_RETENTION_PER_TREE", &Config::dump_retention_per_tree,
            "N", "Snapshots kept of each series; 0: all."}
        .at_least(0),
    Setting{Group::data, "snapshot-interval", "KARMA_SNAPSHOT_INTERVAL_SECONDS", &Config::snapshot_interval, "SECONDS",
            "Take a snapshot of everything when the last one is this old; 0: only when asked."}
        .at_least(0),
    Setting{Group::data, "snapshot-wal-bytes", "KARMA_SNAPSHOT_WAL_BYTES", &Config::snapshot_wal_bytes, "BYTES",
            "Take a snapshot of everything when the log is this large; 0: only when asked."}
        .at_least(0),
    Setting{Group::idempotency, "idempotency-max-records", "KARMA_IDEMPOTENCY_MAX_RECORDS",
            &Config::idempotency_max_records, "N",
            "Idempotency keys remembered, in 8 GiB at most; the oldest go first."}
        .at_least(1),
    Setting{Group::idempotency, "idempotency-max-age-seconds", "KARMA_IDEMPOTENCY_MAX_AGE_SECONDS",
            &Config::idempotency_max_age_seconds, "SECONDS", "How long an idempotency key is remembered; 0: no limit."}
        .at_least(0),
    Setting{Group::idempotency, "ingest-max-streams", "KARMA_INGEST_MAX_STREAMS", &Config::ingest_max_streams, "N",
            "Ingest streams open at a time."}
        .at_least(1),
    Setting{Group::idempotency, "ingest-max-staged-points", "KARMA_INGEST_MAX_STAGED_POINTS",
            &Config::ingest_max_staged_points, "N", "Points that all open replace_series streams may hold together."}
        .at_least(1),
    Setting{Group::limits, "recovery-max-checkpoints", "KARMA_RECOVERY_MAX_CHECKPOINTS",
            &Config::recovery_max_checkpoints, "N", "Sources that recovery.checkpoint remembers."}
        .at_least(1),
    Setting{Group::replication, "replication-source-host", "KARMA_REPLICATION_SOURCE_HOST",
            &Config::replication_source_host, "HOST", "The node that a slave follows."},
    Setting{Group::replication, "replication-source-port", "KARMA_REPLICATION_SOURCE_PORT",
            &Config::replication_source_port, "PORT", "Its port."}
        .at_least(1)
        .at_most(65535)
        .of_source(),
    Setting{
        Group::replication, "replication-poll-interval-ms", "KARMA_REPLICATION_POLL_INTERVAL_MS",
        &Config::replication_poll_interval_ms, "MILLISECONDS",
        "Pause between two questions to a source of Karma 1.0 when there is nothing new; others answer when there is."}
        .at_least(1)
        .of_source(),
    Setting{Group::replication, "replication-batch-size", "KARMA_REPLICATION_BATCH_SIZE",
            &Config::replication_batch_size, "ENTRIES",
            "Log entries asked for at a time; below 100 with a pause after each page, full or not."}
        .at_least(1)
        .at_most(10000)
        .of_source(),
    Setting{Group::replication, "replication-check-interval", "KARMA_REPLICATION_CHECK_INTERVAL_SECONDS",
            &Config::replication_check_interval, "SECONDS",
            "How often a slave compares a digest of all counters with its master's; 0: never."}
        .at_least(0)
        .of_source(),
    Setting{Group::replication, "replication-token", "KARMA_REPLICATION_TOKEN", &Config::replication_token, "TOKEN",
            "Token for the source; its read token suffices. Visible in the process list: prefer the file."}
        .kept_secret()
        .read_again(),
    Setting{Group::replication, "replication-token-file", "KARMA_REPLICATION_TOKEN_FILE",
            TokenFile{&Config::replication_token, &Config::replication_token_file}, "FILE",
            "Read that token from the first line of a file, without blanks around it."}
        .read_again(),
    Setting{Group::access, "auth-token", "KARMA_AUTH_TOKEN", &Config::auth_token, "TOKEN",
            "Token that every request must carry. Visible in the process list: prefer the file."}
        .kept_secret()
        .read_again(),
    Setting{Group::access, "auth-token-file", "KARMA_AUTH_TOKEN_FILE",
            TokenFile{&Config::auth_token, &Config::auth_token_file}, "FILE",
            "Read that token from the first line of a file, without blanks around it."}
        .read_again(),
    Setting{Group::access, "read-auth-token", "KARMA_READ_AUTH_TOKEN", &Config::read_auth_token, "TOKEN",
            "A second token that can read and changes nothing."}
        .kept_secret()
        .read_again(),
    Setting{Group::access, "read-auth-token-file", "KARMA_READ_AUTH_TOKEN_FILE",
            TokenFile{&Config::read_auth_token, &Config::read_auth_token_file}, "FILE",
            "Read that token from the first line of a file, without blanks around it."}
        .read_again(),
    Setting{Group::replication, "replication-peers", "KARMA_REPLICATION_PEERS", &Config::replication_peers, "HOST:PORT",
            "The other nodes, of which one may have become master: asked at the start and every second, with the token "
            "for the source. A master takes no writes once one of them knows of a later master. Repeatable; separated "
            "by commas."},
    Setting{Group::replication, "replica-serve-stale", "KARMA_REPLICA_SERVE_STALE", &Config::replica_serve_stale,
            "BOOL",
            "A slave whose data is no beginning of its master's any more goes on answering from it until it has a new "
            "copy. Without it reads get stale_replica meanwhile."},
    Setting{
        Group::replication, "min-replicas-ack", "KARMA_MIN_REPLICAS_ACK", &Config::min_replicas_ack, "N",
        "Answer a write only when so many slaves have it on their disks; 0: when this node has. Slaves of Karma 1.0 "
        "do not count."}
        .at_least(0)
        .at_most(64),
    Setting{Group::replication, "replicas-ack-timeout-ms", "KARMA_REPLICAS_ACK_TIMEOUT_MS",
            &Config::replicas_ack_timeout_ms, "MILLISECONDS", "How long a write waits for them."}
        .at_least(1)
        .at_most(600000),
    Setting{Group::replication, "replicas-ack-on-timeout", "KARMA_REPLICAS_ACK_ON_TIMEOUT",
            &Config::replicas_ack_on_timeout, "ACTION",
            "error: answer not_confirmed. degrade: answer success, and wait no more until the slaves have caught up."},
    Setting{Group::logging, "log", "KARMA_LOG", &Config::log, "BOOL",
            "Log what happens, one JSON object a line: info to stdout, warn and error to stderr."},
    Setting{Group::logging, "log-level", "KARMA_LOG_LEVEL", &Config::log_level, "LEVEL",
            "The least that is logged: debug, info, warn or error. Read again at SIGHUP."}
        .read_again(),
    Setting{Group::logging, "log-format", "KARMA_LOG_FORMAT", &Config::log_format, "FORMAT",
            "json: an object a line. text: time, level, event and message, for people."},
    Setting{Group::logging, "log-file", "KARMA_LOG_FILE", &Config::log_file, "FILE",
            "Append the log to this file instead of stdout and stderr. Opened anew at SIGHUP."},
    Setting{Group::logging, "slow-ms", "KARMA_SLOW_MS", &Config::slow_ms, "MILLISECONDS",
            "Requests that take this long are kept for system.slowlog, the last 128 of them; 0: none."}
        .at_least(0),
};

constexpr std::array kGroups = {Group::file, Group::network,     Group::access,      Group::limits,
                                Group::data, Group::idempotency, Group::replication, Group::logging};

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

// The words for the values of an enumeration, in their order.
template <class Enum>
constexpr std::string_view kWords[] = {};
template <>
constexpr std::string_view kWords<Role>[] = {"master", "slave"};
template <>
constexpr std::string_view kWords<OnAckTimeout>[] = {"error", "degrade"};
template <>
constexpr std::string_view kWords<LogLevel>[] = {"debug", "info", "warn", "error"};
template <>
constexpr std::string_view kWords<LogFormat>[] = {"json", "text"};

template <class Enum>
Status assign_word(std::string_view text, Enum& value) {
  const auto& words = kWords<Enum>;
  const auto found = std::ranges::find(words, text);
  if (found != std::end(words)) {
    value = static_cast<Enum>(found - std::begin(words));
    return {};
  }
  std::string message = "must be ";
  for (std::size_t i = 0; i < std::size(words); ++i)
    message += (i == 0 ? "" : i + 1 == std::size(words) ? " or " : ", ") + std::string(words[i]);
  return validation_error(std::move(message));
}

// Decimal, optional sign, blanks around it: what Karma 1.0 accepted.
template <class Number>
std::optional<Number> parse_signed(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return parse_number<Number>(text);
}

// What numbers it takes.
std::string range_text(const Setting& setting) {
  if (setting.max != kNoLimit) return "between " + std::to_string(setting.min) + " and " + std::to_string(setting.max);
  return setting.min == 1 ? "greater than 0" : "greater than or equal to " + std::to_string(setting.min);
}

template <class Number>
Status assign_number(const Setting& setting, std::string_view text, Number& number) {
  const std::optional<Number> value = parse_signed<Number>(text);
  if (!value) return validation_error("must be an integer " + range_text(setting));
  number = *value;
  return {};
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

std::string range_fault(const Setting& setting) { return "must be " + range_text(setting); }

// What is wrong with the value, or an empty text.
std::string fault_of(const Setting& setting, const Config& config) {
  return std::visit(
      Overloaded{
          [&](int Config::*member) {
            int value = config.*member;
            return value < setting.min || value > setting.max ? range_fault(setting) : std::string();
          },
          [&](std::int64_t Config::*member) {
            return config.*member < setting.min ? range_fault(setting) : std::string();
          },
          [&](std::string Config::*member) { return std::string((config.*member).empty() ? "must not be empty" : ""); },
          [&](std::optional<std::string> Config::*member) {
            // An empty token would let in everybody who sends "token":"".
            bool empty = config.*member && (config.*member)->empty();
            return std::string(empty ? "must not be empty" : "");
          },
          [](auto&&) { return std::string(); },
      },
      setting.target);
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }
std::span<const SettingGroup> setting_groups() { return kGroups; }

std::string_view title(SettingGroup group) {
  switch (group) {
    case Group::file:
      return "Settings file";
    case Group::network:
      return "Network";
    case Group::access:
      return "Access";
    case Group::limits:
      return "Limits";
    case Group::data:
      return "Data";
    case Group::idempotency:
      return "Idempotency and ingest";
    case Group::replication:
      return "Replication";
    case Group::logging:
      return "Logging";
  }
  return "";
}

std::string value_text(const Setting& setting, const Config& config) {
  return std::visit(
      Overloaded{
          [&](int Config::*member) {
    return std::to_string(config.*member); },
          [&](std::int64_t Config::*member) {
    return std::to_string(config.*member); },
          [&](bool Config::*member) {
    return std::string(config.*member ? "true" : "false"); },
          [&](std::string Config::*member) {
    return config.*member; },
          [&]<class Enum>(Enum Config::*member) requires std::is_enum_v<Enum> {
            return std::string(kWords<Enum>[static_cast<std::size_t>(config.*member)]);
}
,
    [&](std::optional<std::string> Config::*member) {
      if (!(config.*member)) return std::string(kNoValue);
      return setting.secret ? std::string("(set)") : *(config.*member);
    },
    [&](std::vector<std::string> Config::*member) {
      std::string text;
      for (const std::string& part : config.*member) text += (text.empty() ? "" : ",") + part;
      return text.empty() ? std::string(kNoValue) : text;
    },
    [&](TokenFile file) { return (config.*file.path).value_or(std::string(kNoValue)); },
}  // namespace karma
,
      setting.target);
}

std::string changed_settings(const Config& config) {
  std::string text;
  for (const Setting& setting : settings()) {
    const std::string value = value_text(setting, config);
    if (value == value_text(setting, Config())) continue;
    text += (text.empty() ? "" : " ") + std::string(setting.flag) + "=" + value;
  }
  return text;
}

Differences differences(const Config& one, const Config& other) {
  Differences found;
  for (const Setting& setting : settings()) {
    const bool same = std::visit(Overloaded{
                                     [&](TokenFile file) { return one.*file.path == other.*file.path; },
                                     [&](auto member) { return one.*member == other.*member; },
                                 },
                                 setting.target);
    if (same) continue;
    std::string& list = setting.reloaded ? found.reloaded : found.others;
    list += (list.empty() ? "" : ",") + std::string(setting.flag);
  }
  return found;
}

Status assign(const Setting& setting, std::string_view text, Config& config) {
  return std::visit(Overloaded{
                        [&](int Config::*member) {
    return assign_number(setting, text, config.*member); },
                        [&](std::int64_t Config::*member) {
    return assign_number(setting, text, config.*member); },
                        [&](bool Config::*member) -> Status {
    if (text != "true" && text != "false") return validation_error("must be true or false");
    config.*member = text == "true";
    return {};
                        },
                        [&]<class Enum>(Enum Config::*member) -> Status requires std::is_enum_v<Enum> {
                          return assign_word(text, config.*member);
}
,
    [&](std::vector<std::string> Config::*member) -> Status {
      for (std::string& part : split_at_commas(text)) (config.*member).push_back(std::move(part));
      return {};
    },
    [&](TokenFile file) -> Status {
      config.*file.path = std::string(text);
      return {};
    },
    [&](auto member) -> Status {
      config.*member = std::string(text);
      return {};
    },
},
                    setting.target);
}

std::optional<SettingFault> find_fault(const Config& config) {
  const auto refuse = [](const Setting* setting, std::string message) {
    return SettingFault{setting, std::move(message)};
  };
  const auto called = [](std::string_view flag) { return std::ranges::find(kSettings, flag, &Setting::flag); };
  for (const Setting& setting : settings()) {
    if (setting.only_with_source && !config.replication_source_host) continue;
    if (std::string fault = fault_of(setting, config); !fault.empty()) return refuse(&setting, std::move(fault));
  }
  if (config.replication_source_host && config.role != Role::slave)
    return refuse(called("replication-source-host"), "requires --role=slave");
  for (const std::string& peer : config.replication_peers)
    if (!parse_address(peer))
      return refuse(called("replication-peers"), "must be HOST:PORT, as 10.0.0.5:8080, not \"" + peer + "\"");
  if (config.min_replicas_ack > 0 && !config.wal)
    return refuse(called("min-replicas-ack"), "requires the log: --wal=true");
  return std::nullopt;
}

Status validate(const Config& config) {
  const std::optional<SettingFault> fault = find_fault(config);
  if (!fault) return {};
  const std::string subject =
      fault->setting == nullptr ? std::string() : "--" + std::string(fault->setting->flag) + " ";
  return validation_error("Invalid configuration: " + subject + fault->message);
}

}  // namespace karma
