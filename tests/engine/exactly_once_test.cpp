// Producers that repeat themselves, over power cuts, snapshots and clocks that step: every event counts once, whatever
// was answered when. KARMA_TEST_SEED repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

// A write with an idempotency key: an increment, or a batch over two keys.
struct Event {
  std::string id;
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  bool batch = false;
  bool acknowledged = false;

  std::string to_json() const {
    const std::string tail = R"(,"idempotency_key":")" + id + "\"}";
    const std::string number = std::to_string(value);
    if (!batch)
      return R"({"v":2,"op":"counter.increment","series":"events","bucket":20260101,"key":)" + std::to_string(key) +
             R"(,"value":)" + number + tail;
    return R"({"v":2,"op":"series.batch_add","series":"events","items":[[)" + std::to_string(key) + ",20260101," +
           number + "],[" + std::to_string(key + 100) + ",20260102," + number + "]]" + tail;
  }
  std::string response() const {
    return batch ? R"({"applied":2,"total":)" + std::to_string(2 * value) + "}" : std::to_string(value);
  }
};

// A producer of numbered chunks, which knows nothing but what it was answered.
struct Stream {
  std::string id;
  std::string series;
  std::string mode;
  std::vector<std::string> chunks;  // items as JSON
  std::map<std::uint64_t, std::uint64_t> totals;
  bool begun = false;
  bool committed = false;
  std::uint64_t next = 1;

  std::string begin() const {
    return R"({"v":2,"op":"ingest.begin","stream_id":")" + id + R"(","mode":")" + mode + "\"}";
  }
  std::string commit() const { return R"({"v":2,"op":"ingest.commit","stream_id":")" + id + "\"}"; }
  std::string chunk(std::uint64_t number) const {
    return R"({"v":2,"op":"ingest.chunk","stream_id":")" + id + R"(","series":")" + series + R"(","chunk_seq":)" +
           std::to_string(number) + R"(,"items":)" + chunks[number - 1] + "}";
  }
};

class Producers {
 public:
  explicit Producers(std::uint64_t seed) : random_(seed) { node_ = start(std::make_unique<CrashableFileSystem>()); }

