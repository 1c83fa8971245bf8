// karma bench: the load of a fixed workload, from one thread, on a series that is made for it.
//
// It owns the series if it counts itself in it and then finds nobody else counted, which two runs cannot both. The
// counts that were acknowledged are added up here, and compared with those of the server at the end.
#include "tools/bench.h"

#include <time.h>

#include <algorithm>
#include <numeric>
#include <ostream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tools/ask.h"
#include "tools/interrupts.h"
#include "tools/load/workload.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t kDays = 30;
constexpr std::uint64_t kFillKeys = 10000;          // at a time, so that not all requests are in memory
constexpr std::uint64_t kClaim = ~std::uint64_t{};  // the key of the counter of the runs that want the series

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool is_this_machine(std::string_view host) { return is_localhost(host) || host.starts_with("127.") || host == "::1"; }

struct Server {
  std::string role;
  bool wal = false;
  bool synced = false;  // the log, before an answer
};

class Bench {
 public:
  Bench(const BenchOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        address_{options.connection.endpoint.host, options.connection.endpoint.port},
        patience_(options.connection.endpoint.timeout_seconds),
        protocol_(options.connection.endpoint.token, false, options.series),
        expected_(static_cast<std::size_t>(options.keys)) {}

  int run() {
    std::string failure = measure();
    if (claimed_) {
      const Result<ordered_json> dropped = ask_server("tree.drop", {{"series", options_.series}});
      if (!dropped) {
        streams_.err << "ERROR: the series is still there, remove it with karma call tree.drop series="
                     << options_.series << ": " << dropped.error().message << std::endl;
        if (failure.empty()) failure = "the series could not be dropped";
      }
    }
    if (row_begun_) streams_.out << std::endl;
    report();
    if (failure.empty()) return 0;
    streams_.err << "ERROR: " << failure << std::endl;
    return 1;
  }

 private:
  // What went wrong, or an empty text.
  std::string measure() try {
    look_at_server();
    claim();
    fill();
    if (!options_.json) print_head();
    for (const BenchRow& row : bench_rows(options_)) {
      if (interrupts_.requested()) break;
      measure_row(row);
    }
    verify();
    if (!first_error_.empty()) return "requests were refused, the first one with " + first_error_;
    if (wrong_ != 0) return number_text(wrong_) + " counters are not what was acknowledged";
    return {};
  } catch (const std::exception& failure) {
    return failure.what();
  }

  Result<ordered_json> ask_server(std::string_view op, const Client::Fields& fields = Client::Fields::object()) {
    return ask(options_.connection, op, streams_, fields);
  }

  ordered_json answer(std::string_view op, const Client::Fields& fields = Client::Fields::object()) {
    Result<ordered_json> result = ask_server(op, fields);
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  void look_at_server() {
    const ordered_json health = answer("system.health");
    server_.role = health.value("role", "node");
    server_.wal = health.value("wal_enabled", false);
  }

  void claim() {
    const ordered_json names = answer("tree.list");
    if (std::ranges::find(names, ordered_json(options_.series)) != names.end())
      throw std::runtime_error("the series " + options_.series +
                               " exists already; if it is left of a karma bench that was killed, remove it with karma "
                               "call tree.drop series=" +
                               options_.series + ", else choose another --series");
    // Not asked again if the connection breaks: it would be counted twice.
    Client client(options_.connection.endpoint);
    const Status connected = client.connect();
    if (!connected) throw std::runtime_error(connected.error().message);
    for (const char* op : {"counter.increment", "counter.sum"})
      client.send(op, {{"series", options_.series}, {"key", kClaim}});
    std::string runs;
    for (int i = 0; i < 2; ++i) {
      const Result<protocol::Reply> reply = client.receive();
      if (!reply) throw std::runtime_error(reply.error().message);
      if (!reply->success) throw std::runtime_error(reply->error().message);
      runs = reply->response;
    }
    if (runs != "1") throw std::runtime_error("another karma bench has just begun on the series " + options_.series);
    claimed_ = true;
  }

  load::Workload workload(const BenchRow& row) const {
    load::WorkloadOptions workload;
    workload.op = row.load;
    workload.keys = static_cast<std::uint64_t>(options_.keys);
    workload.days = kDays;
    workload.batch = row.batch;
    return {workload, protocol_};
  }

  void fill() {
    const ordered_json before = answer("system.stats");
    const load::Workload filling = workload({});
    const std::uint64_t keys = expected_.size();
    {
      Progress progress(streams_.err, streams_.terminal, "filling", "counters", keys);
      for (std::uint64_t first = 0; first < keys && !interrupts_.requested(); first += kFillKeys) {
        const std::uint64_t end = std::min(first + kFillKeys, keys);
        progress.at(first);
        load::Requests requests = filling.fill(first, end);
        load::send_all(address_, load::Dialect::karma, requests, patience_);
        std::fill(expected_.begin() + static_cast<std::ptrdiff_t>(first),
                  expected_.begin() + static_cast<std::ptrdiff_t>(end), kDays);
      }
    }
    const ordered_json after = answer("system.stats");
    const auto grown = [&](const char* name) {
      return after.value(name, std::uint64_t{}) - before.value(name, std::uint64_t{});
    };
    // One sync after each write; without --wal-fsync there are only those at the end of a segment.
    server_.synced = grown("wal_write_count") > 0 && grown("wal_sync_count") * 2 >= grown("wal_write_count");
  }

  void measure_row(BenchRow row) {
    load::Requests requests = workload(row).requests();
    while (row.batch > 1 && !is_taken(longest(requests))) {
      row.batch = smaller_batch(row.batch);
      if (row.batch == 0)
        throw std::runtime_error("the server takes no batch of 10, its --max-request-bytes is too low");
      requests = workload(row).requests();
      shortened_ = true;
    }
    if (!options_.json) streams_.out << bench_label(row) << std::flush;
    row_begun_ = !options_.json;
    load::Clients clients(address_, load::Dialect::karma, row.connections, row.pipeline);
    load::Plan plan;
    plan.duration = std::chrono::seconds(options_.seconds);
    plan.stop = &interrupts_.requested();
    plan.patience = patience_;
    const double before = thread_seconds();
    BenchResult result{row, clients.run(requests, plan), 0};
    result.client_cpu_seconds = thread_seconds() - before;
    requests.add_acknowledged(expected_);
    if (first_error_.empty()) first_error_ = result.measured.first_error;
    if (!options_.json) streams_.out << bench_figures(result) << std::endl;
    row_begun_ = false;
    results_.push_back(std::move(result));
  }

  static std::size_t longest(const load::Requests& requests) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) bytes = std::max<std::size_t>(bytes, requests[i].bytes);
    return bytes;
  }

