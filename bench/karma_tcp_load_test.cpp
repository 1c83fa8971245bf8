// Load over TCP: how many operations a server takes, how long each takes, and what it costs the server. See
// bench/README.md.
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "load_beside.h"
#include "load_flags.h"
#include "load_redis.h"
#include "load_server.h"
#include "tools/load/clients.h"
#include "tools/load/report.h"
#include "tools/load/workload.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead = R"(Usage: karma_tcp_load_test [option...] [-- option of the server...]

Plays many clients from one thread and measures round trips.
)";
constexpr std::string_view kTail =
    R"(Redis keeps a hash of days and a total per key: an increment is HINCRBY and INCRBY and counts as one, a sum is GET or,
with a range, HMGET; a batch_add is as many pairs in one pipeline, a batch_sum MGET or as many HMGETs.
)";

struct Options {
  Address address;
  ServerOptions server;
  std::uint64_t server_pid = 0;
  int client_cpu = -1;
  std::string protocol = "karma";
  std::string token;
  WorkloadOptions workload;
  bool idempotency = false;
  bool row = false;
  std::uint64_t clients = 64;
  std::uint64_t pipeline = 1;
  std::uint64_t rate = 0;
  std::uint64_t writes_beside = 0;
  std::uint64_t seconds = 5;
  std::uint64_t requests = 0;
  bool fill = false;
  bool verify = false;
  bool json = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  WorkloadOptions& workload = options.workload;
  Flags flags("karma_tcp_load_test", kHead, kTail);
  std::uint64_t port = 8080;
  flags.text("host", "HOST", "the server", options.address.host);
  flags.number("port", "PORT", "its port", port, 1, 65535);
  flags.text(
      "spawn", "PATH",
      "start this server on a free port with a new, temporary data directory; the options after -- are passed on",
      options.server.path);
  flags.choice("protocol", "NAME", "karma, redis or echo: what the server speaks", options.protocol,
               {"karma", "redis", "echo"});
  flags.truth("wal", "the spawned server writes a log", options.server.wal);
  flags.truth("wal-fsync", "and syncs it before it answers", options.server.wal_fsync);
  flags.cpu("server-cpu", "N", "pin the spawned server to this core", options.server.cpu);
  flags.cpu("client-cpu", "N", "pin this program to this core", options.client_cpu);
  flags.text("token", "TOKEN", "sent with every request", options.token);
  flags.choice(
      "op", "NAME",
      "increment, sum, batch_add, batch_sum, mix: 50 % increments, 40 % sums, 5 % of each batch, or mostly_sums: "
      "20 % increments, 80 % sums",
      workload.op, kOps);
  flags.truth("idempotency", "give each increment an idempotency key of its own", options.idempotency);
  flags.number("clients", "N", "connections at a time", options.clients, 1, 10000);
  flags.number("pipeline", "N", "requests that a client has under way", options.pipeline, 1, 1 << 20);
  flags.number("keys", "N", "counters, chosen at random", workload.keys, 1, 1u << 31);
  flags.number("days", "N", "days that have data and that are written to", workload.days, 1, 3650);
  flags.number("batch", "N", "items or keys of a batch", workload.batch, 1, 10000);
  flags.number("range-days", "N", "days that a read sums; 0: the whole total", workload.range_days, 0, 366);
  flags.truth("row",
              "a batch_sum of --range-days asks for four ranges at once: a day, 7 days, those days and the whole total",
              options.row);
  flags.number("rate", "N", "send so many requests a second, if they are answered in time (as many as are answered)",
               options.rate, 1, 1u << 30);
  flags.number(
      "writes-beside", "N",
      "measure twice: idle, then while a second thread sends N increments a second over 4 connections of its own",
      options.writes_beside, 1, 1u << 30);
  flags.number("seconds", "N", "how long to measure", options.seconds, 1);
  flags.number("requests", "N", "measure so many requests instead", options.requests, 1);
  flags.truth("fill", "write every key and day once before (true for reads, else false)", options.fill);
  flags.truth("verify", "compare all totals with what was acknowledged, afterwards", options.verify);
  flags.number("server-pid", "PID", "whose CPU time to measure (that of --spawn)", options.server_pid, 1, 1u << 30);
  flags.number("seed", "N", "of the random choice", workload.seed, 0);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  options.server.more = flags.parse(argc, argv);
  options.address.port = static_cast<int>(port);
  options.server.dialect = dialect_of(options.protocol);
  if (!flags.given("fill")) options.fill = workload.reads();
  if (options.protocol == "echo") {
    if (options.verify) misuse("an echo server has no totals to verify");
    options.fill = false;
  }
  if (options.idempotency && (options.protocol != "karma" || workload.op != "increment"))
    misuse("--idempotency is for increments of Karma");
  if (options.row && (options.protocol != "karma" || workload.op != "batch_sum" || workload.range_days == 0))
    misuse("--row is for batch_sum of --range-days of Karma");
  if (options.writes_beside != 0 && options.idempotency) misuse("--writes-beside sends no idempotency keys");
  return options;
}

std::vector<std::uint64_t> read_totals(const Options& options, const Workload& workload) {
  Requests requests = workload.totals();
  std::vector<std::uint64_t> totals = send_all(options.address, options.server.dialect, requests);
  if (totals.size() != options.workload.keys) fail("the server answered for another number of keys");
  return totals;
}

