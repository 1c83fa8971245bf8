// A large series: how fast it is written, what it occupies, how fast it is read in many ways, whom a snapshot holds up,
// and how long a restart takes. See bench/README.md.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "load_flags.h"
#include "load_redis.h"
#include "load_server.h"
#include "tools/load/clients.h"
#include "tools/load/report.h"
#include "tools/load/workload.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead =
    R"(Usage: karma_volume_load_test --spawn=PATH [option...] [-- option of the server...]

Fills a server with points over one connection, then reads it in many ways, snapshots it and restarts it.
)";

struct Options {
  ServerOptions server;
  std::string kind = "karma";
  int client_cpu = -1;
  std::vector<std::uint64_t> sizes = {1000, 10000};
  std::uint64_t days = 30;
  std::uint64_t batch = 1000;
  std::string values = "small";
  std::string order = "day";
  std::uint64_t pipeline = 8;
  std::uint64_t single_rounds = 20000;
  std::uint64_t read_ms = 500;
  std::uint64_t snapshots = 5;
  std::uint64_t restarts = 3;
  bool only_write = false;
  bool verify = true;
  bool json = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  options.server.wal = false;
  std::string sizes;
  std::string profile;
  Flags flags("karma_volume_load_test", kHead, {});
  flags.text("spawn", "PATH", "start this server on a free port with a new, temporary data directory",
             options.server.path);
  flags.choice("server", "NAME", "karma or redis: what it is", options.kind, {"karma", "redis"});
  flags.truth("wal", "it writes a log", options.server.wal);
  flags.truth("wal-fsync", "and syncs it before it answers", options.server.wal_fsync);
  flags.cpu("server-cpu", "N", "pin it to this core", options.server.cpu);
  flags.cpu("client-cpu", "N", "pin this program to this core", options.client_cpu);
  flags.text("sizes", "N[,N...]", "keys; each size on a server of its own (1000,10000)", sizes);
  flags.number("bucket-count", "N", "days of each key", options.days, 1, 366);
  flags.number("batch-size", "N", "points of a series.batch_add, keys of a counter.batch_sum", options.batch, 1, 10000);
  flags.choice("profile", "year-356", "50000 keys, 356 days", profile, {"year-356"});
  flags.choice("values", "NAME", "small: 1 to 255; large: 1 to 2^32 - 1", options.values, {"small", "large"});
  flags.choice("order", "NAME", "day: all keys of a day, then the next day; key: all days of a key, then the next key",
               options.order, {"day", "key"});
  flags.number("pipeline", "N", "batches that are under way while writing", options.pipeline, 1, 1024);
  flags.number("single-rounds", "N", "single increments, and as many sums", options.single_rounds, 1);
  flags.number("read-ms", "N", "so long are batch_sums of each range and each tree read repeated", options.read_ms, 1,
               60000);
  flags.number("snapshots", "N", "measured beside a client, and as many alone", options.snapshots, 1, 100);
  flags.number("restarts", "N", "", options.restarts, 1, 100);
  flags.truth("only-write", "nothing after the writing and what it occupies", options.only_write);
  flags.truth("verify", "compare all totals with what was written", options.verify);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  options.server.more = flags.parse(argc, argv);
  if (options.server.path.empty()) misuse("--spawn is needed");
  if (profile == "year-356") {
    options.sizes = {50000};
    options.days = 356;
  }
  if (!sizes.empty()) options.sizes.clear();
  for (std::size_t at = 0; at < sizes.size();) {
    const std::size_t end = std::min(sizes.find(',', at), sizes.size());
    options.sizes.push_back(parse_number("--sizes", std::string_view(sizes).substr(at, end - at), 1, 1u << 30));
    at = end + 1;
  }
  options.server.dialect = dialect_of(options.kind);
  // Each snapshot removes the one before, as all do in the long run: the next one and the bytes written beside it then
  // find the memory that was given back, instead of memory that the machine has never touched.
  std::vector<std::string> fixed = {"--query-timeout-ms=0", "--dump-retention-per-tree=1"};
  // So that Redis keeps the days of a key in their compact form.
  if (options.server.dialect == Dialect::redis) fixed = {"--hash-max-listpack-entries", "512"};
  options.server.more.insert(options.server.more.begin(), fixed.begin(), fixed.end());
  return options;
}

