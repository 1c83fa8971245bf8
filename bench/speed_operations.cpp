#include "speed_operations.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include <karma/engine.h>

namespace karma::speed {
namespace {

using Call = std::vector<std::string>;

constexpr std::uint64_t kKeys = 1000;
constexpr std::int32_t kDays = 356;
constexpr std::int32_t kWrittenDays = 30;  // the last ones: producers write to days that are not long gone
constexpr std::int32_t kFirstDay = 20454;  // 2026-01-01
constexpr std::uint64_t kBatch = 1000;
constexpr std::uint64_t kPipeline = 128;
constexpr std::uint64_t kEntries = 4096;
constexpr std::uint64_t kPoints = kKeys * kDays;

// Below the directory: a snapshot of all points, and a log without a snapshot.
constexpr const char* kPointsName = "/points";
constexpr const char* kEntriesName = "/entries";

// Stands still, so that every run sees the same day and writes numbers of the same length.
class StoppedClock final : public Clock {
 public:
  std::int64_t unix_seconds() const override { return std::int64_t{kFirstDay + kDays - 1} * 86400; }
  std::chrono::steady_clock::time_point steady() const override { return {}; }
};

StoppedClock& stopped_clock() {
  static StoppedClock clock;
  return clock;
}

enum class Wal { off, on };

// A node that answers, or the end of the program.
class Node {
 public:
  Node(const std::string& directory, Wal wal) {
    Config config;
    config.directory = directory;
    config.wal = wal == Wal::on;
    config.wal_fsync = false;
    config.max_request_bytes = 1 << 20;
    config.log = false;
    auto opened = Engine::open(config, posix_file_system(), stopped_clock());
    if (!opened) fail(opened.error().message);
    engine_ = std::move(*opened);
  }

  void execute(const Call& call) {
    constexpr std::string_view kSuccess = R"({"protocol_version":2,"success":true,)";
    for (const std::string& reply : engine_->execute(call)) {
      if (!reply.starts_with(kSuccess)) fail(reply.substr(0, 200));
    }
  }

  void close(bool snapshot) {
    if (Status closed = engine_->close(snapshot); !closed) fail(closed.error().message);
  }

 private:
  std::unique_ptr<Engine> engine_;
};

std::string start(std::string_view op) { return R"({"v":2,"op":")" + std::string(op) + R"(","series":"links")"; }

std::string bucket(std::int32_t day) { return std::to_string(Bucket::of_day(kFirstDay + day).number()); }

// Ids as an application has them: growing, with gaps.
std::string key(std::uint64_t number) { return std::to_string(1'000'000 + number * 3); }

// The last `days` days of all.
std::string range(std::int32_t days) {
  return R"(,"range":{"from":)" + bucket(kDays - days) + R"(,"to":)" + bucket(kDays - 1) + "}";
}

class Lines {
 public:
  std::string increment() { return open_increment() + "}"; }
  std::string keyed_increment() {
    return open_increment() + R"(,"idempotency_key":"click-)" + std::to_string(10'000'000 + keyed_++) + "\"}";
  }
  std::string sum() { return start("counter.sum") + R"(,"key":)" + random_key() + "}"; }
  std::string sum_of_30_days() { return start("counter.sum") + R"(,"key":)" + random_key() + range(30) + "}"; }

  std::string batch_add() {
    std::string line = start("series.batch_add") + R"(,"items":[)";
    for (std::uint64_t i = 0; i < kBatch; ++i)
      line += (i == 0 ? "[" : ",[") + random_key() + "," + random_bucket() + ",1]";
    return line + "]}";
  }

  std::string batch_sum() { return open_batch_sum() + "}"; }
  std::string batch_sum_of_30_days() { return open_batch_sum() + range(30) + "}"; }
  std::string batch_sum_of_356_days() { return open_batch_sum() + range(356) + "}"; }

 private:
  std::string random_key() { return key(random_() % kKeys); }
  std::string random_bucket() { return bucket(kDays - 1 - static_cast<std::int32_t>(random_() % kWrittenDays)); }

  std::string open_increment() {
    return start("counter.increment") + R"(,"key":)" + random_key() + R"(,"bucket":)" + random_bucket();
  }
  std::string open_batch_sum() {
    std::string line = start("counter.batch_sum") + R"(,"keys":[)";
    for (std::uint64_t i = 0; i < kBatch; ++i) line += (i == 0 ? "" : ",") + random_key();
    return line + "]";
  }

