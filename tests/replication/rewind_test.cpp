// An old master that returns as a slave of the new one, with entries of its own after the fork: it goes back to the
// fork and follows from there, without a copy; or, where it cannot, copies as any other.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "replication/nodes.h"
#include "replication/relay.h"
#include "replication/rewind.h"
#include "snapshot/adoption.h"
#include "snapshot/manifest.h"
#include "support/engine_fixture.h"
#include "support/manual_clock.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::CrashableFileSystem;
using test::eventually;
using test::refusal;
using test::Relay;
using test::ReplicatingNode;
using test::Reply;

json keyed(const std::string& name, std::uint64_t value = 1) {
  return {{"series", "s"}, {"key", 50}, {"bucket", 20260101}, {"value", value}, {"idempotency_key", name}};
}

json chunk(int number) {
  return {{"stream_id", "upload"}, {"series", "s"}, {"chunk_seq", number}, {"items", {{60 + number, 20260101, 7}}}};
}

class Rewinding : public ::testing::Test {
 protected:
  Rewinding() { old.config.wal_retention_bytes = 0; }

  // Both have the same, and the slave has become the master.
  void share() {
    fresh.follow(old);
    fresh.start();
    ASSERT_TRUE(caught_up(fresh, old)) << fresh.ask("replication.status").dump();
  }
  void promote(const ReplicatingNode& node) { EXPECT_EQ(node.response("replication.promote")["promoted"], true); }
  // The old master as a slave of the new one, which the relay stands for.
  void come_back(const Relay& relay) {
    if (old.server) old.crash(1);  // a stop would take a snapshot of everything
    old.follow(relay.port());
    old.start();
  }
  void expect_same() {
    ASSERT_TRUE(caught_up(old, fresh)) << old.ask("replication.status").dump();
    EXPECT_EQ(old.content(), fresh.content());
    EXPECT_EQ(digest(old), digest(fresh));
    const auto numbers = [](const ReplicatingNode& node) {
      const json stats = node.response("system.stats");
      return json{stats["idempotency_record_count"], stats["idempotency_committed_stream_count"]};
    };
    EXPECT_EQ(numbers(old), numbers(fresh));
  }
  // Of the present state, by series.
  static json digest(const ReplicatingNode& node) {
    json found;
    EXPECT_TRUE(eventually([&] {
      // A slave may have begun another one, for itself or for its slave.
      const json reply = node.ask("replication.digest", {{"after_lsn", node.lsn()}});
      found = reply["response"];
      return reply["success"] == true && found["ready"] == true;
    }));
    return {found["lsn"], found["digest"], found["series"]};
  }
  // Whether a set of snapshots was asked for.
  static bool copied(Relay& relay) {
    const std::vector<std::string> ops = relay.ops();
    return std::ranges::any_of(ops, [](const std::string& op) { return op.starts_with("snapshot."); });
  }
  std::vector<std::string> kept() const {
    std::vector<std::string> names = *old.files->list_directories("data");
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("diverged-"); });
    return names;
  }

  ReplicatingNode old;
  ReplicatingNode fresh;
};

void unchanged(const json&, Reply&) {}

TEST_F(Rewinding, AnOldMasterGoesBackToTheForkAndFollows) {
  old.start();
  old.increment(1, 5);
  (void)old.response("counter.increment", keyed("in the snapshot"));
  (void)old.response("ingest.begin", {{"stream_id", "upload"}, {"mode", "add"}});
  (void)old.response("ingest.chunk", chunk(1));
  (void)old.response("snapshot.create_all");
  old.increment(2, 6, "t");
  (void)old.response("counter.increment", keyed("in the log"));
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  const std::uint64_t fork = fresh.lsn();
  old.increment(3, 100, "only here");
  old.increment(1, 100);
  (void)old.response("counter.increment", keyed("after the fork", 100));
  (void)old.response("ingest.chunk", chunk(2));
  (void)old.response("recovery.checkpoint", {{"source", "a"}, {"offset", "7"}});
  fresh.increment(1, 1);
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_FALSE(copied(relay));
  EXPECT_EQ(old.response("replication.status")["replication_bootstrap_success_count"], 1) << "it counts as a copy";
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_TRUE(kept()[0].ends_with("-" + std::to_string(fork + 4))) << kept()[0];
  ASSERT_TRUE(eventually([&] {
    const std::string lines = old.files->content("data/" + kept()[0] + "/only-here.ndjson").value_or("");
    return lines.find("only here") != std::string::npos;
  }));
  EXPECT_EQ(old.response("recovery.status")["checkpoint_count"], 0) << "it was noted after the fork";

  // As master again it knows what was before the fork, and nothing of what it had after it.
  promote(old);
  for (const char* name : {"in the snapshot", "in the log"})
    EXPECT_EQ(old.ask("counter.increment", keyed(name))["idempotent"], true) << name;
  EXPECT_EQ(old.sum(50), 2);
  EXPECT_EQ(old.ask("counter.increment", keyed("after the fork", 100))["idempotent"], false);
  EXPECT_EQ(old.sum(50), 102);
  EXPECT_EQ(old.response("ingest.begin", {{"stream_id", "upload"}, {"mode", "add"}})["last_chunk_seq"], 1);
}

