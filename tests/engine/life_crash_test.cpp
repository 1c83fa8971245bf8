// Power cuts at every single operation of a random life that changes the disk: what was acknowledged is there, repeats
// get the first answers, and whoever goes on where the cut was comes to the same end.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "support/engine_client.h"
#include "support/life.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

Config life_config(std::uint64_t seed, bool wal) {
  Config config = test_config();
  config.wal = wal;
  config.wal_segment_bytes = seed % 4 == 0 ? 0 : static_cast<int>(300 + seed % 1000);
  config.wal_preallocate_bytes = seed / 4 % 2 == 0 ? 0 : static_cast<int>(200 + seed % 300);
  config.wal_batch_size = seed % 3 == 0 ? 2 : 1024;
  config.dump_retention_per_tree = static_cast<int>(1 + seed % 3);
  return config;
}

class LifeCrash : public testing::Test {
 protected:
  // False: the life came to its end before the `nth` operation.
  bool cut_at(const Life& life, std::uint64_t nth) {
    SCOPED_TRACE("power off at operation " + std::to_string(nth));
    Node node;
    node.config = life.config();
    node.files->power_off_at(nth, seed_ + nth);
    const std::size_t acknowledged = node.try_open().empty() ? life.live(node) : 0;
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::some}) {
      SCOPED_TRACE("unsynced " + std::to_string(static_cast<int>(unsynced)));
      const auto next = node.after_crash(unsynced, seed_ + nth);
      EXPECT_TRUE(is_whole(*next->files)) << check(*next->files);
      EXPECT_EQ(next->try_open(), "");
      if (HasFailure()) return false;
      life.config().wal ? expect_recovered(life, *next, acknowledged, unsynced == Unsynced::some)
                        : expect_saved(life, *next, acknowledged, unsynced == Unsynced::some);
      if (HasFailure()) return false;
    }
    return node.files->power_is_off();
  }

  void expect_recovered(const Life& life, Node& node, std::size_t acknowledged, bool go_on) {
    const std::size_t done = life.acts_done(node, acknowledged);
    if (HasFailure()) return;
    SCOPED_TRACE(std::to_string(acknowledged) + " acts acknowledged, " + std::to_string(done) + " done");
    life.expect_repeats(node, done);
    EXPECT_EQ(node.live_content(), life.content(done)) << "a repeat has an effect";
    node.expect("snapshot.verify");
    if (!go_on) return;
    EXPECT_EQ(life.live(node, done), life.acts().size());
    node.reopen();
    EXPECT_EQ(node.live_content(), life.content(life.acts().size()));
    life.expect_repeats(node, life.acts().size());
    node.expect("snapshot.verify");
  }

  // Without a log: exactly the last set of snapshots, or the one that was being written, with keys and streams.
  void expect_saved(const Life& life, Node& node, std::size_t acknowledged, bool go_on) {
    const std::string found = node.live_content();
    std::size_t done = life.acts_saved(acknowledged);
    const std::size_t begun = life.acts_saved(std::min(acknowledged + 1, life.acts().size()));
    // If the two hold the same points, which of them counts does not show.
    const bool in_doubt = begun != done && found == life.content(done) && found == life.content(begun);
    if (in_doubt) return;
    if (found != life.content(done)) done = begun;
    EXPECT_EQ(found, life.content(done));
    SCOPED_TRACE(std::to_string(acknowledged) + " acts acknowledged, " + std::to_string(done) + " saved");
    life.expect_repeats(node, done);
    EXPECT_EQ(node.live_content(), found) << "a repeat has an effect";
    node.expect("snapshot.verify");
    if (!go_on) return;
    EXPECT_EQ(life.live(node, done), life.acts().size());
    EXPECT_EQ(node.live_content(), life.content(life.acts().size()));
  }

  void cut_everywhere(bool wal) {
    SCOPED_TRACE(seed_text(seed_));
    const Life life(seed_, life_config(seed_, wal));
    ASSERT_FALSE(HasFailure()) << "even without a cut";
    std::uint64_t operations = 1;
    while (cut_at(life, operations) && !HasFailure()) ++operations;
    EXPECT_GT(operations, 10u) << "the life is too quiet";
  }

  const std::uint64_t seed_ = test_seed();
};

TEST_F(LifeCrash, AtEveryOperationKeepsStateAndAnswers) { cut_everywhere(true); }

TEST_F(LifeCrash, WithoutLogTheLastSetOfSnapshotsIsThere) { cut_everywhere(false); }

// One call that fails and is over: what it refused is tried again, after a restart if nothing else helps. Every call of
// start, work, snapshots, rotations and stop is that call once.
class LifeFault : public testing::Test {
 protected:
  // False: there are fewer calls.
  bool fail_call(const Life& life, std::uint64_t nth) {
    const std::string text = (seed_ + nth) % 2 == 0 ? "Too many open files" : "Input/output error";
    // Of a write: nothing, a part, or all of it is in the file all the same.
    const std::size_t written = (seed_ + nth) % 3 == 0 ? 0 : (seed_ + nth) % 3 == 1 ? (seed_ + nth) % 97 : SIZE_MAX;
    SCOPED_TRACE("call " + std::to_string(nth) + ": " + text + ", written " + std::to_string(written));
    Node node;
    node.config = life.config();
    node.files->fail({.operation = std::nullopt, .nth = nth, .written = written, .text = text});
    if (!node.try_open().empty()) node.open();
    std::size_t done = 0;
    for (int restarts = 0; done < life.acts().size() && !HasFailure();) {
      done = life.live_until_refused(node, done);
      if (const std::size_t next = life.live_until_refused(node, done); next != done || done == life.acts().size()) {
        done = next;
        continue;
      }
      EXPECT_EQ(++restarts, 1) << "still refusing: " << life.acts()[done].line;
      if (HasFailure()) break;
      node.reopen();
      done = life.acts_done(node, done);
    }
    EXPECT_EQ(node.live_content(), life.content(life.acts().size()));
    node.stop();
    const bool reached = node.files->calls() >= nth;
    node.files->heal();
    EXPECT_EQ(check(*node.files).front(), '0') << check(*node.files);
    node.open();
    EXPECT_EQ(node.live_content(), life.content(life.acts().size()));
    life.expect_repeats(node, life.acts().size());
    node.expect("snapshot.verify");
    return reached;
  }

