// A master and its slaves: how far they are behind, how fast they catch up and are made anew, and whom that holds up.
// See bench/README.md.
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

#include "load_beside.h"
#include "load_connection.h"
#include "load_flags.h"
#include "load_server.h"
#include "tools/load/clients.h"
#include "tools/load/report.h"
#include "tools/load/workload.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead =
    R"(Usage: karma_replication_load_test --spawn=PATH [option...] [-- option of the servers...]

Starts a master and slaves: how long acknowledged writes take to a slave, how fast it catches up, how long a new one takes.
)";

struct Options {
  ServerOptions server;
  WorkloadOptions workload;
  std::uint64_t clients = 4;
  std::uint64_t write_batches = 1000;
  std::uint64_t read_rounds = 20000;
  std::uint64_t rate = 20000;
  std::uint64_t seconds = 10;
  std::uint64_t entries = 1000000;
  std::uint64_t slaves = 3;
  bool json = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  Flags flags("karma_replication_load_test", kHead, {});
  flags.text("spawn", "PATH", "start these servers, on free ports with new, temporary data directories",
             options.server.path);
  flags.truth("wal-fsync", "they sync their logs", options.server.wal_fsync);
  flags.number("clients", "N", "connections that write to the master", options.clients, 1, 1000);
  flags.number("keys", "N", "counters", options.workload.keys, 1, 1u << 31);
  flags.number("batch-size", "N", "points of a series.batch_add", options.workload.batch, 1, 10000);
  flags.number("write-batches", "N", "of these, which are the data that a new slave copies: all keys of a day first",
               options.write_batches, 1, 1u << 30);
  flags.number("read-rounds", "N", "sums of single counters on an idle slave", options.read_rounds, 1, 1u << 30);
  flags.number("rate", "N", "increments a second while the lag is measured", options.rate, 1, 1u << 30);
  flags.number("seconds", "N", "how long the lag is measured, and each write rate", options.seconds, 1, 3600);
  flags.number("entries", "N", "of the log that a slave catches up from", options.entries, 1, 1u << 30);
  flags.number("slaves", "N", "beside which the master's write rate is measured", options.slaves, 1, 64);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  options.server.more = flags.parse(argc, argv);
  if (options.server.path.empty()) misuse("--spawn is needed");
  // Each snapshot is one file of a series, so that what a slave copies is what the directory holds.
  options.server.more.insert(options.server.more.begin(), {"--query-timeout-ms=0", "--dump-retention-per-tree=1"});
  options.workload.days = (options.write_batches * options.workload.batch - 1) / options.workload.keys + 1;
  if (options.workload.days > 366) misuse("more points than 366 days of each key: give more --keys");
  return options;
}

double ms(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

std::uint64_t nanoseconds_since(Time begin) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now() - begin).count());
}

std::uint64_t position_of(const Address& node) {
  return Connection(node).response(request("replication.status", ""))["wal_current_lsn"];
}

// Sums on a node, one at a time, while `work` is done.
template <class Work>
Histogram reads_during(const Address& node, Requests& reads, Work work) {
  Clients clients(node, Dialect::karma, 1, 1);
  std::atomic<bool> stop = false;
  Measured measured;
  std::exception_ptr failure;
  std::thread thread([&] {
    Plan plan;
    plan.stop = &stop;
    try {
      measured = clients.run(reads, plan);
    } catch (...) {
      failure = std::current_exception();
    }
  });
  try {
    work();
  } catch (...) {
    failure = std::current_exception();
  }
  stop = true;
  thread.join();
  if (failure) std::rethrow_exception(failure);
  if (measured.errors != 0) fail("refused: " + measured.first_error);
  return measured.round_trips;
}

class Replication {
 public:
  explicit Replication(const Options& options)
      : options_(options), protocol_("", false), workload_(options.workload, protocol_), master_(options.server) {
    send(workload_.create_series());
    writes_ = workload_.increments();
    WorkloadOptions reads = options.workload;
    reads.op = "sum";
    reads_ = Workload(reads, protocol_).requests();
  }

  Report run() {
    fill();
    bootstrap();
    lag();
    catch_up();
    write_rates();
    return report_;
  }
  bool exact() const { return exact_; }

 private:
  using Slave = std::unique_ptr<SpawnedServer>;

  void add(const char* name, const char* label, double value) { report_.number(name, label, value); }

  void send(Requests requests) { send_all(master_.address(), Dialect::karma, requests); }