  // Does the server take requests that are so long?
  bool is_taken(std::size_t bytes) const {
    Client client(options_.connection.endpoint);
    const Status connected = client.connect();
    if (!connected) throw std::runtime_error(connected.error().message);
    Buffer request;
    client.begin_request(request, "system.ping", Client::Fields::object());
    std::string line(request.view());
    line.append(bytes - std::min(bytes, line.size() + 2), ' ').append("}");
    client.send_line(line);
    const Result<protocol::Reply> reply = client.receive();
    if (!reply) throw std::runtime_error(reply.error().message);
    if (!reply->success && reply->error_code != to_string(ErrorCode::request_too_large))
      throw std::runtime_error(reply->error().message);
    return reply->success;
  }

  void verify() {
    load::Requests requests = workload({}).totals();
    const std::vector<std::uint64_t> found = load::send_all(address_, load::Dialect::karma, requests, patience_);
    if (found.size() != expected_.size()) throw std::runtime_error("the server answered for another number of keys");
    for (std::size_t key = 0; key < found.size(); ++key) wrong_ += found[key] != expected_[key];
    verified_ = true;
  }

  std::string log_text() const { return !server_.wal ? "no log" : server_.synced ? "log with sync" : "log, no sync"; }

  void print_head() const {
    streams_.out << address_.host << ":" << address_.port << ", " << server_.role << ", " << log_text()
                 << (is_this_machine(address_.host) ? "; client and server share this machine" : "") << '\n'
                 << number_text(expected_.size()) << " counters of " << kDays << " days, "
                 << duration_text(static_cast<std::uint64_t>(options_.seconds))
                 << " each; clients: connections x requests under way\n\n"
                 << bench_header() << std::endl;
  }

  std::uint64_t added() const { return std::accumulate(expected_.begin(), expected_.end(), std::uint64_t{}); }

  void report() const {
    if (options_.json) {
      if (!claimed_) return;
      return void(streams_.out << json().dump(-1, ' ', false, ordered_json::error_handler_t::replace) << std::endl);
    }
    if (!verified_) return;
    streams_.out << '\n';
    if (interrupts_.requested()) streams_.out << "Interrupted: the last row is shorter than the others.\n";
    if (std::ranges::any_of(results_, &BenchResult::client_is_the_limit))
      streams_.out << "* The client, which has one thread, was busy all the time: the server may take more.\n";
    if (shortened_)
      streams_.out << "Batches of 1000 are too long for this server; with --max-request-bytes=65536 it takes them.\n";
    streams_.out << "Counts: " << (wrong_ == 0 ? "exact" : number_text(wrong_) + " counters are wrong") << ", "
                 << number_text(added()) << " in " << number_text(expected_.size()) << " counters." << std::endl;
  }

  ordered_json json() const {
    ordered_json rows = ordered_json::array();
    for (const BenchResult& result : results_) rows.push_back(bench_json(result));
    return {{"host", address_.host},
            {"port", address_.port},
            {"role", server_.role},
            {"wal_enabled", server_.wal},
            {"wal_synced", server_.synced},
            {"series", options_.series},
            {"keys", expected_.size()},
            {"days", kDays},
            {"loop", "closed"},
            {"interrupted", interrupts_.requested().load()},
            {"rows", std::move(rows)},
            {"counted", added()},
            {"wrong_counters", verified_ ? ordered_json(wrong_) : ordered_json()}};
  }

  const BenchOptions& options_;
  const Streams& streams_;
  const load::Address address_;
  const std::chrono::seconds patience_;
  const load::KarmaProtocol protocol_;
  Interrupts interrupts_;
  Server server_;
  bool claimed_ = false;
  std::vector<std::uint64_t> expected_;  // totals of the keys from 0 on
  std::vector<BenchResult> results_;
  bool row_begun_ = false;  // its line is not at its end
  bool shortened_ = false;
  std::string first_error_;
  bool verified_ = false;
  std::size_t wrong_ = 0;
};

}  // namespace

int run_bench(const BenchOptions& options, const Streams& streams) { return Bench(options, streams).run(); }

}  // namespace karma::tools
