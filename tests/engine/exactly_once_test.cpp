// Producers that repeat themselves, over power cuts, snapshots and clocks that step: every event counts once, whatever
// was answered when. KARMA_TEST_SEED repeats a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

// What the node remembers, and how much of that producers rely on: they repeat nothing that it may have forgotten. The
// rest of the records covers what is registered late.
constexpr std::size_t kRemembered = 200;
constexpr std::size_t kRepeated = 100;
constexpr std::int64_t kMaxAge = 5000;

// A write with an idempotency key: an increment, or a batch over two keys.
struct Event {
  std::string id;
  std::uint64_t key = 0;
  std::uint64_t value = 0;
  bool batch = false;
  bool acknowledged = false;
  bool pruned = false;               // perhaps
  std::int64_t sent_at = INT64_MAX;  // the earliest time that the node may have registered it with

  std::string to_json(std::uint64_t more = 0) const {
    const std::string tail = R"(,"idempotency_key":")" + id + "\"}";
    const std::string number = std::to_string(value + more);
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
  using Point = std::pair<std::uint64_t, std::uint64_t>;  // key and bucket
  using Chunk = std::vector<std::pair<Point, std::uint64_t>>;

  std::string id;
  std::string series;
  std::string mode;
  std::vector<Chunk> chunks;
  std::uint64_t next = 1;   // all before are acknowledged
  bool begun = false;       // in this life of the node
  bool sure = false;        // no chunk was left unanswered in it
  bool aborting = false;    // an abort may have taken place
  bool given_up = false;    // aborted for good
  bool committing = false;  // a commit may have taken place
  bool committed = false;

  std::string begin(std::string_view as_mode = {}) const {
    return R"({"v":2,"op":"ingest.begin","stream_id":")" + id + R"(","mode":")" +
           (as_mode.empty() ? mode : std::string(as_mode)) + "\"}";
  }
  std::string end(std::string_view how) const {
    return R"({"v":2,"op":"ingest.)" + std::string(how) + R"(","stream_id":")" + id + "\"}";
  }
  std::string chunk(std::uint64_t number, const std::string& items) const {
    return R"({"v":2,"op":"ingest.chunk","stream_id":")" + id + R"(","series":")" + series + R"(","chunk_seq":)" +
           std::to_string(number) + R"(,"items":)" + items + "}";
  }
  std::string chunk(std::uint64_t number) const {
    std::string items;
    for (const auto& [point, value] : chunks[number - 1])
      items += (items.empty() ? "[" : ",[") + std::to_string(point.first) + "," + std::to_string(point.second) + "," +
               std::to_string(value) + "]";
    return chunk(number, "[" + items + "]");
  }
  // What the first `count` chunks come to, by key.
  std::map<std::uint64_t, std::uint64_t> totals(std::uint64_t count) const {
    std::map<Point, std::uint64_t> points;
    for (std::uint64_t i = 0; i < count; ++i) {
      for (const auto& [point, value] : chunks[i]) points[point] = mode == "add" ? points[point] + value : value;
    }
    std::map<std::uint64_t, std::uint64_t> found;
    for (const auto& [point, value] : points) found[point.first] += value;
    return found;
  }
};

class Producers {
 public:
  explicit Producers(std::uint64_t seed) : random_(seed) { node_ = start(std::make_unique<CrashableFileSystem>()); }

