// The options of karma ping, call, stats, slowlog, clients, promote and replicas, and their --help.
#include <iostream>

#include "tools/invocation.h"

namespace karma::tools {
namespace {

constexpr int kPingSeconds = 5;
constexpr int kMostSlowRequests = 128;
constexpr int kDefaultClients = 100;
constexpr int kMostClients = 1000;

constexpr std::string_view kPingHead = R"(Usage: karma ping [options]

Asks a running server whether it answers, and says what answered and how long it took. A server that answers is well
enough to go on, also if its health is degraded; what is wrong with it is printed.

)";
constexpr std::string_view kPingTail = R"(
Examples
  karma ping --host=10.0.0.5 --token-file=/etc/karma/read-token
  HEALTHCHECK CMD ["karma", "ping", "--timeout=2"]

Exit codes   0  it answers     1  it does not     2  wrong usage
)";

constexpr std::string_view kCallHead = R"(Usage: karma call OP [NAME=VALUE]... [options]
       karma call '{"op":"OP",...}' [options]
       karma call - [options]              requests from standard input, one a line

Sends a request to a running server and prints the reply: indented on a terminal, else on one line as it came. "v" and
the token are added where they are missing. A VALUE that is no JSON is taken for a text: series=links key=7 but
series='"2026"'. A request is sent once, whatever happens to the connection.

)";
constexpr std::string_view kCallTail = R"(
Examples
  karma call counter.increment series=links key=7
  karma call counter.sum series=links key=7 range='{"from":20260501,"to":20260531}'
  karma call '{"op":"counter.batch_sum","series":"links","keys":[7,8,9]}' --token-file=/etc/karma/token
  printf '{"op":"system.%s"}\n' ping health | karma call - | jq .response

Exit codes   0  success     1  an error was answered, or nothing     2  wrong usage
)";

constexpr std::string_view kStatsHead = R"(Usage: karma stats [options]

Prints what a running server tells of itself: its health, and all statistics, by topic, under the names that
docs/operations.md explains.

)";
constexpr std::string_view kStatsTail = R"(
Examples
  karma stats --host=10.0.0.5 --token-file=/etc/karma/read-token
  karma stats --json | jq .stats.wal_bytes

Exit codes   0  printed     1  failed     2  wrong usage
)";

constexpr std::string_view kSlowlogHead = R"(Usage: karma slowlog [options]

Prints the requests of a running server that took longer than its --slow-ms, the latest first, and where the time went:
waiting for a worker (queued), being executed, waiting for the log and the slaves (log). The server keeps 128 of them.

)";
constexpr std::string_view kSlowlogTail = R"(
Examples
  karma slowlog --limit=128 --token-file=/etc/karma/read-token
  karma slowlog --json | jq '.entries[] | select(.op == "tree.top")'
  karma slowlog --clear              takes the write token

Exit codes   0  printed or cleared     1  failed     2  wrong usage
)";

constexpr std::string_view kClientsHead = R"(Usage: karma clients [options]

Lists the connections of a running server, the oldest first: how long they are there and have sent nothing, their latest
op, the bytes of their requests and of the replies, and how many requests wait for an answer. This command is one.

)";
constexpr std::string_view kClientsTail = R"(
Examples
  karma clients --token-file=/etc/karma/read-token
  karma clients --json --limit=1000 | jq '.clients[] | select(.pending > 0)'

Exit codes   0  listed     1  failed     2  wrong usage
)";

constexpr std::string_view kReplicasHead = R"(Usage: karma replicas [options]

Lists the slaves that follow a running node: up to which LSN each has the log, and has it on its disk, how many entries
that is behind, when it asked last, and whether its entries are of this node's history. Slaves of Karma 1.0 do not say
who they are, and are not in the list.

)";
constexpr std::string_view kReplicasTail = R"(
Exit codes   0  listed     1  failed     2  wrong usage
)";

constexpr std::string_view kPromoteHead = R"(Usage: karma promote [options]