TEST_F(Rewinding, WithoutSnapshotsTheLogSuffices) {
  old.start();
  old.increment(1, 5);
  (void)old.response("counter.increment", keyed("a"));
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  for (int i = 0; i < 10; ++i) old.increment(2, 100);
  fresh.increment(3, 7);
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_FALSE(copied(relay));
  promote(old);
  EXPECT_EQ(old.ask("counter.increment", keyed("a"))["idempotent"], true);
}

TEST_F(Rewinding, TheLogSufficesBesideASnapshotThatIsTooNew) {
  old.config.wal_retention_bytes = 1 << 20;
  old.start();
  old.increment(1, 5);
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  old.increment(2, 100);
  const std::string someone(32, 'a');  // who has nothing yet, and holds the log
  (void)old.response("replication.entries", {{"after_lsn", 0}, {"limit", 1}, {"replica", someone}, {"durable_lsn", 0}});
  (void)old.response("snapshot.create_all");
  fresh.increment(3, 7);
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_FALSE(copied(relay));
}

TEST_F(Rewinding, WhereEverythingWasSnapshottedAfterTheForkItCopies) {
  old.start();
  old.increment(1, 5);
  (void)old.response("snapshot.create_all");
  old.increment(1, 5);
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  old.increment(2, 100);
  (void)old.response("snapshot.create_all");
  fresh.increment(3, 7);
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_TRUE(copied(relay));
  EXPECT_EQ(kept().size(), 1U);
}

// The exactly-once state is that of the fork still, and the series have older files.
TEST_F(Rewinding, SnapshotsOfSingleSeriesAfterTheForkAreLeftOut) {
  old.start();
  old.increment(1, 5);
  old.increment(1, 5, "t");
  (void)old.response("snapshot.create_all");
  old.increment(50, 5);
  const auto reset = [](const std::string& name) {
    return json{{"series", "s"}, {"keys", {50, 51}}, {"idempotency_key", name}};
  };
  const json first = old.response("counter.batch_reset", reset("before"));
  (void)old.response("snapshot.create", {{"series", "s"}});
  old.increment(2, 6);
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  const Lsn fork{fresh.lsn()};
  (void)old.response("counter.batch_reset", reset("after"));
  for (const char* series : {"s", "t"}) (void)old.response("snapshot.create", {{"series", series}});
  (void)fresh.response("counter.increment", keyed("of the new master"));
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_FALSE(copied(relay));
  const Result<snapshot::Manifest> manifest =
      snapshot::decode_manifest(old.files->content("data/karma.manifest.json").value_or(""));
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  ASSERT_EQ(manifest->outcomes.size(), 1U) << "what was found after the fork is not known of other entries";
  EXPECT_LE(manifest->outcomes[0].lsn, fork);
  for (const snapshot::ManifestFile& file : manifest->series) EXPECT_LE(file.meta.last_lsn, fork);
  old.crash(2);
  EXPECT_TRUE(test::check(*old.files).starts_with("0 ok: ")) << test::check(*old.files);
  old.start();
  ASSERT_NO_FATAL_FAILURE(expect_same());
  promote(old);
  EXPECT_EQ(old.response("counter.batch_reset", reset("before")), first) << "which only the manifest knows";
  EXPECT_EQ(old.ask("counter.increment", keyed("of the new master"))["idempotent"], true);
  EXPECT_EQ(old.ask("counter.batch_reset", reset("after"))["idempotent"], false);
}