  // Returns when it answers with its master's data.
  Slave new_slave() const {
    ServerOptions options = options_.server;
    options.more.insert(options.more.end(), {"--role=slave", "--replication-source-host=127.0.0.1",
                                             "--replication-source-port=" + std::to_string(master_.address().port)});
    Slave slave = std::make_unique<SpawnedServer>(options);
    wait_for_data(slave->address());
    return slave;
  }
  static void wait_for_data(const Address& node) {
    Connection asker(node);
    const std::string read = request("counter.sum", R"(,"series":"load","key":0)");
    while (asker.exchange(read).find(R"("success":true)") == std::string::npos)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void wait_until_level(const SpawnedServer& slave) const {
    const std::uint64_t wanted = position_of(master_.address());
    while (position_of(slave.address()) < wanted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  void fill() {
    const std::uint64_t points = options_.write_batches * options_.workload.batch;
    std::vector<Point> batch;
    Requests requests;
    std::mt19937_64 random(options_.workload.seed);
    for (std::uint64_t i = 0; i < points; ++i) {
      batch.push_back({static_cast<std::uint32_t>(i % options_.workload.keys),
                       static_cast<std::uint32_t>(i / options_.workload.keys), random() % 255 + 1});
      if (batch.size() < options_.workload.batch) continue;
      requests.end_request(batch.size(), protocol_.batch_add(requests.text(), batch));
      batch.clear();
      if (requests.size() < 256 && i + 1 < points) continue;
      send(std::move(requests));
      requests = {};
    }
    add("points", "points", static_cast<double>(points));
  }

  // Beside copying the files and starting a node on the copy.
  void bootstrap() {
    (void)Connection(master_.address()).response(request("snapshot.create_all", ""));
    Time begin = now();
    slave_ = new_slave();
    const double took = seconds_since(begin);

    SpawnedServer copy(options_.server);
    copy.kill();
    begin = now();
    for (const auto& entry : std::filesystem::directory_iterator(master_.directory())) {
      const std::string name = entry.path().filename();
      if (name == "karma.lock") continue;
      const std::filesystem::path to = copy.directory() / name;
      std::filesystem::copy_file(entry.path(), to, std::filesystem::copy_options::overwrite_existing);
      const int file = ::open(to.c_str(), O_WRONLY | O_CLOEXEC);
      if (file < 0 || ::fsync(file) != 0) fail("cannot sync " + to.string());
      ::close(file);
    }
    const double copied = seconds_since(begin);
    begin = now();
    copy.start();
    wait_for_data(copy.address());
    const double restored = seconds_since(begin);
    add("bootstrap_ms", "a new slave, until it answers, ms", took * 1e3);
    add("copy_ms", "  copying and syncing the files, ms", copied * 1e3);
    add("restore_ms", "  start of a node on the copy, ms", restored * 1e3);
    add("bootstrap_to_copy_and_restore", "  times both together", took / (copied + restored));
  }

  // From the acknowledgement of a write to its being seen on the slave, while others write.
  void lag() {
    wait_until_level(*slave_);
    const Histogram sync = syncs();
    const auto key = std::to_string(options_.workload.keys);  // nobody else's
    const std::string write =
        request("counter.increment", R"(,"series":"load","key":)" + key + R"(,"bucket":20260101,"value":1)");
    const std::string read = request("counter.sum", R"(,"series":"load","key":)" + key);
    Connection master(master_.address());
    Connection slave(slave_->address());
    Histogram lags;
    const Time end = now() + std::chrono::seconds(options_.seconds);
    WriterBeside writer(master_.address(), Dialect::karma, writes_, static_cast<double>(options_.rate));
    for (std::uint64_t written = 1; now() < end; ++written) {
      (void)master.response(write);
      const Time acknowledged = now();
      while (slave.response(read) < written) {
      }
      lags.add(nanoseconds_since(acknowledged));
    }
    const Measured beside = writer.finish();
    if (beside.errors != 0) fail("refused: " + beside.first_error);
    add("beside_per_second", "increments/s while the lag is measured",
        static_cast<double>(beside.replies) / beside.seconds);
    add("lag_p50_ms", "acknowledged to seen on the slave: p50 ms", ms(lags.at(0.5)));
    add("lag_p99_ms", "  p99 ms", ms(lags.at(0.99)));
    add("sync_p50_ms", "  a sync of the disk: p50 ms", ms(sync.at(0.5)));
    add("sync_p99_ms", "  p99 ms", ms(sync.at(0.99)));
  }

  // Of a small file in the slave's directory, which grows as a log does.
  Histogram syncs() const {
    const std::string path = (slave_->directory() / "probe").string();
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    Histogram times;
    for (int i = 0; i < 300; ++i) {
      const Time begin = now();
      if (::write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || ::fdatasync(file) != 0)
        fail("cannot sync " + path);
      times.add(nanoseconds_since(begin));
    }
    ::close(file);
    ::unlink(path.c_str());
    return times;
  }

  // Once alone, for the rate; once with a reader.
  void catch_up() {
    Plan plan;
    plan.count = options_.read_rounds;
    const Histogram idle = Clients(slave_->address(), Dialect::karma, 1, 1).run(reads_, plan).round_trips;
    add("catch_up_per_second", "catching up, entries/s", catch_up_once([](auto work) { work(); }));
    Histogram during;
    (void)catch_up_once([&](auto work) { during = reads_during(slave_->address(), reads_, work); });
    const Histogram others = reads_during(slave_->address(), reads_, [&] { new_slave(); });
    add("read_idle_p99_us", "a read on the slave, idle: p99 us", ms(idle.at(0.99)) * 1e3);
    add("read_catch_up_p99_us", "  while it catches up: p99 us", ms(during.at(0.99)) * 1e3);
    add("read_catch_up_to_idle", "  as a multiple of idle", ms(during.at(0.99)) / ms(idle.at(0.99)));
    add("read_bootstrap_p99_us", "  while another slave is made: p99 us", ms(others.at(0.99)) * 1e3);
    add("read_bootstrap_to_idle", "  as a multiple of idle", ms(others.at(0.99)) / ms(idle.at(0.99)));
  }

  // Entries a second, from the slave's first answer on.
  template <class Around>
  double catch_up_once(Around around) {
    slave_->kill();
    Clients clients(master_.address(), Dialect::karma, options_.clients, 1024);
    Plan plan;
    plan.count = options_.entries;
    if (const Measured written = clients.run(writes_, plan); written.errors != 0)
      fail("refused: " + written.first_error);
    slave_->start();
    double rate = 0;
    around([&] {
      const Time begin = now();
      const std::uint64_t from = position_of(slave_->address());
      wait_until_level(*slave_);
      rate = static_cast<double>(position_of(slave_->address()) - from) / seconds_since(begin);
    });
    return rate;
  }

  void write_rates() {
    std::vector<Slave> more;
    slave_->kill();
    const WriteRate alone = write_rate();
    slave_->start();
    for (std::uint64_t i = 1; i < options_.slaves; ++i) more.push_back(new_slave());
    wait_until_level(*slave_);
    const WriteRate followed = write_rate();
    const std::string with = "  with " + std::to_string(options_.slaves);
    add("writes_without_slaves_per_second", "increments/s without slaves", alone.per_second);
    add("writes_with_slaves_per_second", with.c_str(), followed.per_second);
    add("writes_with_to_without", "  as a fraction", followed.per_second / alone.per_second);
    // All processes share the cores here, so the rate also tells what the slaves need themselves; this does not.
    add("master_cpu_without_slaves_us", "master's CPU us an increment, without slaves", alone.cpu_us);
    add("master_cpu_with_slaves_us", with.c_str(), followed.cpu_us);
    add("master_cpu_without_to_with", "  as a fraction", alone.cpu_us / followed.cpu_us);
    more.push_back(std::move(slave_));
    exact_ = true;
    const std::vector<std::uint64_t> expected = totals(master_.address());
    for (const Slave& slave : more) {
      wait_until_level(*slave);
      exact_ &= totals(slave->address()) == expected;
    }
    report_.text("verified", "the slaves' totals", exact_ ? "exact" : "wrong");
  }
  struct WriteRate {
    double per_second = 0;
    double cpu_us = 0;  // of the master, an increment
  };
  WriteRate write_rate() {
    Clients clients(master_.address(), Dialect::karma, options_.clients, 128);
    Plan plan;
    plan.duration = std::chrono::seconds(options_.seconds);
    const double before = cpu_seconds(master_.pid());
    const Measured measured = clients.run(writes_, plan);
    const double cpu = cpu_seconds(master_.pid()) - before;
    if (measured.errors != 0) fail("refused: " + measured.first_error);
    const double replies = static_cast<double>(measured.replies);
    return {replies / measured.seconds, cpu * 1e6 / replies};
  }
  std::vector<std::uint64_t> totals(const Address& node) const {
    Requests requests = workload_.totals();
    return send_all(node, Dialect::karma, requests);
  }

  const Options& options_;
  const KarmaProtocol protocol_;
  Workload workload_;
  SpawnedServer master_;
  Slave slave_;
  Requests writes_;
  Requests reads_;
  Report report_;
  bool exact_ = false;
};

int run(const Options& options) {
  Replication replication(options);
  const Report report = replication.run();
  std::fputs(
      options.json ? (report.json().dump() + "\n").c_str() : ("a master and its slaves\n" + report.lines()).c_str(),
      stdout);
  return replication.exact() ? 0 : 1;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program(
      [&] { return karma::tools::load::run(karma::tools::load::parse_options(argc, argv)); });
}
