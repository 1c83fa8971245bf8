// The same load without a network: threads that call a Karma inside this program. See bench/README.md.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <karma/engine.h>

#include "load_directory.h"
#include "load_flags.h"
#include "load_server.h"
#include "tools/load/replies.h"
#include "tools/load/report.h"
#include "tools/load/workload.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead = R"(Usage: karma_load_test [option...]

Calls karma::Engine from threads, on a new, temporary data directory, and measures the calls.
)";

struct Options {
  WorkloadOptions workload;
  bool wal = true;
  bool wal_fsync = true;
  bool idempotency = false;
  std::uint64_t clients = 1;
  std::uint64_t pipeline = 1;
  std::uint64_t seconds = 5;
  std::uint64_t requests = 0;
  bool fill = false;
  bool verify = false;
  bool json = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  WorkloadOptions& workload = options.workload;
  Flags flags("karma_load_test", kHead, {});
  flags.truth("wal", "write a log", options.wal);
  flags.truth("wal-fsync", "and sync it before a call returns", options.wal_fsync);
  flags.choice("op", "NAME",
               "increment, sum, batch_add, batch_sum, or mix: 50 % increments, 40 % sums, 5 % of each batch",
               workload.op, kOps);
  flags.truth("idempotency", "give each increment an idempotency key of its own", options.idempotency);
  flags.number("clients", "N", "threads (1); calls take turns", options.clients, 1, 1024);
  flags.number("pipeline", "N", "requests of a call", options.pipeline, 1, 10000);
  flags.number("keys", "N", "counters, chosen at random", workload.keys, 1, 1u << 31);
  flags.number("days", "N", "days that have data and that are written to", workload.days, 1, 3650);
  flags.number("batch", "N", "items or keys of a batch", workload.batch, 1, 10000);
  flags.number("range-days", "N", "days that a read sums; 0: the whole total", workload.range_days, 0, 366);
  flags.number("seconds", "N", "how long to measure", options.seconds, 1);
  flags.number("requests", "N", "each thread makes so many requests instead, rounded up to whole calls",
               options.requests, 1);
  flags.truth("fill", "write every key and day once before (true for reads, else false)", options.fill);
  flags.truth("verify", "compare all totals with what was acknowledged, afterwards", options.verify);
  flags.number("seed", "N", "of the random choice", workload.seed, 0);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  if (!flags.parse(argc, argv).empty()) misuse("there is no server to pass options to");
  if (!flags.given("fill")) options.fill = workload.reads();
  if (options.idempotency && workload.op != "increment") misuse("--idempotency is for increments");
  return options;
}

// An engine on a directory of its own.
class TemporaryEngine {
 public:
  explicit TemporaryEngine(const Options& options) {
    config_.directory = directory_.string();
    config_.wal = options.wal;
    config_.wal_fsync = options.wal_fsync;
    config_.log = false;
    config_.max_request_bytes = 1 << 20;
    Result<std::unique_ptr<Engine>> opened = Engine::open(config_);
    if (!opened) fail(opened.error().message);
    engine_ = std::move(*opened);
  }

  std::vector<std::string> execute(const std::vector<std::string>& lines) { return engine_->execute(lines); }

 private:
  const TemporaryDirectory directory_;
  Config config_;
  std::unique_ptr<Engine> engine_;
};

// The lines of some requests, without their ends.
std::vector<std::string> lines_of(const Requests& requests, std::size_t first, std::size_t count) {
  std::vector<std::string> lines;
  for (std::size_t i = first; i < first + count; ++i) {
    const std::string_view line = requests.bytes_of(i % requests.size(), 1);
    lines.emplace_back(line.substr(0, line.size() - 1));
  }
  return lines;
}

bool is_good(std::string_view reply) { return reply.starts_with(R"({"protocol_version":2,"success":true,)"); }

// Returns the sums in the replies.
std::vector<std::uint64_t> execute_all(TemporaryEngine& engine, const Requests& requests) {
  std::vector<std::uint64_t> values;
  for (std::size_t at = 0; at < requests.size(); at += 16) {
    const auto lines = lines_of(requests, at, std::min<std::size_t>(16, requests.size() - at));
    for (const std::string& reply : engine.execute(lines)) {
      if (!is_good(reply)) fail("refused: " + reply);
      append_values(reply, values);
    }
  }
  return values;
}

// One thread: its calls are made before, and go round in a circle.
class Client {
 public:
  Client(const Options& options, Workload& workload, std::size_t number)
      : requests_(workload.requests()), pipeline_(options.pipeline), stamp_(number) {
    const std::size_t calls = (requests_.size() + pipeline_ - 1) / pipeline_;
    for (std::size_t i = 0; i < calls; ++i) calls_.push_back(lines_of(requests_, i * pipeline_, pipeline_));
  }