// Which no snapshot tells of at the fork.
TEST_F(Rewinding, ASeriesThatWasFirstSnapshottedAfterTheForkIsNotGuessed) {
  old.start();
  old.increment(1, 5);
  (void)old.response("snapshot.create_all");
  old.increment(1, 5, "new");
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  old.increment(1, 100, "new");
  (void)old.response("snapshot.create", {{"series", "new"}});
  fresh.increment(3, 7);
  Relay relay(fresh, unchanged);
  come_back(relay);
  ASSERT_NO_FATAL_FAILURE(expect_same());
  EXPECT_TRUE(copied(relay));
}

TEST_F(Rewinding, WhatIsDamagedIsNotUsed) {
  old.start();
  old.increment(1, 5);
  (void)old.response("snapshot.create_all");
  old.increment(4, 5);
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  old.increment(2, 100);
  fresh.increment(3, 7);
  for (const std::string suffix : {".tree", "idempotency.json", "karma.wal"}) {
    SCOPED_TRACE(suffix);
    std::atomic<bool> reachable{false};
    Relay relay(fresh, [&](const json&, Reply& reply) {
      if (!reachable) reply = refusal("internal_error", "not yet");
    });
    if (old.server) old.crash(1);
    const auto before = old.files->after_crash(CrashableFileSystem::Unsynced::kept);
    come_back(relay);
    const std::string path = "data/" + test::find_name(*old.files, "", suffix);
    std::string bytes = old.files->content(path).value();
    bytes[bytes.size() / 4] ^= 1;
    old.files->edit(path, bytes);
    reachable = true;
    ASSERT_NO_FATAL_FAILURE(expect_same());
    EXPECT_TRUE(copied(relay));
    old.server.reset();
    old.files = before->after_crash(CrashableFileSystem::Unsynced::kept);
  }
}

// Each of the two is the old master once, and then again.
TEST_F(Rewinding, AgainAndAgain) {
  old.start();
  old.increment(1, 5);
  (void)old.response("snapshot.create_all");
  ASSERT_NO_FATAL_FAILURE(share());
  ReplicatingNode* master = &old;
  ReplicatingNode* slave = &fresh;
  for (std::uint64_t round = 1; round <= 6; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    promote(*slave);
    const std::string of_master = "old " + std::to_string(round);
    const std::string of_slave = "new " + std::to_string(round);
    master->increment(2, 100, of_master);
    (void)master->response("counter.increment", keyed(of_master));
    master->crash(round);
    slave->increment(round, 7);
    (void)slave->response("counter.increment", keyed(of_slave));
    Relay relay(*slave, unchanged);
    master->follow(relay.port());
    master->start();
    ASSERT_TRUE(caught_up(*master, *slave)) << master->ask("replication.status").dump();
    EXPECT_EQ(master->content(), slave->content());
    EXPECT_FALSE(copied(relay));
    if (round == 3) (void)slave->response("snapshot.create_all");
    // For the next round: directly, and as the settings of a master that is promoted want it.
    master->server.reset();
    master->follow(*slave);
    master->start();
    ASSERT_TRUE(caught_up(*master, *slave)) << master->ask("replication.status").dump();
    std::swap(master, slave);
  }
  EXPECT_EQ(old.content(), fresh.content());
}