// A client that increments and sums in turn, one request at a time, until it is told to stop.
class Bystander {
 public:
  Bystander(const Address& address, const Options& options, const Protocol& protocol, std::uint64_t keys)
      : clients_(address, options.server.dialect, 1, 1) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20000; ++i) {
      const auto key = static_cast<std::uint32_t>(random() % keys);
      if (i % 2 == 0) {
        const Point point{key, static_cast<std::uint32_t>(random() % options.days), 1};
        requests_.end_request(1, protocol.increment(requests_.text(), point));
        requests_.adds_to(key);
      } else {
        requests_.end_request(1, protocol.sum(requests_.text(), key, {}));
      }
    }
    thread_ = std::thread([this] {
      Plan plan;
      plan.stop = &stop_;
      try {
        measured_ = clients_.run(requests_, plan);
      } catch (...) {
        failure_ = std::current_exception();
      }
    });
  }
  ~Bystander() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  // Stops it; adds what it wrote to the expected totals.
  Histogram finish(std::vector<std::uint64_t>& totals) {
    stop_ = true;
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    if (measured_.errors != 0) fail("refused: " + measured_.first_error);
    requests_.add_acknowledged(totals);
    return measured_.round_trips;
  }

 private:
  Clients clients_;
  Requests requests_;
  Measured measured_;
  std::exception_ptr failure_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One size on one server.
class Volume {
 public:
  Volume(const Options& options, std::uint64_t keys)
      : options_(options),
        keys_(keys),
        dialect_(options.server.dialect),
        protocol_(protocol_of(dialect_)),
        server_(options.server),
        totals_(keys) {}

  Report run() {
    pin_to(options_.client_cpu);
    report_.number("keys", "keys", static_cast<double>(keys_));
    report_.number("days", "days", static_cast<double>(options_.days));
    Requests create;
    create.end_request(1, protocol_->create(create.text()));
    send_all(server_.address(), dialect_, create);
    write();
    if (options_.only_write) {
      exact_ = !options_.verify || totals_are_right();
      return verified();
    }
    single("single_increments_per_second", "single increments/s", true);
    single("single_sums_per_second", "single sums/s", false);
    read("batch_sum_whole_per_second", "batch_sum, all time: items/s", "batch_sum_whole_per_core", {});
    read("batch_sum_30_per_second", "batch_sum, 30 days: items/s", "batch_sum_30_per_core", latest(30));
    read("batch_sum_days_per_second", "batch_sum, every day: items/s", "batch_sum_days_per_core",
         latest(options_.days));
    if (dialect_ == Dialect::karma) {
      tree("summary_whole_ms", "tree.summary, ms", "tree.summary", "", {});
      tree("summary_30_ms", "tree.summary, 30 days, ms", "tree.summary", "", latest(30));
      tree("summary_days_ms", "tree.summary, every day, ms", "tree.summary", "", latest(options_.days));
      tree("top_whole_ms", "tree.top 100, ms", "tree.top", R"(,"limit":100)", {});
      tree("top_30_ms", "tree.top 100, 30 days, ms", "tree.top", R"(,"limit":100)", latest(30));
    }
    snapshots();
    restarts();
    return verified();
  }

  bool exact() const { return exact_; }

 private:
  Range latest(std::uint64_t days) const {
    const std::uint64_t count = std::min(days, options_.days);
    return Range::days(options_.days - count, count);
  }
  double points() const { return static_cast<double>(keys_ * options_.days); }
  void add(const char* name, const char* label, double value) { report_.number(name, label, value); }
  Report verified() {
    const char* const label = options_.only_write ? "totals" : "totals, before and after the restarts";
    report_.text("verified", label, !options_.verify ? "" : exact_ ? "exact" : "wrong");
    return report_;
  }