  void run(int rounds) {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      node_->files->power_off_at(1 + random_.up_to(150), random_.any());
      // Nothing can be learned from a node without power.
      for (int tries = 0; !node_->files->power_is_off() && tries < 200 && !testing::Test::HasFailure(); ++tries) step();
      for (std::uint64_t steps = random_.up_to(3); steps != 0; --steps) step();
      crash();
      check_bounds();
    }
    finish();
  }
  std::uint64_t requests() const { return requests_; }

 private:
  std::unique_ptr<Node> start(std::unique_ptr<CrashableFileSystem> disk) {
    auto node = std::make_unique<Node>(std::move(disk));
    node->config.wal_segment_bytes = static_cast<int>(random_.up_to(3000));
    node->config.wal_batch_size = random_.one_in(3) ? 4 : 1024;
    node->config.idempotency_max_records = kRemembered;
    node->config.idempotency_max_age_seconds = kMaxAge;
    node->clock.set(now_);
    node->open();
    return node;
  }

  std::string ask(const std::string& line) { return ask(std::vector<std::string>{line}).front(); }
  std::vector<std::string> ask(const std::vector<std::string>& lines) {
    requests_ += lines.size();
    return (*node_)(lines);
  }

  // The clock goes on or back, but not so far that the node forgets what is still to be repeated.
  void move_clock(std::uint64_t forwards, std::int64_t backwards) {
    now_ += static_cast<std::int64_t>(random_.up_to(forwards)) - backwards;
    for (const std::size_t i : in_doubt()) now_ = std::min(now_, events_[i].sent_at + kMaxAge);
    latest_ = std::max(latest_, now_);
  }

  void crash() {
    auto disk = node_->files->after_crash(static_cast<Unsynced>(random_.up_to(2)), random_.any());
    move_clock(2000, 500);  // the clock of the next start may lie behind
    node_.reset();
    node_ = start(std::move(disk));
    for (Stream& stream : streams_) stream.begun = false;
  }

  void step() {
    move_clock(20, 5);
    node_->clock.set(now_);
    switch (random_.up_to(39)) {
      case 0:
      case 1:
        (void)node_->call("snapshot.create_all");
        return;
      case 2:
      case 3:
        (void)node_->call("snapshot.create", random_.one_in(2) ? R"(,"series":"events")" : R"(,"series":"s-0")");
        return;
      case 4:
        return prune();
      default:
        return random_.one_in(2) ? use_stream() : send_events();
    }
  }

  std::size_t first_repeated() const { return events_.size() < kRepeated ? 0 : events_.size() - kRepeated; }
  // Sent without an answer; all of them are among the ones to be repeated.
  std::vector<std::size_t> in_doubt() const {
    std::vector<std::size_t> found;
    for (std::size_t i = first_repeated(); i < events_.size(); ++i) {
      if (!events_[i].acknowledged) found.push_back(i);
    }
    return found;
  }
  bool is_remembered(const Event& event) const {
    return !event.acknowledged || (!event.pruned && latest_ - event.sent_at <= kMaxAge);
  }

  struct Sent {
    std::size_t event;
    bool other_content = false;
  };

  void send_events() {
    std::vector<Sent> sent;
    std::vector<std::size_t> waiting = in_doubt();
    for (std::uint64_t count = 1 + random_.up_to(20); count != 0; --count) {
      if (!waiting.empty() && (random_.one_in(3) || waiting.front() + kRepeated / 2 < events_.size())) {
        sent.push_back({random_.of(waiting)});
        continue;
      }
      if (!events_.empty() && random_.one_in(3)) {
        const std::size_t i = first_repeated() + random_.up_to(events_.size() - 1 - first_repeated());
        if (!is_remembered(events_[i])) continue;
        sent.push_back({i, events_[i].acknowledged && random_.one_in(4)});
        continue;
      }
      events_.push_back({.id = "event-" + std::to_string(events_.size()),
                         .key = random_.up_to(5),
                         .value = 1 + random_.up_to(9),
                         .batch = random_.one_in(3)});
      sent.push_back({events_.size() - 1});
      waiting.push_back(events_.size() - 1);
    }
    send(sent);
  }

  void send(const std::vector<Sent>& sent) {
    std::vector<std::string> lines;
    for (const auto& [i, other_content] : sent) {
      lines.push_back(events_[i].to_json(other_content ? 1 : 0));
      events_[i].sent_at = std::min(events_[i].sent_at, now_);
    }
    const std::vector<std::string> replies = ask(lines);
    ASSERT_EQ(replies.size(), lines.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      Event& event = events_[sent[i].event];
      if (!succeeded(replies[i])) {
        const bool conflict = failed_with(replies[i], "idempotency_conflict");
        ASSERT_TRUE(conflict ? sent[i].other_content : failed_with(replies[i], "internal_error")) << replies[i];
        continue;
      }
      ASSERT_FALSE(sent[i].other_content) << lines[i] << "\n" << replies[i];
      ASSERT_NE(replies[i].find("\"response\":" + event.response() + ",\"idempotent\":"), std::string::npos)
          << lines[i] << "\n"
          << replies[i];
      if (event.acknowledged) {
        ASSERT_NE(replies[i].find("\"idempotent\":true"), std::string::npos) << replies[i];
      }
      event.acknowledged = true;
    }
  }

  // Of what is in doubt nothing, or its repetition would count.
  void prune() {
    std::int64_t before = now_ - static_cast<std::int64_t>(random_.up_to(500));
    for (const std::size_t i : in_doubt()) before = std::min(before, events_[i].sent_at);
    for (std::size_t i = first_repeated(); i < events_.size(); ++i) events_[i].pruned |= events_[i].sent_at < before;
    (void)ask(R"({"v":2,"op":"idempotency.prune","before":)" + std::to_string(before) + R"(,"limit":)" +
              std::to_string(1 + random_.up_to(50)) + "}");
  }

  void use_stream() {
    if (streams_.size() < 40 && (streams_.empty() || random_.one_in(8))) add_stream();
    Stream& stream = streams_[random_.up_to(streams_.size() - 1)];
    if (stream.mode == "replace_series" && random_.one_in(4)) return see_all_or_nothing(stream);
    advance(stream);
  }

  void add_stream() {
    constexpr const char* kModes[] = {"add", "set", "replace_series"};
    Stream stream;
    stream.id = "stream-" + std::to_string(streams_.size());
    stream.series = "s-" + std::to_string(streams_.size());
    stream.mode = random_.of(kModes);
    for (std::uint64_t count = 1 + random_.up_to(8); count != 0; --count) {
      Stream::Chunk chunk;
      for (int item = 0; item < 3; ++item)
        chunk.push_back({{random_.up_to(3), 20260101 + random_.up_to(4)}, 1 + random_.up_to(9)});
      stream.chunks.push_back(std::move(chunk));
    }
    streams_.push_back(std::move(stream));
  }

  // As far as it gets with one pipeline: a begin, some chunks from anywhere before the next one on, with what is wrong
  // among them, perhaps the end.
  void advance(Stream& stream, bool to_the_end = false) {
    if (stream.given_up) return;
    if (!stream.begun && !begin(stream)) return;
    const std::uint64_t held = stream.next - 1;
    const bool open = held < stream.chunks.size();
    struct Asked {
      std::uint64_t number;
      std::string_view refusal;  // empty: to be taken
    };
    std::vector<std::string> lines;
    std::vector<Asked> asked;
    const auto add = [&](std::string line, std::uint64_t number, std::string_view refusal = {}) {
      lines.push_back(std::move(line));
      asked.push_back({number, refusal});
    };
    const std::uint64_t to = std::min<std::uint64_t>(stream.next + random_.up_to(4), stream.chunks.size());
    for (std::uint64_t number = stream.next - random_.up_to(held); number <= to; ++number) {
      add(stream.chunk(number), number);
      if (random_.one_in(4)) add(stream.chunk(number), number);
      if (number <= held && random_.one_in(4))
        add(stream.chunk(number, "[[1,20260101,99]]"), number, "idempotency_conflict");
    }
    if (random_.one_in(4)) add(stream.chunk(to + 2, "[[1,20260101,99]]"), to + 2, open ? "validation_error" : "");
    if (random_.one_in(8)) add(stream.begin(stream.mode == "add" ? "set" : "add"), 0, "idempotency_conflict");
    const std::vector<std::string> replies = ask(lines);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      stream.sure &= !failed_with(replies[i], "internal_error");
      if (!stream.sure && !succeeded(replies[i])) continue;  // power off, or after one that was refused for that
      // After its last chunk a stream may be committed or not, and refuses accordingly.
      if (asked[i].number > stream.chunks.size()) {
        ASSERT_FALSE(succeeded(replies[i])) << lines[i] << "\n" << replies[i];
        continue;
      }
      if (!asked[i].refusal.empty()) {
        ASSERT_TRUE(failed_with(replies[i], asked[i].refusal)) << lines[i] << "\n" << replies[i];
        continue;
      }
      ASSERT_TRUE(succeeded(replies[i])) << lines[i] << "\n" << replies[i];
      ASSERT_EQ(replies[i].find("\"skipped\":true") != std::string::npos, asked[i].number < stream.next) << replies[i];
      stream.next = std::max(stream.next, asked[i].number + 1);
    }
    if (stream.next > stream.chunks.size()) {
      if (!stream.committed) commit(stream);
    } else if (!to_the_end && stream.sure && random_.one_in(10)) {
      abort(stream);
    }
  }

  bool begin(Stream& stream) {
    const std::string reply = ask(stream.begin());
    if (!succeeded(reply)) return false;
    const std::size_t at = reply.find("\"last_chunk_seq\":");
    EXPECT_NE(at, std::string::npos) << reply;
    const std::uint64_t last = std::stoull(reply.substr(at + 17));
    if (stream.aborting && last == 0) stream.next = 1;
    stream.aborting &= node_->files->power_is_off();  // then it shows at the next start
    EXPECT_GE(last + 1, stream.next) << "acknowledged chunks are gone: " << reply;
    EXPECT_TRUE(!stream.committed || reply.find("already_committed") != std::string::npos) << reply;
    stream.next = last + 1;
    return stream.begun = stream.sure = true;
  }

  void commit(Stream& stream) {
    stream.committing = true;
    stream.committed = succeeded(ask(stream.end("commit")));
  }

  // add has counted what it has; the others begin anew, and come to the same.
  void abort(Stream& stream) {
    stream.aborting = true;
    stream.given_up = stream.mode == "add";
    if (succeeded(ask(stream.end("abort")))) stream.next = stream.given_up ? stream.next : 1;
    stream.begun = false;
  }

  void see_all_or_nothing(const Stream& stream) {
    const std::map<std::uint64_t, std::uint64_t> whole = stream.totals(stream.chunks.size());
    const std::uint64_t first = sum(stream.series, whole.begin()->first);
    if (!stream.committing) {
      ASSERT_EQ(first, 0u) << stream.id;
    }
    if (stream.committed) {
      ASSERT_NE(first, 0u) << stream.id;
    }
    for (const auto& [key, value] : whole) ASSERT_EQ(sum(stream.series, key), first == 0 ? 0 : value) << stream.id;
  }

  std::uint64_t sum(const std::string& series, std::uint64_t key) {
    ++requests_;
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
    for (const std::size_t i : in_doubt()) send({{i}});
    for (std::size_t i = first_repeated(); i < events_.size(); ++i) {
      if (is_remembered(events_[i]) && !testing::Test::HasFailure()) send({{i}});
    }
    for (Stream& stream : streams_) {
      for (int tries = 0; !stream.committed && tries < 100 && !testing::Test::HasFailure(); ++tries)
        advance(stream, true);
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
      ASSERT_NE(stream.committed, stream.given_up) << stream.id;
      for (const auto& [key, value] : stream.totals(stream.next - 1))
        ASSERT_EQ(sum(stream.series, key), value) << stream.id << " " << key;
    }
  }

  Random random_;
  std::int64_t now_ = ManualClock::kNoon;
  std::int64_t latest_ = ManualClock::kNoon;
  std::unique_ptr<Node> node_;
  std::vector<Event> events_;
  std::vector<Stream> streams_;
  std::uint64_t requests_ = 0;
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

// Of requests, all lives together. Sanitizers make each of them ten times as slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kRequests = 20000;
#else
constexpr std::uint64_t kRequests = 200000;
#endif

TEST(ExactlyOnce, OverPowerCutsSnapshotsAndClockSteps) {
  const std::uint64_t seed = test_seed();
  std::uint64_t requests = 0;
  for (std::uint64_t life = 0; requests < kRequests && !testing::Test::HasFailure(); ++life) {
    SCOPED_TRACE(seed_text(seed + life));
    Producers producers(seed + life);
    producers.run(12);
    requests += producers.requests();
  }
}

}  // namespace
}  // namespace karma::test