// What it has then is either what it had, or what it has at the fork.
TEST_F(Rewinding, ACrashAtAnyMomentLeavesTheOldOrTheNew) {
  old.start();
  for (std::uint64_t key = 1; key <= 5; ++key) old.increment(key, key);
  (void)old.response("counter.increment", keyed("before"));
  old.increment(1, 5, "t");
  (void)old.response("snapshot.create_all");
  old.increment(1, 5);
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  const json at_fork = fresh.content();
  old.increment(2, 100);
  (void)old.response("counter.increment", keyed("after"));
  const json own = old.content();
  old.crash(1);
  const auto before = old.files->after_crash(CrashableFileSystem::Unsynced::kept);
  Relay relay(fresh, unchanged);
  const auto begin = [&] { old.files = before->after_crash(CrashableFileSystem::Unsynced::kept); };
  begin();
  const std::uint64_t untouched = old.files->changes();
  old.follow(relay.port());
  old.start();
  ASSERT_TRUE(caught_up(old, fresh));
  const std::uint64_t all = old.files->changes() - untouched;
  old.server.reset();
  int olds = 0;
  int news = 0;
  for (std::uint64_t change = 1; change <= all; ++change) {
    SCOPED_TRACE("change " + std::to_string(change) + " of " + std::to_string(all));
    begin();
    old.follow(relay.port());
    old.files->power_off_at(change, change);
    Result<std::unique_ptr<Server>> started = Server::start(old.config, *old.files);
    if (started) {
      ASSERT_TRUE(eventually([&] { return old.files->power_is_off(); })) << old.ask("replication.status").dump();
      started->reset();
    }
    std::unique_ptr<CrashableFileSystem> left = old.files->after_crash(
        change % 2 == 0 ? CrashableFileSystem::Unsynced::some : CrashableFileSystem::Unsynced::lost, change);
    old.files = left->after_crash(CrashableFileSystem::Unsynced::kept);
    old.be_master();
    ASSERT_NO_FATAL_FAILURE(old.start());
    const json found = old.content();
    EXPECT_TRUE(found == own || found == at_fork) << found;
    ++(found == own ? olds : news);
    EXPECT_EQ(old.ask("counter.increment", keyed("before"))["idempotent"], true);
    EXPECT_EQ(old.ask("counter.increment", keyed("after"))["idempotent"], found == own);
    old.server.reset();
    if (change % 4 != 0) continue;
    old.files = std::move(left);
    old.follow(relay.port());
    ASSERT_NO_FATAL_FAILURE(old.start());
    ASSERT_TRUE(caught_up(old, fresh)) << old.ask("replication.status").dump();
    EXPECT_EQ(old.content(), at_fork);
    old.server.reset();
  }
  EXPECT_GT(olds, 10);
  EXPECT_GT(news, 3);
  EXPECT_FALSE(copied(relay));
}

// Each call to the disk fails once: it copies, or waits for a restart.
TEST_F(Rewinding, EachCallToTheDiskMayFail) {
  old.start();
  old.increment(1, 5);
  (void)old.response("snapshot.create_all");
  old.increment(1, 5, "t");
  ASSERT_NO_FATAL_FAILURE(share());
  promote(fresh);
  old.increment(2, 100);
  old.crash(1);
  fresh.increment(3, 7);
  const auto before = old.files->after_crash(CrashableFileSystem::Unsynced::kept);
  for (std::uint64_t call = 1; call < 260; call += 13) {
    SCOPED_TRACE("call " + std::to_string(call));
    old.files = before->after_crash(CrashableFileSystem::Unsynced::kept);
    old.follow(fresh);
    old.start();
    old.files->fail_call(call, "Input/output error");
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
    const auto same = [&] {
      const json status = old.ask("replication.status")["response"];
      return status.is_object() && status["replication_lag_entries"] == 0 && status["replayed_lsn"] == fresh.lsn();
    };
    while (!same() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (same()) {
      ASSERT_EQ(old.content(), fresh.content());
    }
    old.files->heal();
    old.server.reset();
    old.start();
    ASSERT_TRUE(caught_up(old, fresh)) << old.ask("replication.status").dump();
    ASSERT_EQ(old.content(), fresh.content());
    old.server.reset();
  }
}

TEST_F(Rewinding, ItStopsWhenAsked) {
  old.start();
  for (std::uint64_t key = 0; key < 5; ++key) old.increment(key, 5);
  (void)old.response("snapshot.create_all");
  old.increment(2, 100);
  old.crash(1);
  old.follow(old);
  test::ManualClock clock;
  EventLog log(clock, false);
  auto opened = engine::Engine::open(old.config, *old.files, clock, log);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  int asked = 0;
  int stop_at = 0;
  replication::BootstrapOptions options;
  options.stopped = [&] { return ++asked == stop_at; };
  const auto run = [&] {
    asked = 0;
    return replication::rewind(**opened, *old.files, (*opened)->history(), Lsn{6}, options);
  };
  ASSERT_TRUE(run().ok());
  const int all = asked;
  EXPECT_GE(all, 3) << "a series, keys, and the log";
  for (stop_at = 1; stop_at <= all; ++stop_at) EXPECT_FALSE(run().ok()) << stop_at;
  EXPECT_FALSE(snapshot::has_complete_bootstrap(*old.files, "data"));
}

}  // namespace
}  // namespace karma