  std::mt19937_64 random_{1};
  std::uint64_t keyed_ = 0;
};

using MakeLine = std::string (Lines::*)();

std::vector<Call> make_calls(MakeLine make, std::uint64_t count, std::uint64_t lines) {
  Lines source;
  std::vector<Call> calls(count);
  for (Call& call : calls) {
    for (std::uint64_t i = 0; i < lines; ++i) call.push_back((source.*make)());
  }
  return calls;
}

// Requests to a node that holds all points. Those for many calls are made even if few are done: what is made before
// must cost the same.
template <MakeLine make, Wal wal>
void requests(const Operation& operation, const std::string& directory, std::uint64_t calls) {
  const std::vector<Call> made = make_calls(make, operation.many, operation.per_call);
  if (calls > made.size()) fail("that often is more than " + std::string(operation.name) + " has requests for");
  Node node(directory + kPointsName, wal);
  for (std::uint64_t i = 0; i < calls; ++i) node.execute(made[i]);
  node.close(false);
}

void snapshots(const Operation&, const std::string& directory, std::uint64_t calls) {
  Node node(directory + kPointsName, Wal::off);
  for (std::uint64_t i = 0; i < calls; ++i) node.execute({R"({"v":2,"op":"snapshot.create_all"})"});
  node.close(false);
}

template <const char* const& name>
void starts(const Operation&, const std::string& directory, std::uint64_t calls) {
  for (std::uint64_t i = 0; i < calls; ++i) Node(directory + name, Wal::on).close(false);
}

constexpr Operation kOperations[] = {
    {"increment", "counter.increment", kPipeline, 4, 132, requests<&Lines::increment, Wal::off>},
    {"increment_logged", "the same with the log on", kPipeline, 4, 132, requests<&Lines::increment, Wal::on>},
    {"keyed_increment", "counter.increment with an idempotency key", kPipeline, 4, 132,
     requests<&Lines::keyed_increment, Wal::off>},
    {"keyed_increment_logged", "the same with the log on", kPipeline, 4, 132,
     requests<&Lines::keyed_increment, Wal::on>},
    {"sum", "counter.sum", kPipeline, 4, 132, requests<&Lines::sum, Wal::off>},
    {"sum_30_days", "counter.sum of 30 days", kPipeline, 4, 132, requests<&Lines::sum_of_30_days, Wal::off>},
    {"batch_add", "series.batch_add of 1000 items", 1, 4, 68, requests<&Lines::batch_add, Wal::off>},
    {"batch_add_logged", "the same with the log on", 1, 4, 68, requests<&Lines::batch_add, Wal::on>},
    {"batch_sum", "counter.batch_sum of 1000 keys", 1, 4, 68, requests<&Lines::batch_sum, Wal::off>},
    {"batch_sum_30_days", "the same, of 30 days", 1, 4, 68, requests<&Lines::batch_sum_of_30_days, Wal::off>},
    {"batch_sum_356_days", "the same, of all 356 days", 1, 4, 68, requests<&Lines::batch_sum_of_356_days, Wal::off>},
    {"snapshot_point", "writing a point to a snapshot", kPoints, 1, 5, snapshots},
    {"restore_point", "reading a point from a snapshot at start", kPoints, 1, 5, starts<kPointsName>},
    {"replay_entry", "reading and applying an increment of the log at start", kEntries, 1, 5, starts<kEntriesName>},
};

}  // namespace

std::span<const Operation> operations() { return kOperations; }

void prepare(const std::string& directory) {
  for (const char* name : {kPointsName, kEntriesName}) {
    if (Status made = posix_file_system().create_directories(directory + name); !made) fail(made.error().message);
  }

  std::mt19937_64 random(2);
  Node points(directory + kPointsName, Wal::off);
  for (std::uint64_t number = 0; number < kKeys; ++number) {
    std::string line = start("series.batch_add") + R"(,"items":[)";
    for (std::int32_t day = 0; day < kDays; ++day) {
      line +=
          (day == 0 ? "[" : ",[") + key(number) + "," + bucket(day) + "," + std::to_string(1 + random() % 100) + "]";
    }
    points.execute({line + "]}"});
  }
  points.close(true);

  Node entries(directory + kEntriesName, Wal::on);
  for (const Call& call : make_calls(&Lines::increment, kEntries / kPipeline, kPipeline)) entries.execute(call);
  entries.close(false);
}

void run(const Operation& operation, const std::string& directory, std::uint64_t count) {
  if (count % operation.per_call != 0)
    fail("the count of " + std::string(operation.name) + " must be a multiple of " +
         std::to_string(operation.per_call));
  operation.run(operation, directory, count / operation.per_call);
}

void fail(const std::string& message) {
  std::fprintf(stderr, "karma_speed: %s\n", message.c_str());
  std::exit(1);
}

}  // namespace karma::speed
