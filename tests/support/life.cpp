#include "support/life.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace karma::test {

using nlohmann::json;

namespace {

std::string as_repeat(std::string reply) {
  const std::string first = R"("idempotent":false)";
  if (const std::size_t at = reply.find(first); at != reply.npos)
    reply.replace(at, first.size(), R"("idempotent":true)");
  return reply;
}

bool is_first(std::string_view reply) { return reply.find(R"("idempotent":false,"error_code":null)") != reply.npos; }
bool is_good(std::string_view reply) { return reply.find(R"("success":true)") != reply.npos; }

bool takes_key(const std::string& op) {
  static const std::set<std::string> kOps = {"counter.increment",          "counter.decrement", "counter.reset",
                                             "counter.batch_reset",        "series.batch_add",  "counter.delete_range",
                                             "counter.batch_delete_range", "tree.reset",        "series.batch_set",
                                             "tree.delete_range"};
  return kOps.contains(op);
}

// Records of keys in the order of their registration, as a prune sees them.
class Records {
 public:
  void add(const std::string& key, std::int64_t created_at) { records_.emplace_back(key, created_at); }
  std::size_t prune(std::int64_t before, std::size_t limit) {
    std::size_t deleted = 0;
    std::erase_if(records_,
                  [&](const auto& record) { return record.second < before && deleted < limit && ++deleted != 0; });
    return deleted;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, created_at] : records_) keys.push_back(key);
    return keys;
  }

 private:
  std::vector<std::pair<std::string, std::int64_t>> records_;
};

struct Stream {
  std::string id;
  std::string mode;
  std::string series;
  std::uint64_t next = 1;
  Model::Counters staged = {};
  bool active = true;
};

}  // namespace

// Makes up the acts, one after the other, and lives them at once.
class Life::Writer {
 public:
  Writer(std::uint64_t seed, const Config& config, std::vector<Act>& acts)
      : acts_(acts), random_(seed), workload_(random_, false, 2 + random_.up_to(3)) {
    node_.config = config;
  }

  void run(std::size_t steps) {
    node_.open();
    for (step_ = 0; step_ < steps && !testing::Test::HasFailure(); ++step_) {
      switch (step_ == steps / 2 ? 1 : random_.up_to(9)) {
        case 0:
          snapshot_of_one();
          break;
        case 1:
          snapshot_of_all();
          break;
        case 2:
          load();
          break;
        default:
          for (std::uint64_t count = 1 + random_.up_to(4); count != 0; --count) write();
      }
      node_.clock.advance(1);
    }
  }

 private:
  void write() {
    switch (random_.up_to(12)) {
      case 0:
      case 1:
        return keyed();
      case 2:
        return repeat();
      case 3:
        return prune();
      case 4:
      case 5:
      case 6:
      case 7:
        return stream();
      case 8:
        return drop();
      default:
        return plain(workload_.next_mutation());
    }
  }

  // Lives the act and compares with the model.
  const std::string& take(Act act) {
    act.step = step_;
    act.reply = act.kind == Act::Kind::load ? life_load(act.line) : node_(act.line);
    act.lsn = node_.lsn();
    act.content = node_.live_content();
    EXPECT_EQ(act.content, model_.content()) << act.line << " -> " << act.reply;
    acts_.push_back(std::move(act));
    return acts_.back().reply;
  }
  std::string life_load(const std::string& series) {
    return node_.call("snapshot.load", ",\"file\":\"" + newest(series) + '"');
  }
  std::string newest(const std::string& series) {
    const json latest = json::parse(node_.expect("snapshot.info"))["latest_by_tree"];
    for (const json& meta : latest) {
      if (meta["tree"] == series) return meta["file"];
    }
    return {};
  }
  void plain(const Request& request) {
    const std::string wanted = model_.execute(request);
    EXPECT_EQ(take({.line = request.to_json()}), wanted) << request.to_json();
  }