  void run(int rounds) {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      node_->files->power_off_at(1 + random_.up_to(60), random_.any());
      for (std::uint64_t steps = random_.up_to(40); steps != 0; --steps) step();
      crash();
      check_bounds();
    }
    finish();
  }

 private:
  std::unique_ptr<Node> start(std::unique_ptr<CrashableFileSystem> disk) {
    auto node = std::make_unique<Node>(std::move(disk));
    node->config.wal_segment_bytes = static_cast<int>(random_.up_to(3000));
    node->config.wal_batch_size = random_.one_in(3) ? 4 : 1024;
    node->clock.set(now_);
    node->open();
    return node;
  }

  void crash() {
    auto disk = node_->files->after_crash(static_cast<Unsynced>(random_.up_to(2)), random_.any());
    now_ += static_cast<std::int64_t>(random_.up_to(2000)) - 500;  // the clock of the next start may lie behind
    node_.reset();
    node_ = start(std::move(disk));
    for (Stream& stream : streams_) stream.begun = stream.committed = false;
  }

  void step() {
    now_ += static_cast<std::int64_t>(random_.up_to(20)) - 5;
    node_->clock.set(now_);
    switch (random_.up_to(9)) {
      case 0:
        (void)node_->call("snapshot.create_all");
        return;
      case 1:
        (void)node_->call("snapshot.create", random_.one_in(2) ? R"(,"series":"events")" : R"(,"series":"s-0")");
        return;
      case 2:
      case 3:
      case 4:
        return use_stream();
      default:
        return send_events();
    }
  }

  void send_events() {
    std::vector<std::size_t> sent;
    for (std::uint64_t count = 1 + random_.up_to(10); count != 0; --count) {
      const bool repeat = !events_.empty() && random_.one_in(3);
      if (!repeat)
        events_.push_back({.id = "event-" + std::to_string(events_.size()),
                           .key = random_.up_to(5),
                           .value = 1 + random_.up_to(9),
                           .batch = random_.one_in(3)});
      sent.push_back(repeat ? random_.up_to(events_.size() - 1) : events_.size() - 1);
    }
    send(sent);
  }

  void send(const std::vector<std::size_t>& sent) {
    std::vector<std::string> lines;
    for (const std::size_t i : sent) lines.push_back(events_[i].to_json());
    const std::vector<std::string> replies = (*node_)(lines);
    ASSERT_EQ(replies.size(), lines.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      Event& event = events_[sent[i]];
      if (!succeeded(replies[i])) {
        ASSERT_TRUE(failed_with(replies[i], "internal_error")) << replies[i];
        continue;
      }
      ASSERT_NE(replies[i].find("\"response\":" + event.response() + ",\"idempotent\":"), std::string::npos)
          << lines[i] << "\n"
          << replies[i];
      if (event.acknowledged) {
        ASSERT_NE(replies[i].find("\"idempotent\":true"), std::string::npos) << replies[i];
      }
      event.acknowledged = true;
    }
  }

  void use_stream() {
    if (streams_.size() < 40 && (streams_.empty() || random_.one_in(8))) add_stream();
    advance(streams_[random_.up_to(streams_.size() - 1)]);
  }

  void add_stream() {
    constexpr const char* kModes[] = {"add", "set", "replace_series"};
    Stream stream;
    stream.id = "stream-" + std::to_string(streams_.size());
    stream.series = "s-" + std::to_string(streams_.size());
    stream.mode = random_.of(kModes);
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> points;
    for (std::uint64_t count = 1 + random_.up_to(8); count != 0; --count) {
      std::string items;
      for (std::uint64_t item = 0; item < 3; ++item) {
        const std::uint64_t key = random_.up_to(3);
        const std::uint64_t bucket = 20260101 + random_.up_to(4);
        const std::uint64_t value = 1 + random_.up_to(9);
        auto& point = points[{key, bucket}];
        point = stream.mode == "add" ? point + value : value;
        items += (item == 0 ? "[" : ",[") + std::to_string(key) + "," + std::to_string(bucket) + "," +
                 std::to_string(value) + "]";
      }
      stream.chunks.push_back("[" + items + "]");
    }
    for (const auto& [place, value] : points) stream.totals[place.first] += value;
    streams_.push_back(std::move(stream));
  }

  // As far as it gets with one pipeline: a begin, some chunks from anywhere before the next one on, perhaps the commit.
  void advance(Stream& stream) {
    if (!stream.begun) {
      const std::string reply = (*node_)(stream.begin());
      if (!succeeded(reply)) return;
      const std::size_t at = reply.find("\"last_chunk_seq\":");
      ASSERT_NE(at, std::string::npos) << reply;
      const std::uint64_t last = std::stoull(reply.substr(at + 17));
      ASSERT_GE(last + 1, stream.next) << "acknowledged chunks are gone: " << reply;
      stream.next = last + 1;
      stream.begun = true;
    }
    std::vector<std::string> lines;
    std::vector<std::uint64_t> numbers;
    const std::uint64_t from = stream.next - random_.up_to(stream.next - 1);
    const std::uint64_t to = std::min<std::uint64_t>(stream.next + random_.up_to(4), stream.chunks.size());
    for (std::uint64_t number = from; number <= to; ++number) {
      lines.push_back(stream.chunk(number));
      numbers.push_back(number);
      if (random_.one_in(4)) lines.push_back(stream.chunk(number)), numbers.push_back(number);
    }
    const std::vector<std::string> replies = (*node_)(lines);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (!succeeded(replies[i])) continue;  // power off, or behind one that was refused for that
      ASSERT_EQ(replies[i].find("\"skipped\":true") != std::string::npos, numbers[i] < stream.next) << replies[i];
      stream.next = std::max(stream.next, numbers[i] + 1);
    }
    if (stream.next <= stream.chunks.size() || stream.committed) return;
    stream.committed = succeeded((*node_)(stream.commit()));
  }

  std::uint64_t sum(const std::string& series, std::uint64_t key) {
    const std::string reply =
        node_->call("counter.sum", R"(,"series":")" + series + R"(","key":)" + std::to_string(key));
    if (failed_with(reply, "not_found")) return 0;
    const std::size_t at = reply.find("\"response\":");
    EXPECT_NE(at, std::string::npos) << reply;
    return at == std::string::npos ? 0 : std::stoull(reply.substr(at + 11));
  }

  // What was acknowledged is there, and nothing but what was sent.
  void check_bounds() {
    std::map<std::uint64_t, std::uint64_t> least;
    std::map<std::uint64_t, std::uint64_t> most;
    for (const Event& event : events_) {
      for (const std::uint64_t key : {event.key, event.key + 100}) {
        if (key >= 100 && !event.batch) continue;
        if (event.acknowledged) least[key] += event.value;
        most[key] += event.value;
      }
    }
    for (const auto& [key, value] : most) {
      const std::uint64_t found = sum("events", key);
      ASSERT_GE(found, least[key]) << key;
      ASSERT_LE(found, value) << key;
    }
  }

  void finish() {
    for (std::size_t i = 0; i < events_.size() && !testing::Test::HasFailure(); ++i) send({i});
    for (Stream& stream : streams_) {
      for (int tries = 0; !stream.committed && tries < 100 && !testing::Test::HasFailure(); ++tries) advance(stream);
    }
    for (const bool snapshot : {false, true}) {
      node_->close(snapshot);
      node_->open();
      check_totals();
    }
  }

  void check_totals() {
    std::map<std::uint64_t, std::uint64_t> totals;
    for (const Event& event : events_) {
      ASSERT_TRUE(event.acknowledged) << event.id;
      totals[event.key] += event.value;
      if (event.batch) totals[event.key + 100] += event.value;
    }
    for (const auto& [key, value] : totals) ASSERT_EQ(sum("events", key), value) << key;
    for (const Stream& stream : streams_) {
      ASSERT_TRUE(stream.committed) << stream.id;
      for (const auto& [key, value] : stream.totals)
        ASSERT_EQ(sum(stream.series, key), value) << stream.id << " " << key;
    }
  }

  Random random_;
  std::int64_t now_ = ManualClock::kNoon;
  std::unique_ptr<Node> node_;
  std::vector<Event> events_;
  std::vector<Stream> streams_;
};