  // Requests are made in portions, while no clock runs.
  void write() {
    constexpr std::size_t kPortion = 256;
    const std::uint64_t before = resident_bytes(server_.pid());
    Clients clients(server_.address(), dialect_, 1, options_.pipeline);
    std::mt19937_64 random(1);
    Requests requests;
    std::vector<Point> batch;
    double seconds = 0;
    double cpu = 0;
    const auto send = [&] {
      Plan plan;
      plan.count = requests.size();
      const double cpu_before = cpu_seconds(server_.pid());
      const Measured measured = clients.run(requests, plan);
      if (measured.errors != 0) fail("refused: " + measured.first_error);
      seconds += measured.seconds;
      cpu += cpu_seconds(server_.pid()) - cpu_before;
      requests.clear();
    };
    const std::uint64_t count = keys_ * options_.days;
    const bool by_day = options_.order == "day";
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto key = static_cast<std::uint32_t>(by_day ? i % keys_ : i / options_.days);
      const auto day = static_cast<std::uint32_t>(by_day ? i / keys_ : i % options_.days);
      const std::uint64_t value = random() % (options_.values == "small" ? 0xff : 0xffffffff) + 1;
      totals_[key] += value;
      batch.push_back({key, day, value});
      if (batch.size() < options_.batch && i + 1 < count) continue;
      requests.end_request(batch.size(), protocol_->batch_add(requests.text(), batch));
      batch.clear();
      if (requests.size() == kPortion || i + 1 == count) send();
    }
    add("write_points_per_second", "points/s written", points() / seconds);
    add("write_ns_per_point", "written, ns a point", seconds * 1e9 / points());
    add("write_cpu_ns_per_point", "written, server CPU ns a point", cpu * 1e9 / points());
    const auto grown = static_cast<double>(resident_bytes(server_.pid())) - static_cast<double>(before);
    add("rss_bytes_per_point", "resident bytes a point", grown / points());
  }

  void single(const char* name, const char* label, bool increments) {
    std::mt19937_64 random(2);
    Requests requests;
    for (std::uint64_t i = 0; i < options_.single_rounds; ++i) {
      const auto key = static_cast<std::uint32_t>(random() % keys_);
      const Point point{key, static_cast<std::uint32_t>(random() % options_.days), 1};
      requests.end_request(
          1, increments ? protocol_->increment(requests.text(), point) : protocol_->sum(requests.text(), key, {}));
      if (increments) ++totals_[key];
    }
    add(name, label, static_cast<double>(requests.size()) / ask(requests));
  }

  // Seconds that the requests took, one after the other.
  double ask(Requests& requests) {
    Plan plan;
    plan.count = requests.size();
    const Measured measured = Clients(server_.address(), dialect_, 1, 1).run(requests, plan);
    if (measured.errors != 0) fail("refused: " + measured.first_error);
    return measured.seconds;
  }

  void read(const char* name, const char* label, const char* name_per_core, Range range) {
    constexpr std::uint64_t kDifferent = 64;  // so that they come by most of the keys, and no cache holds them all
    std::mt19937_64 random(3);
    Requests requests;
    for (std::uint64_t i = 0; i < kDifferent; ++i) {
      std::vector<std::uint32_t> keys;
      for (std::uint64_t k = 0; k < options_.batch; ++k) keys.push_back(static_cast<std::uint32_t>(random() % keys_));
      requests.end_request(keys.size(), protocol_->batch_sum(requests.text(), keys, range));
    }
    Clients clients(server_.address(), dialect_, 4, 1);
    Plan plan;
    plan.duration = std::chrono::milliseconds(options_.read_ms);
    const double before = cpu_seconds(server_.pid());
    const Measured measured = clients.run(requests, plan);
    if (measured.errors != 0) fail("refused: " + measured.first_error);
    const auto items = static_cast<double>(measured.items);
    add(name, label, items / measured.seconds);
    add(name_per_core, "  items a second of server CPU", items / (cpu_seconds(server_.pid()) - before));
  }

  void tree(const char* name, const char* label, const char* op, const char* fields, Range range) {
    const KarmaProtocol protocol("", false);
    Requests requests;
    requests.end_request(1, protocol.series_op(requests.text(), op, fields, range));
    Clients clients(server_.address(), dialect_, 1, 1);
    Plan plan;
    plan.duration = std::chrono::milliseconds(options_.read_ms);
    const Measured measured = clients.run(requests, plan);
    if (measured.errors != 0) fail("refused: " + measured.first_error);
    add(name, label, static_cast<double>(measured.round_trips.at(0.5)) / 1e6);
  }

  // What a client that has nothing to do with it waits for while `work` is done.
  template <class Work>
  void beside(Histogram& waited, Work work) {
    Bystander client(server_.address(), options_, *protocol_, keys_);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    work();
    waited.add(client.finish(totals_));
  }

  // Each snapshot alone stands between two writes of as many bytes, so that all three meet the same disk.
  void snapshots() {
    Histogram idle;
    Histogram busy;
    std::vector<double> alone;
    std::vector<double> writes;
    std::vector<double> to_write;
    snapshot();
    const std::uint64_t bytes = snapshot_bytes();
    write_and_sync(bytes);
    for (std::uint64_t i = 0; i < options_.snapshots; ++i) {
      beside(idle, [] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); });
      beside(busy, [&] { snapshot(); });
      const double before = write_and_sync(bytes);
      alone.push_back(snapshot());
      writes.push_back((before + write_and_sync(bytes)) / 2);
      to_write.push_back(alone.back() / writes.back());
    }
    ::unlink(probe().c_str());
    add("snapshot_ms", "snapshot of everything, ms", median(alone) * 1e3);
    add("snapshot_ns_per_point", "  ns a point", median(alone) * 1e9 / points());
    add("snapshot_bytes_per_point", "  bytes a point", static_cast<double>(bytes) / points());
    add("write_and_sync_ms", "  write + fsync of as many bytes, ms", median(writes) * 1e3);
    add("snapshot_to_write", "  times write + fsync of as many bytes", median(to_write));
    const auto at = [](const Histogram& trips, double share) { return static_cast<double>(trips.at(share)) / 1e6; };
    add("idle_p999_ms", "one client, idle: p99.9 ms", at(idle, 0.999));
    add("idle_max_ms", "  longest, ms", static_cast<double>(idle.largest()) / 1e6);
    add("snapshot_p999_ms", "  during a snapshot: p99.9 ms", at(busy, 0.999));
    add("snapshot_p999_to_idle", "  p99.9 during a snapshot to idle", at(busy, 0.999) / at(idle, 0.999));
    add("snapshot_stall_ms", "  longest during a snapshot, ms", static_cast<double>(busy.largest()) / 1e6);
  }

  // Seconds. A write comes first, so that there is something new.
  double snapshot() {
    Requests requests;
    requests.end_request(1, protocol_->increment(requests.text(), {0, 0, 1}));
    ask(requests);
    ++totals_[0];
    requests.clear();
    const std::filesystem::path dump = server_.directory() / "dump.rdb";
    std::filesystem::remove(dump);
    requests.text() += dialect_ == Dialect::redis ? "BGSAVE\r\n"
                                                  : R"({"v":2,"op":"snapshot.create_all"})"
                                                    "\n";
    requests.end_request(1, 1);
    const Time begin = now();
    ask(requests);
    if (dialect_ == Dialect::redis) {  // which renames the file when it is whole
      while (!std::filesystem::exists(dump)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const double seconds = seconds_since(begin);
    // Redis refuses the next one until it has seen the end of this one, for which it looks ten times a second.
    if (dialect_ == Dialect::redis) std::this_thread::sleep_for(std::chrono::milliseconds(250));
    return seconds;
  }

  // The newest of what the server keeps.
  std::uint64_t snapshot_bytes() const {
    std::filesystem::file_time_type newest = std::filesystem::file_time_type::min();
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(server_.directory())) {
      if (entry.path().extension() != ".tree" && entry.path().extension() != ".rdb") continue;
      if (entry.last_write_time() <= newest) continue;
      newest = entry.last_write_time();
      bytes = entry.file_size();
    }
    return bytes;
  }

  std::string probe() const { return (server_.directory() / "probe").string(); }

  // Seconds for what the disk can be asked for: so many bytes in the server's directory, in place of those that were
  // written before, as `dd conv=fsync` does it.
  double write_and_sync(std::uint64_t bytes) const {
    const std::string path = probe();
    std::string chunk(1 << 20, '\0');
    std::mt19937_64 random(4);
    for (char& byte : chunk) byte = static_cast<char>(random());
    const Time begin = now();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (std::uint64_t left = bytes; left > 0;) {
      const ssize_t written = ::write(file, chunk.data(), std::min<std::uint64_t>(left, chunk.size()));
      if (written <= 0) fail("cannot write " + path);
      left -= static_cast<std::uint64_t>(written);
    }
    if (file < 0 || ::fsync(file) != 0) fail("cannot sync " + path);
    const double seconds = seconds_since(begin);
    ::close(file);
    return seconds;
  }

  void restarts() {
    const bool before = !options_.verify || totals_are_right();
    std::vector<double> seconds;
    for (std::uint64_t i = 0; i < options_.restarts; ++i) seconds.push_back(restart());
    add("restore_ms", "restart, ms", median(seconds) * 1e3);
    add("restore_ns_per_point", "  ns a point", median(seconds) * 1e9 / points());
    exact_ = before && (!options_.verify || totals_are_right());
  }

  // Seconds from the start of the process to the first good answer, on what the latest snapshot holds.
  double restart() {
    server_.kill();
    const Time begin = now();
    server_.start();
    Requests requests;
    requests.end_request(1, protocol_->sum(requests.text(), 0, {}));
    Clients clients(server_.address(), dialect_, 1, 1);
    Plan plan;
    plan.count = 1;
    while (clients.run(requests, plan).errors != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return seconds_since(begin);
  }

  bool totals_are_right() const {
    WorkloadOptions workload;
    workload.keys = keys_;
    Requests requests = Workload(workload, *protocol_).totals();
    return send_all(server_.address(), dialect_, requests) == totals_;
  }

  const Options& options_;
  const std::uint64_t keys_;
  const Dialect dialect_;
  const std::unique_ptr<Protocol> protocol_;
  SpawnedServer server_;
  std::vector<std::uint64_t> totals_;
  Report report_;
  bool exact_ = false;
};

int run(const Options& options) {
  bool exact = true;
  nlohmann::ordered_json sizes = nlohmann::ordered_json::array();
  for (const std::uint64_t keys : options.sizes) {
    Volume volume(options, keys);
    const Report report = volume.run();
    exact &= volume.exact();
    sizes.push_back(report.json());
    if (options.json) continue;
    std::printf("%s, values %s\n%s", options.kind.c_str(), options.values == "small" ? "up to 255" : "up to 2^32",
                report.lines().c_str());
    std::fflush(stdout);
  }
  if (options.json) {
    const nlohmann::ordered_json all = {{"server", options.kind}, {"values", options.values}, {"sizes", sizes}};
    std::puts(all.dump().c_str());
  }
  return exact ? 0 : 1;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program(
      [&] { return karma::tools::load::run(karma::tools::load::parse_options(argc, argv)); });
}