  void keyed() {
    Request request;
    do {
      request = workload_.next_mutation();
    } while (!takes_key(request.op));
    const std::string key = "k" + std::to_string(keys_++);
    std::string line = request.to_json();
    line.insert(line.size() - 1, ",\"idempotency_key\":\"" + key + '"');
    std::string wanted = model_.execute(request);
    const bool good = is_good(wanted);
    if (good) wanted.insert(wanted.rfind(",\"error_code\""), ",\"idempotent\":false");
    const std::string reply = take({.line = line, .key = key});
    EXPECT_EQ(reply, wanted) << line;
    if (good) {
      records_.add(key, node_.clock.unix_seconds());
      sent_[key] = {line, reply};
    }
  }

  // The same again, or another content under the same key.
  void repeat() {
    const std::vector<std::string> keys = records_.keys();
    if (keys.empty()) return keyed();
    const auto& [line, reply] = sent_[keys[random_.up_to(keys.size() - 1)]];
    if (random_.one_in(4)) {
      const std::string other = R"({"v":2,"op":"counter.increment","series":"links","key":77,"bucket":20260505)" +
                                line.substr(line.rfind(",\"idempotency_key\""));
      EXPECT_TRUE(failed_with(take({.line = other}), "idempotency_conflict")) << other;
    } else {
      EXPECT_EQ(take({.line = line}), as_repeat(reply)) << line;
    }
  }

  void prune() {
    const std::int64_t before = node_.clock.unix_seconds() - static_cast<std::int64_t>(random_.up_to(6));
    const std::size_t limit = 1 + random_.up_to(3);
    const std::size_t deleted = records_.prune(before, limit);
    EXPECT_EQ(take({.line = R"({"v":2,"op":"idempotency.prune","before":)" + std::to_string(before) +
                            ",\"limit\":" + std::to_string(limit) + "}"}),
              success("{\"deleted\":" + std::to_string(deleted) + "}"));
  }