  void fail_every_call(bool wal) {
    SCOPED_TRACE(seed_text(seed_));
    const Life life(seed_, life_config(seed_, wal), 8);
    ASSERT_FALSE(HasFailure()) << "even without a fault";
    std::uint64_t calls = 1;
    while (fail_call(life, calls) && !HasFailure()) ++calls;
    EXPECT_GT(calls, 30u) << "the life is too quiet";
  }

  const std::uint64_t seed_ = test_seed();
};

TEST_F(LifeFault, AtEveryCallCostsNothingButWhatItRefuses) { fail_every_call(true); }

// One call that takes as long as others look around and one of them writes. Every call of work, snapshots and rotations
// is that call once.
class LifeStall : public testing::Test {
 protected:
  // False: there are fewer calls.
  bool stall_call(const Life& life, std::uint64_t nth) {
    SCOPED_TRACE("call " + std::to_string(nth));
    Node node;
    bool stalled = false;
    live(node, life, nth, stalled);
    if (HasFailure()) return false;
    EXPECT_EQ(check(*node.files).front(), '0') << check(*node.files);
    node.open();
    const std::string other = "{\"series\":\"~\",\"key\":1,\"bucket\":20260505,\"value\":7}\n";
    EXPECT_EQ(node.live_content(), life.content(life.acts().size()) + (stalled ? other : ""));
    life.expect_repeats(node, life.acts().size());
    node.expect("snapshot.verify");
    return stalled;
  }

 private:
  static void live(Node& node, const Life& life, std::uint64_t nth, bool& stalled) {
    EventLog log(node.clock, false);
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(life.config(), *node.files, node.clock, log);
    EXPECT_TRUE(opened.ok());
    if (!opened) return;
    engine::Engine& engine = **opened;
    Client client(engine, life.config());
    Client reader(engine, life.config());
    Client writer(engine, life.config());
    std::string seen;
    std::atomic<std::uint64_t> calls = 0;
    node.files->before_call([&](CrashableFileSystem::Operation, const std::string&) {
      if (++calls != nth) return;
      std::future<std::string> looked = std::async(std::launch::async, [&] { return look(reader); });
      // Long enough for any machine: whoever waits longer waits for the call.
      EXPECT_EQ(looked.wait_for(std::chrono::seconds(60)), std::future_status::ready) << "readers wait for the disk";
      if (testing::Test::HasFailure()) return;
      seen = looked.get();
      writer.write(R"({"v":2,"op":"counter.increment","series":"~","key":1,"bucket":20260505,"value":7})");
      stalled = true;
    });
    for (const Life::Act& act : life.acts()) {
      node.clock.set(ManualClock::kNoon + static_cast<std::int64_t>(act.step));
      const std::string before = look(client);
      const std::string reply = client.ask(line_of(act, client));
      EXPECT_EQ(succeeded(reply), succeeded(act.reply)) << act.line << " -> " << reply;
      const std::string after = look(client);
      if (const std::string now = std::exchange(seen, {}); !now.empty()) {
        EXPECT_TRUE(now == before || now == after) << act.line << "\n" << now << "\nis neither\n" << before << after;
      }
      if (HasFailure()) break;
    }
    if (stalled) {
      EXPECT_EQ(writer.wait_for_reply(), success("7") + "\r\n");
    }
    EXPECT_TRUE(engine.shutdown(true).ok());
    node.files->before_call({});
  }

  // All of the life's series, without that of the writer beside it.
  static std::string look(Client& client) {
    std::string text;
    const nlohmann::json list = nlohmann::json::parse(client.read(R"({"v":2,"op":"tree.list"})"));
    for (const auto& name : list["response"]) {
      if (name == "~") continue;
      const std::string series = R"(,"series":)" + name.dump();
      text += name.dump() + client.read(R"({"v":2,"op":"tree.info")" + series + "}") +
              client.read(R"({"v":2,"op":"tree.series","range":{"from":20260101,"to":20261231})" + series + "}");
    }
    return text.empty() ? "nothing" : text;
  }

  static std::string line_of(const Life::Act& act, Client& client) {
    if (act.kind != Life::Act::Kind::load) return act.line;
    const nlohmann::json info = nlohmann::json::parse(client.ask(R"({"v":2,"op":"snapshot.info"})"));
    for (const nlohmann::json& meta : info["response"]["latest_by_tree"])
      if (meta["tree"] == act.line) return R"({"v":2,"op":"snapshot.load","file":)" + meta["file"].dump() + "}";
    ADD_FAILURE() << "no snapshot of " << act.line;
    return act.line;
  }
};

TEST_F(LifeStall, AtEveryCallHoldsUpNoReaderAndLosesNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(seed_text(seed));
  const Life life(seed, life_config(seed, true), 8);
  ASSERT_FALSE(HasFailure());
  std::uint64_t calls = 1;
  while (stall_call(life, calls) && !HasFailure()) ++calls;
  EXPECT_GT(calls, 30u) << "the life is too quiet";
}

}  // namespace
}  // namespace karma::test