  void run(TemporaryEngine& engine, const Options& options, Time end) {
    Time before = now();
    while (options.requests != 0 ? measured_.replies < options.requests : before < end) {
      if (options.idempotency) stamp(calls_[next_]);
      const std::vector<std::string> replies = engine.execute(calls_[next_]);
      const Time after = now();
      measured_.round_trips.add(static_cast<std::uint64_t>((after - before).count()));
      before = after;
      for (std::size_t i = 0; i < replies.size(); ++i) take(replies[i], next_ * pipeline_ + i);
      next_ = (next_ + 1) % calls_.size();
    }
  }

  const Requests& requests() const { return requests_; }
  const Measured& measured() const { return measured_; }

 private:
  void stamp(std::vector<std::string>& lines) {
    for (std::string& line : lines) stamp_.write_next(line.data() + line.size());
  }
  void take(const std::string& reply, std::size_t index) {
    Request& request = requests_[index % requests_.size()];
    ++measured_.replies;
    if (is_good(reply)) {
      ++request.acknowledged;
      measured_.items += request.items;
    } else if (measured_.errors++ == 0) {
      measured_.first_error = reply;
    }
  }

  Requests requests_;
  const std::uint64_t pipeline_;
  std::vector<std::vector<std::string>> calls_;
  std::size_t next_ = 0;
  Stamp stamp_;
  Measured measured_;
};

Measured measure(const Options& options, TemporaryEngine& engine, std::vector<std::unique_ptr<Client>>& clients) {
  const Time begin = now();
  const Time end = begin + std::chrono::seconds(options.seconds);
  std::vector<std::thread> threads;
  for (const auto& client : clients) threads.emplace_back([&] { client->run(engine, options, end); });
  for (std::thread& thread : threads) thread.join();
  Measured all;
  all.seconds = seconds_since(begin);
  for (const auto& client : clients) {
    const Measured& one = client->measured();
    all.round_trips.add(one.round_trips);
    all.replies += one.replies;
    all.items += one.items;
    all.errors += one.errors;
    if (all.first_error.empty()) all.first_error = one.first_error;
  }
  return all;
}

void print(const Options& options, const Measured& measured, double cpu, const std::string& verified) {
  Report report;
  report.text("op", "", options.workload.op);
  report.number("clients", "", static_cast<double>(options.clients));
  report.number("pipeline", "", static_cast<double>(options.pipeline));
  report.measured(measured, "call");
  report.number("cpu_us_per_op", "CPU us an op", cpu * 1e6 / static_cast<double>(measured.replies));
  report.text("verified", "totals", verified);
  if (options.json) {
    std::puts(report.json().dump().c_str());
  } else {
    std::printf("%s, %" PRIu64 " threads x %" PRIu64 " requests a call\n%s", options.workload.op.c_str(),
                options.clients, options.pipeline, report.lines().c_str());
  }
  if (measured.errors != 0)
    std::fprintf(stderr, "%s: first error: %s\n", program_invocation_short_name, measured.first_error.c_str());
}

int run(const Options& options) {
  TemporaryEngine engine(options);
  const KarmaProtocol protocol("", options.idempotency);
  Workload workload(options.workload, protocol);
  execute_all(engine, workload.create_series());
  if (options.fill) execute_all(engine, workload.fill());
  std::vector<std::uint64_t> expected;
  if (options.verify) expected = execute_all(engine, workload.totals());

  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint64_t i = 0; i < options.clients; ++i) clients.push_back(std::make_unique<Client>(options, workload, i));
  const auto self = static_cast<std::uint64_t>(::getpid());
  const double cpu_before = cpu_seconds(self);
  const Measured measured = measure(options, engine, clients);
  const double cpu = cpu_seconds(self) - cpu_before;

  std::size_t wrong = 0;
  std::string verified;
  if (options.verify) {
    for (const auto& client : clients) client->requests().add_acknowledged(expected);
    const std::vector<std::uint64_t> found = execute_all(engine, workload.totals());
    if (found.size() != expected.size()) fail("the engine answered for another number of keys");
    for (std::size_t key = 0; key < found.size(); ++key) wrong += found[key] != expected[key];
    verified = wrong == 0 ? "exact" : std::to_string(wrong) + " of " + std::to_string(found.size()) + " are wrong";
  }
  print(options, measured, cpu, verified);
  return measured.errors == 0 && wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program(
      [&] { return karma::tools::load::run(karma::tools::load::parse_options(argc, argv)); });
}