  void stream() {
    std::vector<Stream*> active;
    for (Stream& stream : streams_) {
      if (stream.active) active.push_back(&stream);
    }
    if (active.empty() || (active.size() < 4 && random_.one_in(4))) return begin();
    Stream& stream = *active[random_.up_to(active.size() - 1)];
    switch (random_.up_to(7)) {
      case 0:
        return abort(stream);
      case 1:
        return commit(stream);
      case 2:
        if (stream.next > 1) return repeat_chunk(stream);
        [[fallthrough]];
      default:
        return chunk(stream);
    }
  }
  void begin() {
    static const std::string kModes[] = {"add", "set", "replace_series"};
    streams_.push_back(
        {.id = "i" + std::to_string(streams_.size()), .mode = random_.of(kModes), .series = workload_.series()});
    take({.line = R"({"v":2,"op":"ingest.begin","stream_id":")" + streams_.back().id + R"(","mode":")" +
                  streams_.back().mode + "\"}"});
  }
  void chunk(Stream& stream) {
    Request batch;
    batch.op = stream.mode == "add" ? "series.batch_add" : "series.batch_set";
    batch.series = stream.series;
    for (std::uint64_t count = random_.up_to(4); count != 0; --count)
      batch.items.push_back({random_.up_to(6), 20260501 + random_.up_to(9), 1 + random_.up_to(9)});
    std::string line = batch.to_json();
    line.replace(
        0, line.find(",\"series\""),
        R"({"v":2,"op":"ingest.chunk","stream_id":")" + stream.id + R"(","chunk_seq":)" + std::to_string(stream.next));
    const std::size_t granularity = line.find(",\"granularity\"");
    EXPECT_EQ(granularity, line.npos);
    if (stream.mode == "replace_series") {
      for (const Request::Item& item : batch.items) stream.staged[item.key][item.bucket] = item.value;
    } else {
      model_.series[stream.series];
      (void)model_.execute(batch);
    }
    ++stream.next;
    EXPECT_TRUE(is_good(take({.line = line, .chunk = stream.id}))) << line << "\n" << acts_.back().reply;
    chunks_[stream.id] = line;
  }
  void repeat_chunk(const Stream& stream) {
    const std::string line = chunks_[stream.id];
    EXPECT_NE(take({.line = line}).find(R"("skipped":true)"), std::string::npos) << line << "\n" << acts_.back().reply;
  }
  void commit(Stream& stream) {
    stream.active = false;
    if (stream.mode == "replace_series" && stream.next > 1) model_.series[stream.series] = stream.staged;
    const std::string reply = take({.line = R"({"v":2,"op":"ingest.commit","stream_id":")" + stream.id + "\"}"});
    stream.active = !is_good(reply);  // of a replacement without a chunk
  }
  void abort(Stream& stream) {
    stream.active = false;
    EXPECT_TRUE(is_good(take({.line = R"({"v":2,"op":"ingest.abort","stream_id":")" + stream.id + "\"}"})));
  }

  void drop() {
    if (model_.series.empty()) return;
    Request request;
    request.op = "tree.drop";
    request.series = any_series(model_.series);
    plain(request);
  }

  void snapshot_of_one() {
    if (model_.series.empty()) return;
    const std::string name = any_series(model_.series);
    // Without a log all are saved: nothing else would keep counts and keys together.
    node_.config.wal ? void(saved_[name] = model_.series[name]) : void(saved_ = model_.series);
    EXPECT_TRUE(is_good(
        take({.kind = Act::Kind::snapshot, .line = R"({"v":2,"op":"snapshot.create","series":")" + name + "\"}"})));
  }
  void snapshot_of_all() {
    saved_ = model_.series;
    EXPECT_TRUE(is_good(take({.kind = Act::Kind::snapshot, .line = R"({"v":2,"op":"snapshot.create_all"})"})));
  }
  void load() {
    const json latest = json::parse(node_.expect("snapshot.info"))["latest_by_tree"];
    if (latest.empty()) return;
    const std::string name = latest[random_.up_to(latest.size() - 1)]["tree"];
    model_.series[name] = saved_[name];
    EXPECT_TRUE(is_good(take({.kind = Act::Kind::load, .line = name}))) << acts_.back().reply;
  }
  std::string any_series(const std::map<std::string, Model::Counters>& series) {
    auto chosen = series.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random_.up_to(series.size() - 1)));
    return chosen->first;
  }

  std::vector<Act>& acts_;
  Random random_;
  Workload workload_;
  Node node_;
  Model model_;
  std::map<std::string, Model::Counters> saved_;
  Records records_;
  std::map<std::string, std::pair<std::string, std::string>> sent_;  // by key: line and first reply
  std::vector<Stream> streams_;
  std::map<std::string, std::string> chunks_;  // by stream: the last one
  std::size_t keys_ = 0;
  std::size_t step_ = 0;
};

Life::Life(std::uint64_t seed, Config config, std::size_t steps) : config_(std::move(config)) {
  Writer(seed, config_, acts_).run(steps);
}

std::string Life::live_one(Node& node, const Act& act) const {
  node.clock.set(ManualClock::kNoon + static_cast<std::int64_t>(act.step));
  if (act.kind != Act::Kind::load) return node(act.line);
  const std::string info = node.call("snapshot.info");
  if (!is_good(info)) return info;
  const json latest = json::parse(info)["response"]["latest_by_tree"];
  for (const json& meta : latest) {
    if (meta["tree"] == act.line) return node.call("snapshot.load", ",\"file\":" + meta["file"].dump());
  }
  return failure("internal_error", "no snapshot of " + act.line);
}

std::size_t Life::acts_saved(std::size_t count) const {
  while (count != 0 && acts_[count - 1].kind != Act::Kind::snapshot) --count;
  return count;
}