// How many counters hold something else than before plus what was acknowledged.
std::size_t wrong_totals(const Options& options, const Workload& workload, std::vector<std::uint64_t> expected) {
  const std::vector<std::uint64_t> found = read_totals(options, workload);
  std::size_t wrong = 0;
  for (std::size_t key = 0; key < found.size(); ++key) wrong += found[key] != expected[key];
  return wrong;
}

struct Cost {
  double server = 0;  // CPU seconds
  double client = 0;
  double server_growth = 0;  // resident bytes
};

struct Beside {
  Measured idle;  // the same clients, without the writes
  Measured writes;
};

void report_beside(Report& report, const Measured& measured, const Beside& beside) {
  const auto us = [](const Measured& of, double share) { return static_cast<double>(of.round_trips.at(share)) / 1000; };
  report.number("idle_ops_per_second", "ops/s when idle",
                static_cast<double>(beside.idle.replies) / beside.idle.seconds);
  report.number("idle_p50_us", "round trip us when idle, p50", us(beside.idle, 0.5));
  report.number("idle_p99_us", "  p99", us(beside.idle, 0.99));
  report.number("p99_to_idle", "p99 as a multiple of idle", us(measured, 0.99) / us(beside.idle, 0.99));
  report.number("beside_per_second", "writes/s beside",
                static_cast<double>(beside.writes.replies) / beside.writes.seconds);
  report.number("beside_p99_us", "  round trip us, p99", us(beside.writes, 0.99));
}

void print(const Options& options, const Measured& measured, const std::optional<Beside>& beside, const Cost& cost,
           const std::string& verified) {
  const auto replies = static_cast<double>(measured.replies);
  Report report;
  report.text("protocol", "", options.protocol);
  report.text("op", "", options.workload.op);
  report.number("clients", "", static_cast<double>(options.clients));
  report.number("pipeline", "", static_cast<double>(options.pipeline));
  report.measured(measured, "round trip");
  if (beside) report_beside(report, measured, *beside);
  if (options.server_pid != 0) {
    report.number("server_cpu_us_per_op", "server CPU us an op", cost.server * 1e6 / replies);
    report.number("server_growth_bytes", "server's resident bytes grew by", cost.server_growth);
  }
  report.number("client_cpu_us_per_op", "client CPU us an op", cost.client * 1e6 / replies);
  report.text("verified", "totals", verified);
  if (options.json) {
    std::puts(report.json().dump().c_str());
  } else {
    std::printf("%s, %" PRIu64 " clients x %" PRIu64 " under way\n%s", options.workload.op.c_str(), options.clients,
                options.pipeline, report.lines().c_str());
  }
  if (measured.errors != 0)
    std::fprintf(stderr, "%s: first error: %s\n", program_invocation_short_name, measured.first_error.c_str());
}

Plan plan_of(const Options& options) {
  Plan plan;
  plan.rate = static_cast<double>(options.rate);
  plan.stamped = options.idempotency;
  if (options.requests != 0) {
    plan.count = options.requests;
  } else {
    plan.duration = std::chrono::seconds(options.seconds);
  }
  return plan;
}

Cost cost_until_now(const Options& options) {
  return {cpu_seconds(options.server_pid), cpu_seconds(static_cast<std::uint64_t>(::getpid())),
          static_cast<double>(resident_bytes(options.server_pid))};
}

Measured measure(const Options& options, Requests& requests, Requests& writes, std::optional<Beside>& beside,
                 Cost& cost) {
  Clients clients(options.address, options.server.dialect, options.clients, options.pipeline);
  std::optional<WriterBeside> writer;
  if (options.writes_beside != 0) {
    beside.emplace().idle = clients.run(requests, plan_of(options));
    writer.emplace(options.address, options.server.dialect, writes, static_cast<double>(options.writes_beside));
  }
  const Cost before = cost_until_now(options);
  Measured measured = clients.run(requests, plan_of(options));
  const Cost after = cost_until_now(options);
  cost = {after.server - before.server, after.client - before.client, after.server_growth - before.server_growth};
  if (writer) {
    beside->writes = writer->finish();
    for (const Measured* other : {&beside->idle, &beside->writes})
      if (other->errors != 0) fail("refused: " + other->first_error);
  }
  return measured;
}

int run(Options options) {
  std::optional<SpawnedServer> server;
  if (!options.server.path.empty()) {
    server.emplace(options.server);
    options.address = server->address();
    options.server_pid = server->pid();
  }
  pin_to(options.client_cpu);
  const Dialect dialect = options.server.dialect;
  const auto protocol = protocol_of(dialect, options.token, options.idempotency, options.row);
  Workload workload(options.workload, *protocol);
  Requests create = workload.create_series();
  send_all(options.address, dialect, create);
  if (options.fill) {
    Requests fill = workload.fill();
    send_all(options.address, dialect, fill);
  }
  std::vector<std::uint64_t> before;
  if (options.verify) before = read_totals(options, workload);

  Requests requests = workload.requests();
  Requests writes;
  if (options.writes_beside != 0) writes = workload.increments();
  std::optional<Beside> beside;
  Cost cost;
  const Measured measured = measure(options, requests, writes, beside, cost);
  std::size_t wrong = 0;
  std::string verified;
  if (options.verify) {
    requests.add_acknowledged(before);
    writes.add_acknowledged(before);
    wrong = wrong_totals(options, workload, std::move(before));
    verified =
        wrong == 0 ? "exact" : std::to_string(wrong) + " of " + std::to_string(options.workload.keys) + " are wrong";
  }
  print(options, measured, beside, cost, verified);
  return measured.errors == 0 && wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program(
      [&] { return karma::tools::load::run(karma::tools::load::parse_options(argc, argv)); });
}
