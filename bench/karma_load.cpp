// Load over TCP: how many operations a node takes, how long each takes, and what it costs the node. See
// bench/README.md.
#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "load_clients.h"
#include "load_options.h"
#include "load_server.h"
#include "load_workload.h"

namespace karma::load {
namespace {

// Sends each request once, from one connection.
void send_all(const Options& options, std::vector<Request>& requests,
              std::function<void(const Request&, std::string_view)> on_reply = {}) {
  Clients client(options, 1, 16);
  std::size_t next = 0;
  const Script script{[&] { return next < requests.size() ? &requests[next++] : nullptr; }, std::move(on_reply)};
  const Measured measured = client.run(script);
  if (measured.errors != 0) fail("refused: " + measured.first_error);
}

// The "value" of each element of a counter.batch_sum reply.
void append_values(std::string_view reply, std::vector<std::uint64_t>& values) {
  constexpr std::string_view kValue = R"("value":)";
  for (std::size_t at = reply.find(kValue); at != std::string_view::npos; at = reply.find(kValue, at)) {
    at += kValue.size();
    std::uint64_t value = 0;
    while (at < reply.size() && reply[at] >= '0' && reply[at] <= '9')
      value = value * 10 + static_cast<std::uint64_t>(reply[at++] - '0');
    values.push_back(value);
  }
}

std::vector<std::uint64_t> read_totals(const Options& options, const Workload& workload) {
  std::vector<Request> requests = workload.totals();
  std::vector<std::uint64_t> totals;
  send_all(options, requests, [&](const Request&, std::string_view reply) { append_values(reply, totals); });
  if (totals.size() != options.keys) fail("the node answered for another number of keys");
  return totals;
}

Measured measure(const Options& options, Workload& workload, double& server_cpu) {
  Clients clients(options, options.connections, options.pipeline);
  std::vector<Request>& requests = workload.requests();
  std::size_t at = 0;
  std::uint64_t sent = 0;
  const Time end = now() + std::chrono::seconds(options.seconds);
  bool over = false;
  const auto next = [&]() -> Request* {
    if (options.requests != 0) {
      over = sent == options.requests;
    } else if (sent % 16 == 0 && !over) {
      over = now() >= end;
    }
    if (over) return nullptr;
    ++sent;
    Request* request = &requests[at];
    at = at + 1 == requests.size() ? 0 : at + 1;
    return request;
  };
  const double cpu_before = cpu_seconds(options.server_pid);
  Measured measured = clients.run({next});
  server_cpu = cpu_seconds(options.server_pid) - cpu_before;
  return measured;
}

// How many counters hold something else than before plus what was acknowledged.
std::size_t wrong_totals(const Options& options, Workload& workload, std::vector<std::uint64_t> expected) {
  for (const Request& request : workload.requests())
    for (const std::uint32_t key : request.added) expected[key] += request.acknowledged;
  const std::vector<std::uint64_t> found = read_totals(options, workload);
  std::size_t wrong = 0;
  for (std::size_t key = 0; key < found.size(); ++key) wrong += found[key] != expected[key];
  return wrong;
}

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

void report(const Options& options, const Measured& measured, double server_cpu, const std::string& verified) {
  const double rate = static_cast<double>(measured.replies) / measured.seconds;
  const double item_rate = static_cast<double>(measured.items) / measured.seconds;
  const double cpu_per_op = server_cpu * 1e6 / static_cast<double>(measured.replies);
  const Histogram& trips = measured.round_trips;
  const double p50 = microseconds(trips.at(0.5));
  const double p90 = microseconds(trips.at(0.9));
  const double p99 = microseconds(trips.at(0.99));
  const double p999 = microseconds(trips.at(0.999));
  const double largest = microseconds(trips.largest());
  if (options.json) {
    std::printf(R"({"op":"%s","connections":%)" PRIu64 R"(,"pipeline":%)" PRIu64 R"(,"seconds":%.3f,"replies":%)" PRIu64
                R"(,"errors":%)" PRIu64 R"(,"ops_per_second":%.0f,"items_per_second":%.0f,"p50_us":%.1f,"p90_us":%.1f,)"
                R"("p99_us":%.1f,"p999_us":%.1f,"max_us":%.1f,"server_cpu_us_per_op":%.3f,"verified":"%s"})"
                "\n",
                options.op.c_str(), options.connections, options.pipeline, measured.seconds, measured.replies,
                measured.errors, rate, item_rate, p50, p90, p99, p999, largest, cpu_per_op, verified.c_str());
    return;
  }
  std::printf("%s, %" PRIu64 " connections x %" PRIu64 " under way, %.2f s\n", options.op.c_str(), options.connections,
              options.pipeline, measured.seconds);
  std::printf("  ops/s          %.0f\n", rate);
  if (item_rate > rate * 1.5) std::printf("  items/s        %.0f\n", item_rate);
  std::printf("  round trip us  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n", p50, p90, p99, p999, largest);
  if (options.server_pid != 0) std::printf("  server CPU us  %.3f an op\n", cpu_per_op);
  std::printf("  errors         %" PRIu64 "%s%s\n", measured.errors, measured.errors != 0 ? ", first: " : "",
              measured.first_error.c_str());
  if (!verified.empty()) std::printf("  totals         %s\n", verified.c_str());
}

int run(Options options) {
  const SpawnedServer server(options);
  Workload workload(options);
  std::vector<Request> create = {{workload.create_series(), 1, {}, 0}};
  send_all(options, create);
  if (options.fill) {
    std::vector<Request> fill = workload.fill();
    send_all(options, fill);
  }
  std::vector<std::uint64_t> before;
  if (options.verify) before = read_totals(options, workload);

  double server_cpu = 0;
  const Measured measured = measure(options, workload, server_cpu);
  std::size_t wrong = 0;
  std::string verified;
  if (options.verify) {
    wrong = wrong_totals(options, workload, std::move(before));
    verified = wrong == 0 ? "exact" : std::to_string(wrong) + " of " + std::to_string(options.keys) + " are wrong";
  }
  report(options, measured, server_cpu, verified);
  return measured.errors == 0 && wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace karma::load

int main(int argc, char** argv) { return karma::load::run(karma::load::parse_options(argc, argv)); }