std::size_t Life::live(Node& node, std::size_t from) const {
  std::size_t acknowledged = from;
  bool refused = false;
  for (std::size_t begin = from; begin < acts_.size();) {
    std::size_t end = begin;
    std::vector<std::string> lines;
    while (end < acts_.size() && acts_[end].step == acts_[begin].step) lines.push_back(acts_[end++].line);
    std::vector<std::string> replies;
    node.clock.set(ManualClock::kNoon + static_cast<std::int64_t>(acts_[begin].step));
    if (lines.size() == 1) {
      replies.push_back(live_one(node, acts_[begin]));
    } else {
      replies = node(lines);
    }
    for (std::size_t i = begin; i < end; ++i) {
      const std::string& reply = replies[i - begin];
      refused = refused || failed_with(reply, "internal_error");
      // After a refusal others may miss what it should have made, but nothing is acknowledged that was to be logged.
      if (refused) {
        EXPECT_TRUE(!is_good(reply) || acts_[i].lsn == lsn(i)) << "acknowledged after a refusal: " << acts_[i].line;
        continue;
      }
      EXPECT_EQ(reply, acts_[i].reply) << acts_[i].line;
      acknowledged = i + 1;
    }
    begin = end;
  }
  return acknowledged;
}

std::size_t Life::live_until_refused(Node& node, std::size_t from) const {
  for (std::size_t i = from; i < acts_.size(); ++i) {
    const std::string reply = live_one(node, acts_[i]);
    if (failed_with(reply, "internal_error")) return i;
    EXPECT_EQ(reply, acts_[i].reply) << acts_[i].line;
  }
  return acts_.size();
}

std::size_t Life::acts_done(Node& node, std::size_t acknowledged) const {
  const std::uint64_t reached = node.lsn();
  const std::string found = node.live_content();
  // The fewest: whether acts that make no entry were done does not show, and they may be done again.
  for (std::size_t count = acknowledged; count <= acts_.size(); ++count) {
    if (reached == lsn(count) && found == content(count)) return count;
  }
  // A load that was cut short is aborted by the start, with an entry of its own.
  for (std::size_t count = acknowledged; count < acts_.size(); ++count) {
    const bool cut_short = acts_[count].kind == Act::Kind::load && lsn(count) < reached && reached <= lsn(count + 1);
    if (cut_short && found == content(count)) return count;
  }
  ADD_FAILURE() << "LSN " << reached << " with this content is the work of no number of acts from " << acknowledged
                << " (LSN " << lsn(acknowledged) << ") on:\n"
                << found << "\nacknowledged:\n"
                << content(acknowledged);
  return acknowledged;
}

void Life::expect_repeats(Node& node, std::size_t count) const {
  Records records;
  std::map<std::string, const Act*> sent;
  std::map<std::string, bool> streams;  // by id: still known
  std::vector<const Act*> chunks;
  for (std::size_t i = 0; i < count; ++i) {
    const Act& act = acts_[i];
    if (act.kind != Act::Kind::write) continue;
    const json request = json::parse(act.line);
    if (!act.key.empty() && is_first(act.reply)) {
      records.add(act.key, ManualClock::kNoon + static_cast<std::int64_t>(act.step));
      sent[act.key] = &act;
    } else if (request["op"] == "idempotency.prune") {
      (void)records.prune(request["before"], request["limit"]);
    } else if (request["op"] == "ingest.abort") {
      streams[request["stream_id"]] = false;
    } else if (!act.chunk.empty()) {
      streams[act.chunk] = true;
      chunks.push_back(&act);
    }
  }
  for (const std::string& key : records.keys()) {
    const Act& act = *sent[key];
    EXPECT_EQ(node(act.line), as_repeat(act.reply)) << act.line;
  }
  for (const Act* chunk : chunks) {
    if (!streams[chunk->chunk]) continue;
    const std::string reply = node(chunk->line);
    EXPECT_NE(reply.find(R"("skipped":true)"), std::string::npos) << chunk->line << "\n" << reply;
  }
}

}  // namespace karma::test