TEST(ExactlyOnce, RepliesKeepTheOrderOfTheirRequests) {
  Node node;
  node.open();
  const auto increment = [](int key, const std::string& id) {
    return R"({"v":2,"op":"counter.increment","series":"s","bucket":20260101,"value":1,"key":)" + std::to_string(key) +
           (id.empty() ? "}" : R"(,"idempotency_key":")" + id + "\"}");
  };
  node(increment(1, "known"));
  const std::string drop = R"({"v":2,"op":"tree.drop","series":"none"})";
  const std::vector<std::string> replies =
      node({increment(1, ""), increment(1, "known"), drop, increment(1, "new"), increment(1, "new"), drop});
  ASSERT_EQ(replies.size(), 6u);
  EXPECT_EQ(replies[0], success("1"));
  EXPECT_NE(replies[1].find("\"idempotent\":true"), std::string::npos);
  EXPECT_TRUE(failed_with(replies[2], "not_found"));
  EXPECT_NE(replies[3].find("\"idempotent\":false"), std::string::npos);
  EXPECT_NE(replies[4].find("\"idempotent\":true"), std::string::npos);
  EXPECT_TRUE(failed_with(replies[5], "not_found"));
}

TEST(ExactlyOnce, OverPowerCutsSnapshotsAndClockSteps) {
  for (int life = 0; life < 12 && !testing::Test::HasFailure(); ++life) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE(seed_text(seed));
    Producers(seed).run(12);
  }
}

}  // namespace
}  // namespace karma::test