Makes a running slave the master: it follows its old master no more and takes writes. Make sure first that the old one
is dead or stopped, and that no other slave has more (replayed_lsn in replication.status). See
docs/replication-operations-runbook.md.

)";
constexpr std::string_view kPromoteTail = R"(
Exit codes   0  it is master, now or before     1  failed     2  wrong usage
)";

}  // namespace

int promote_command(Invocation& invocation, const Streams& streams) {
  ConnectionOptions target;
  Options options("karma promote", kPromoteHead, kPromoteTail);
  Connection connection(options, target);
  if (std::optional<int> code =
          invocation.parse_alone(options, connection, "karma promote takes options only: --host, --port"))
    return *code;
  return run_promote(target, streams);
}

int replicas_command(Invocation& invocation, const Streams& streams) {
  ConnectionOptions target;
  target.retry_seconds = 0;
  Options options("karma replicas", kReplicasHead, kReplicasTail);
  Connection connection(options, target);
  if (std::optional<int> code = invocation.parse_alone(options, connection, "karma replicas takes options only"))
    return *code;
  return run_replicas(target, streams);
}

int ping_command(Invocation& invocation, const Streams& streams) {
  ConnectionOptions target;
  target.retry_seconds = 0;
  target.endpoint.timeout_seconds = kPingSeconds;
  Options options("karma ping", kPingHead, kPingTail);
  Connection connection(options, target);
  if (std::optional<int> code =
          invocation.parse_alone(options, connection, "karma ping takes options only: --host, --port"))
    return *code;
  return run_ping(target, streams);
}

int call_command(Invocation& invocation, const Streams& streams) {
  CallOptions target;
  target.connection.retry_seconds = 0;
  Options options("karma call", kCallHead, kCallTail);
  options.truth("json", "one line for each reply, on a terminal, too", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse(options, connection)) return *code;
  const std::vector<std::string>& words = invocation.positionals;
  if (words.empty()) return invocation.misused("karma call takes a request: karma call OP [NAME=VALUE]...");
  if (words.front() == "-") {
    if (words.size() > 1) return invocation.misused("karma call - takes its requests from standard input only");
    return run_calls(target, std::cin, streams);
  }
  const Result<std::string> request = request_of(words);
  if (!request) return invocation.misused(request.error());
  return run_call(target, *request, streams);
}

int clients_command(Invocation& invocation, const Streams& streams) {
  ConnectionOptions target;
  target.retry_seconds = 0;
  int limit = kDefaultClients;
  bool json = false;
  Options options("karma clients", kClientsHead, kClientsTail);
  options.number("limit", "N", "so many of them", limit, 1, kMostClients);
  options.truth("json", "the answer of the server", json);
  Connection connection(options, target);
  if (std::optional<int> code = invocation.parse_alone(options, connection, "karma clients takes options only"))
    return *code;
  return run_clients(target, limit, json, streams);
}

int slowlog_command(Invocation& invocation, const Streams& streams) {
  SlowlogOptions target;
  target.connection.retry_seconds = 0;
  Options options("karma slowlog", kSlowlogHead, kSlowlogTail);
  options.number("limit", "N", "so many of them", target.limit, 1, kMostSlowRequests);
  options.truth("clear", "forget them instead", target.clear);
  options.truth("json", "the answer of the server", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code = invocation.parse_alone(options, connection, "karma slowlog takes options only"))
    return *code;
  return run_slowlog(target, streams);
}

int stats_command(Invocation& invocation, const Streams& streams) {
  ConnectionOptions target;
  target.retry_seconds = 0;
  bool json = false;
  Options options("karma stats", kStatsHead, kStatsTail);
  options.truth("json", R"(the answers of the server, as {"health":...,"stats":...})", json);
  Connection connection(options, target);
  if (std::optional<int> code = invocation.parse_alone(options, connection, "karma stats takes options only"))
    return *code;
  return run_stats(target, json, streams);
}

}  // namespace karma::tools
