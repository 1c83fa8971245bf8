// Whom a long act holds up: a server with a large series, one act after the other, and beside each two clients that
// read and write another series. See bench/README.md.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "load_connection.h"
#include "load_directory.h"
#include "load_flags.h"
#include "load_server.h"
#include "tools/load/clients.h"
#include "tools/load/protocol.h"
#include "tools/load/report.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead = R"(Usage: karma_stall_load_test --spawn=PATH [options] [-- options of the server]

Runs each act that takes long on a series of many keys, and prints how long it took and the longest that a client which
reads and one which writes another series had to wait meanwhile, and the longest sync of a file of its own.
)";
constexpr std::string_view kTail = "";

struct Options {
  ServerOptions server;
  std::uint64_t keys = 100000;
  std::uint64_t days = 3;
  std::uint64_t series = 100;
  std::uint64_t records = 100000;
  std::uint64_t after_ms = 1000;
  std::string only;
  bool json = false;
};

constexpr std::uint64_t kBatch = 10000;
constexpr std::string_view kNothing = "nothing";  // what the others are compared with: always a row
constexpr std::uint64_t kDeletes = 200;

double milliseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

// A client that asks the same again and again.
class Probe {
 public:
  Probe(const Address& address, std::string line) : connection_(address), line_(std::move(line)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Probe() {
    stop_ = true;
    thread_.join();
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  void begin() { longest_ = 0; }
  double longest() const {
    if (failed_) fail("a client beside was refused");
    return milliseconds(longest_);
  }

 private:
  static constexpr std::chrono::microseconds kPause{500};

  void run() {
    try {
      while (!stop_) {
        const Time sent = now();
        connection_.ask(line_);
        const std::int64_t waited = std::chrono::duration_cast<std::chrono::nanoseconds>(now() - sent).count();
        longest_ = std::max(longest_.load(), waited);
        std::this_thread::sleep_for(kPause);
      }
    } catch (const std::exception&) {
      failed_ = true;
    }
  }

  Connection connection_;
  const std::string line_;
  std::atomic<std::int64_t> longest_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

// What the disk takes by itself: a file that grows by a line, which is synced, again and again, as the log of a server
// with one client is.
class DiskProbe {
 public:
  DiskProbe() : file_(::open((directory_.string() + "/probe").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ < 0) fail("cannot create a file");
    thread_ = std::thread([this] { run(); });
  }
  ~DiskProbe() {
    stop_ = true;
    thread_.join();
    ::close(file_);
  }
  DiskProbe(const DiskProbe&) = delete;
  DiskProbe& operator=(const DiskProbe&) = delete;

  void begin() { longest_ = 0; }
  double longest() const {
    if (failed_) fail("cannot sync a file");
    return milliseconds(longest_);
  }

 private:
  static constexpr std::chrono::microseconds kPause{500};

  void run() {
    const std::string line(150, '-');
    while (!stop_) {
      const Time begun = now();
      if (::write(file_, line.data(), line.size()) < 0 || ::fdatasync(file_) != 0) failed_ = true;
      const std::int64_t took = std::chrono::duration_cast<std::chrono::nanoseconds>(now() - begun).count();
      longest_ = std::max(longest_.load(), took);
      std::this_thread::sleep_for(kPause);
    }
  }

  TemporaryDirectory directory_;
  const int file_;
  std::atomic<std::int64_t> longest_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

class StallTest {
 public:
  explicit StallTest(const Options& options)
      : options_(options),
        server_(options.server),
        client_(server_.address()),
        reader_(server_.address(), prepared(request("counter.sum", R"(,"series":"probe","key":1)"))),
        writer_(server_.address(), request("counter.increment", R"(,"series":"probe","key":1,"bucket":20260101)")) {}

  void run() {
    for (std::uint64_t i = 0; i < options_.series; ++i)
      client_.send_ahead(increment("small-" + std::to_string(i), i, ""));
    client_.finish();
    act(std::string(kNothing), [] {});
    if (wanted("filling")) {
      act("filling", [this] { fill("big"); });
    } else {
      fill("big");
    }
    reads();
    snapshots();
    deletes();
    exactly_once();
  }

  std::string json() const {
    nlohmann::ordered_json acts = nlohmann::ordered_json::array();
    for (const Row& row : rows_)
      acts.push_back({{"act", row.act},
                      {"ms", row.ms},
                      {"read_ms", row.read_ms},
                      {"write_ms", row.write_ms},
                      {"sync_ms", row.sync_ms}});
    return nlohmann::ordered_json({{"keys", options_.keys}, {"acts", std::move(acts)}}).dump();
  }

 private:
  struct Row {
    std::string act;
    double ms;
    double read_ms;
    double write_ms;
    double sync_ms;
  };

  std::string prepared(std::string line) {
    client_.ask(request("counter.increment", R"(,"series":"probe","key":1,"bucket":20260101)"));
    return line;
  }

  bool wanted(std::string_view name) const { return name.find(options_.only) != std::string_view::npos; }

  void act(const std::string& name, const std::function<void()>& work) {
    if (name != kNothing && !wanted(name)) return;
    reader_.begin();
    writer_.begin();
    disk_.begin();
    const Time begin = now();
    work();
    const double ms = seconds_since(begin) * 1e3;
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.after_ms));
    rows_.push_back({name, ms, reader_.longest(), writer_.longest(), disk_.longest()});
    if (!options_.json) {
      if (rows_.size() == 1)
        std::printf("%-28s %10s %15s %16s %15s\n", "act", "ms", "longest read ms", "longest write ms",
                    "longest sync ms");
      const Row& row = rows_.back();
      std::printf("%-28s %10.1f %15.2f %16.2f %15.2f\n", name.c_str(), ms, row.read_ms, row.write_ms, row.sync_ms);
      std::fflush(stdout);
    }
  }
  void ask(const std::string& name, std::string_view op, const std::string& fields) {
    act(name, [&] { client_.ask(request(op, fields)); });
  }

  static std::string increment(const std::string& series, std::uint64_t key, const std::string& more) {
    return request("counter.increment",
                   R"(,"series":")" + series + R"(","key":)" + std::to_string(key) + R"(,"bucket":20260101)" + more);
  }

  // Calls take(items) with all points of the large series, a batch at a time.
  void for_each_batch(const std::function<void(const std::string&)>& take, std::uint64_t most = UINT64_MAX) const {
    for (std::uint64_t day = 0; day < options_.days; ++day) {
      for (std::uint64_t first = 0; first < options_.keys && most != 0; first += kBatch, --most) {
        std::string items;
        for (std::uint64_t key = first; key < std::min(first + kBatch, options_.keys); ++key) {
          append_number(items += items.empty() ? "[" : ",[", key);
          items.append(",").append(bucket_text(day)).append(",1]");
        }
        take("[" + items + "]");
      }
    }
  }
  void fill(const std::string& series, std::uint64_t most_batches = UINT64_MAX) {
    for_each_batch(
        [&](const std::string& items) {
          client_.send_ahead(request("series.batch_add", R"(,"series":")" + series + R"(","items":)" + items));
        },
        most_batches);
    client_.finish();
  }

  void fill_before(std::string_view name) {
    if (wanted(name)) fill("big");
  }

  void reads() {
    const std::string range = R"(,"range":{"from":)" + bucket_text(0) + R"(,"to":)" + bucket_text(options_.days) + "}";
    ask("tree.top", "tree.top", R"(,"series":"big","limit":100)");
    ask("tree.top of a range", "tree.top", R"(,"series":"big","limit":100)" + range);
    ask("tree.summary of a range", "tree.summary", R"(,"series":"big")" + range);
    ask("tree.keys", "tree.keys", R"(,"series":"big","limit":1000)");
    act("tree.top beside writes", [&] {
      Connection other(server_.address());
      other.send(request("tree.top", R"(,"series":"big","limit":100)" + range));
      for (std::uint64_t key = 0; key < 100; ++key) client_.send_ahead(increment("big", key * 7919, ""));
      client_.finish();
      (void)other.receive();
    });
    act("batches beside tree.top", [&] {
      Connection other(server_.address());
      other.send(request("tree.top", R"(,"series":"big","limit":100)" + range));
      fill("big", 3);
      (void)other.receive();
    });
    act("karma export", [&] { export_series(); });
    act("log rotation", [&] { write_a_segment(); });
  }

  // At least one file of the log is closed and another one begun: 64 MiB, by default, of entries on a few counters.
  void write_a_segment() {
    constexpr std::size_t kSegmentBytes = std::size_t{64} << 20;
    std::string items;
    for (std::uint64_t key = 0; key < kBatch; ++key) {
      append_number(items += items.empty() ? "[" : ",[", key);
      items.append(",").append(bucket_text(0)).append(",1]");
    }
    const std::string line = request("series.batch_add", R"(,"series":"rotated","items":[)" + items + "]");
    for (std::size_t sent = 0; sent <= kSegmentBytes; sent += line.size()) client_.send_ahead(line);
    client_.finish();
  }

  void export_series() {
    const pid_t pid = ::fork();
    const std::string address = "--port=" + std::to_string(server_.address().port);
    if (pid == 0) {
      // Neither the points nor what it tells of itself is wanted.
      const int nowhere = ::open("/dev/null", O_WRONLY);
      if (::dup2(nowhere, STDOUT_FILENO) < 0 || ::dup2(nowhere, STDERR_FILENO) < 0) ::_exit(127);
      ::execl(options_.server.path.c_str(), options_.server.path.c_str(), "export", address.c_str(), "--series=big",
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) fail("cannot export");
  }

  void snapshots() {
    ask("snapshot.create_all", "snapshot.create_all", "");
    ask("snapshot.create", "snapshot.create", R"(,"series":"big")");
    act("snapshot beside writes", [&] {
      Connection other(server_.address());
      other.send(request("snapshot.create", R"(,"series":"big")"));
      for (std::uint64_t key = 0; key < 1000; ++key) client_.send_ahead(increment("big", key * 7919, ""));
      client_.finish();
      (void)other.receive();
    });
    ask("snapshot.verify", "snapshot.verify", "");
    if (!wanted("snapshot.load")) return;
    if (!options_.only.empty()) client_.ask(request("snapshot.create", R"(,"series":"big")"));
    const std::string list = client_.ask(request("snapshot.list", ""));
    const std::size_t end = list.find("_big.tree\"");
    if (end == std::string::npos) fail("no snapshot of the large series");
    const std::size_t begin = list.rfind('/', end) + 1;
    const std::string file = list.substr(begin, list.find('"', end) - begin);
    ask("snapshot.load", "snapshot.load", R"(,"file":")" + file + '"');
  }

  // Of days that no counter has, which all pages are gone through for all the same.
  void delete_days() {
    for (std::uint64_t day = 1; day <= kDeletes; ++day) {
      const std::string bucket = bucket_text(options_.days + 2 * day);
      client_.send_ahead(
          request("tree.delete_range", R"(,"series":"big","range":{"from":)" + bucket + R"(,"to":)" + bucket + "}"));
    }
    client_.finish();
  }

  void deletes() {
    act(std::to_string(kDeletes) + " deletes beside batches", [&] {
      Connection other(server_.address());
      delete_days();
      other.send(request("tree.top", R"(,"series":"big","limit":100)"));
      fill("big", 10);
      for (std::uint64_t key = 0; key < 100; ++key)
        client_.send_ahead(request("counter.sum", R"(,"series":"big","key":)" + std::to_string(key * 7919)));
      client_.finish();
      (void)other.receive();
    });
    ask("tree.delete_range, 1 day", "tree.delete_range",
        R"(,"series":"big","range":{"from":)" + bucket_text(0) + R"(,"to":)" + bucket_text(0) + "}");
    ask("series.delete_before, all", "series.delete_before", R"(,"series":"big","before":20300101)");
    fill_before("tree.reset");
    ask("tree.reset", "tree.reset", R"(,"series":"big")");
    fill_before("tree.drop");
    ask("tree.drop", "tree.drop", R"(,"series":"big")");
    if (!wanted("ingest.chunk, staging")) return;
    fill("big");
    const std::string stream = R"(,"stream_id":"again")";
    client_.ask(request("ingest.begin", stream + R"(,"mode":"replace_series")"));
    std::uint64_t chunk = 0;
    act("ingest.chunk, staging", [&] {
      for_each_batch([&](const std::string& items) {
        client_.send_ahead(request("ingest.chunk", stream + R"(,"series":"big","chunk_seq":)" +
                                                       std::to_string(++chunk) + R"(,"items":)" + items));
      });
      client_.finish();
    });
    ask("ingest.commit, replacing", "ingest.commit", stream);
  }

  void exactly_once() {
    if (!wanted("idempotency.prune")) return;
    for (std::uint64_t i = 0; i < options_.records; ++i)
      client_.send_ahead(increment("small-0", 1, R"(,"idempotency_key":"record-)" + std::to_string(i) + '"'));
    client_.finish();
    ask("idempotency.prune", "idempotency.prune", R"(,"before":"2999-01-01T00:00:00Z")");
  }

  const Options& options_;
  SpawnedServer server_;
  Connection client_;
  Probe reader_;
  Probe writer_;
  DiskProbe disk_;
  std::vector<Row> rows_;
};

int run(int argc, char** argv) {
  Options options;
  Flags flags("karma_stall_load_test", kHead, kTail);
  flags.text("spawn", "PATH", "start this server on a free port with a new, temporary data directory",
             options.server.path);
  flags.number("keys", "N", "of the large series", options.keys, 1, 50000000);
  flags.number("days", "N", "of each key", options.days, 1, 366);
  flags.number("series", "N", "small series besides", options.series, 1, 100000);
  flags.number("records", "N", "idempotency keys to prune", options.records, 1, 10000000);
  flags.number("after-ms", "N", "the clients go on so long after the reply", options.after_ms, 1, 60000);
  flags.text("only", "TEXT", "only acts whose names hold it", options.only);
  flags.truth("wal", "the server writes a log", options.server.wal);
  flags.truth("wal-fsync", "and syncs it before it answers", options.server.wal_fsync);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  options.server.more = flags.parse(argc, argv);
  options.server.more.insert(options.server.more.begin(), "--query-timeout-ms=0");  // acts are to end
  if (options.server.path.empty()) misuse("--spawn is missing");
  StallTest test(options);
  test.run();
  if (options.json) std::puts(test.json().c_str());
  return 0;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program([&] { return karma::tools::load::run(argc, argv); });
}
