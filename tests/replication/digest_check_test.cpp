// A slave finds out whether what it has is what its master has.
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "engine/difference.h"
#include "engine/freeze.h"
#include "replication/nodes.h"
#include "replication/relay.h"
#include "snapshot/manager.h"
#include "support/engine_fixture.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::eventually;
using test::refusal;
using test::Relay;
using test::ReplicatingNode;
using test::Reply;

class DigestCheck : public ::testing::Test {
 protected:
  void start_slave() {
    slave.follow(master);
    slave.start();
  }
  // The state of that LSN and series is another one than was logged, and no checksum shows it.
  static void alter(ReplicatingNode& node, std::uint64_t lsn, std::uint64_t value) {
    store::Store store(1);
    store.find_or_create("s").add(Key{1}, Bucket::of_number(20260101), value);
    test::ManualClock clock(system_clock().unix_seconds());
    snapshot::Manager snapshots(*node.files, "data", clock, {});
    ASSERT_TRUE(snapshots.create_all(engine::freeze_store(store, Lsn{lsn})).ok());
  }
  // Of both it was the same before.
  void stop_and_alter_slave() {
    master.start();
    master.increment(1, 5);
    start_slave();
    ASSERT_TRUE(caught_up(slave, master));
    slave.stop();
    alter(slave, 1, 6);
  }
  static void refuse_copies(const json& request, Reply& reply) {
    if (request["op"] == "snapshot.info") reply = refusal("internal_error", "not now");
    if (request["op"] == "snapshot.manifest_fetch_chunk") reply = refusal("not_found", "none");
  }
  static json status(const ReplicatingNode& node) { return node.ask("replication.status")["response"]; }
  static std::ptrdiff_t kept_copies(const ReplicatingNode& node) {
    const std::vector<std::string> names = *node.files->list_directories("data");
    return std::count_if(names.begin(), names.end(), [](const auto& name) { return name.starts_with("diverged-"); });
  }
  static bool equal_at(const ReplicatingNode& node, std::uint64_t lsn) {
    return eventually([&] {
      const json found = status(node);
      return found["digest_check_result"] == "equal" && found["digest_check_lsn"] >= lsn;
    });
  }

  ReplicatingNode master;
  ReplicatingNode slave;
};

TEST_F(DigestCheck, ASlaveThatHasWhatItsMasterHasSaysSo) {
  master.start();
  EXPECT_TRUE(status(master)["digest_check_result"].is_null()) << "it follows nobody";
  master.increment(1, 5);
  master.increment(2, 7, "t");
  (void)master.response("tree.create", {{"series", "empty"}});
  (void)master.response("snapshot.create_all");
  master.increment(1, 5);
  start_slave();
  ASSERT_TRUE(equal_at(slave, 4)) << status(slave);
  const json found = status(slave);
  EXPECT_EQ(found["digest_check_lsn"], 4);
  EXPECT_TRUE(found["digest_check_age_seconds"].is_number());
  EXPECT_TRUE(found["digest_check_reason"].is_null());
  EXPECT_EQ(found["digest_check_different_count"], 0);
  EXPECT_NE(slave.response("system.metrics").get<std::string>().find("karma_digest_check_equal_total 1\n"),
            std::string::npos);
  // One that follows the slave asks that one.
  ReplicatingNode third;
  third.follow(slave);
  third.start();
  ASSERT_TRUE(equal_at(third, 4)) << status(third);
}

TEST_F(DigestCheck, WhileTheMasterWritesBothCountAtOneLsn) {
  master.start();
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::uint64_t i = 0; !done; ++i) {
      master.increment(i % 50, i % 3 + 1, i % 2 == 0 ? "s" : "t");
      if (i % 40 == 39) (void)master.response("tree.reset", {{"series", "t"}});
    }
  });
  slave.config.replication_batch_size = 7;
  slave.config.replication_check_interval = 1;
  start_slave();
  const bool compared = eventually([&] {
    const json found = status(slave);
    return found["digest_check_equal_count"] >= 3 || found["digest_check_different_count"] != 0;
  });
  done = true;
  writer.join();
  EXPECT_TRUE(compared) << status(slave);
  EXPECT_EQ(status(slave)["digest_check_different_count"], 0);
  ASSERT_TRUE(caught_up(slave, master));
  EXPECT_EQ(slave.content(), master.content());
}

TEST_F(DigestCheck, AlteredDataIsNoticedAndReplacedByTheMasters) {
  stop_and_alter_slave();
  slave.start();
  ASSERT_TRUE(eventually([&] { return status(slave)["digest_check_different_count"] == 1; })) << status(slave);
  ASSERT_TRUE(eventually([&] { return slave.content() == master.content(); })) << status(slave);
  // And the copy is looked at as well.
  ASSERT_TRUE(equal_at(slave, 1)) << status(slave);
  EXPECT_EQ(status(slave)["replication_bootstrap_attempt_count"], 1);
  EXPECT_EQ(slave.response("system.health")["status"], "ok");
  EXPECT_EQ(kept_copies(slave), 1);
}

// The master lies, or a fault of this program makes both count differently: the slave says what it sees, and does not
// fill the disk.
TEST_F(DigestCheck, ADifferenceThatRemainsIsShown) {
  master.start();
  master.increment(1, 5);
  const Relay relay(master, [](const json& request, Reply& reply) {
    if (request["op"] == "replication.digest" && reply["success"] == true && reply["response"]["ready"] == true)
      for (Reply* at : {&reply["response"], &reply["response"]["series"][0]}) (*at)["digest"] = "00000000000000aa";
  });
  slave.config.replication_check_interval = 1;
  slave.follow(relay.port());
  slave.start();
  ASSERT_TRUE(eventually([&] { return status(slave)["digest_check_different_count"] >= 3; })) << status(slave);
  EXPECT_EQ(status(slave)["digest_check_equal_count"], 0);
  EXPECT_EQ(kept_copies(slave), 1);
  EXPECT_EQ(slave.sum(1), 5);
}

TEST_F(DigestCheck, HealthNamesBothDigestsUntilTheCopyIsThere) {
  stop_and_alter_slave();
  const Relay relay(master, refuse_copies);
  slave.follow(relay.port());
  slave.start();
  std::string problems;
  ASSERT_TRUE(eventually([&] {
    const json health = slave.response("system.health");
    problems = health.dump();
    return health["status"] == "degraded" && problems.find("diverged") != std::string::npos;
  })) << problems;
  EXPECT_NE(problems.find("at LSN 1 the digest of series 's' is "), std::string::npos) << problems;
  EXPECT_EQ(status(slave)["digest_check_result"], "different");
  EXPECT_EQ(slave.sum(1), 6) << "it goes on answering from what it has";
}

// The master's clients were told that the slave has it, and it may have to be master a moment later.
TEST_F(DigestCheck, TheCopyReachesWhatWasConfirmed) {
  for (const bool with_snapshot : {true, false}) {
    SCOPED_TRACE(with_snapshot);
    ReplicatingNode first;
    ReplicatingNode second;
    first.start();
    first.increment(1, 5);
    if (with_snapshot) (void)first.response("snapshot.create_all");
    first.increment(1, 5);
    first.increment(2, 5);
    second.follow(first);
    second.start();
    ASSERT_TRUE(caught_up(second, first));
    second.stop();
    alter(second, 3, 6);
    // Gone as soon as it has served the copy, and nothing of its log after that.
    std::atomic<bool> listed = false;
    std::atomic<bool> gone = false;
    const Relay relay(first, [&](const json& request, Reply& reply) {
      if (gone) reply = refusal("internal_error", "gone");
      if (request["op"] == "snapshot.manifest_fetch_chunk") listed = true;
      if (request["op"] == "replication.status" && listed) gone = true;
    });
    second.follow(relay.port());
    second.start();
    ASSERT_TRUE(eventually([&] { return status(second)["replication_bootstrap_success_count"] == 1; }))
        << status(second);
    EXPECT_EQ(status(second)["replayed_lsn"], 3);
    (void)second.response("replication.promote");
    EXPECT_EQ(second.sum(1), 10);
    EXPECT_EQ(second.sum(2), 5);
  }
}

TEST_F(DigestCheck, ADifferenceOutlivesARestart) {
  stop_and_alter_slave();
  {
    const Relay relay(master, refuse_copies);
    slave.follow(relay.port());
    slave.start();
    ASSERT_TRUE(eventually([&] { return status(slave)["digest_check_result"] == "different"; })) << status(slave);
    slave.stop();
    slave.config.replication_check_interval = 0;
    slave.start();
    EXPECT_EQ(status(slave)["diverged"], true);
    EXPECT_EQ(slave.sum(1), 6);
    slave.stop();
    EXPECT_NE(test::check(*slave.files).find("the digest of series 's'"), std::string::npos);
    slave.config.replica_serve_stale = false;
    slave.start();
    EXPECT_EQ(slave.ask("counter.sum", {{"series", "s"}, {"key", 1}})["error_code"], "stale_replica");
    slave.stop();
  }
  start_slave();
  ASSERT_TRUE(eventually([&] { return status(slave)["diverged"] == false; })) << status(slave);
  EXPECT_EQ(slave.content(), master.content());
  EXPECT_EQ(kept_copies(slave), 1);
  slave.stop();
  slave.start();
  ASSERT_TRUE(caught_up(slave, master));
  EXPECT_EQ(status(slave)["replication_bootstrap_attempt_count"], 0);
}

TEST_F(DigestCheck, APromotionEndsIt) {
  stop_and_alter_slave();
  const Relay relay(master, refuse_copies);
  slave.follow(relay.port());
  slave.start();
  const std::string path = "data/" + std::string(engine::kDifferenceName);
  ASSERT_TRUE(eventually([&] { return slave.files->exists(path); })) << status(slave);
  (void)slave.response("replication.promote");
  EXPECT_FALSE(slave.files->exists(path));
  EXPECT_EQ(slave.sum(1), 6);
}

TEST_F(DigestCheck, WhatCannotBeComparedIsNotEqual) {
  master.start();
  master.increment(1, 5);
  {
    const Relay old(master, test::be_1_0);
    slave.follow(old.port());
    slave.start();
    ASSERT_TRUE(caught_up(slave, master));
    ASSERT_TRUE(eventually([&] { return status(slave)["digest_check_not_compared_count"] == 1; }));
    const json found = status(slave);
    EXPECT_EQ(found["digest_check_result"], "not_compared");
    EXPECT_TRUE(found["digest_check_lsn"].is_null());
    EXPECT_TRUE(found["digest_check_age_seconds"].is_null());
    slave.stop();
  }
  // A comparison becomes old while the master is away, and says so when the next one is due.
  slave.config.replication_check_interval = 1;
  start_slave();
  ASSERT_TRUE(equal_at(slave, 1)) << status(slave);
  master.stop();
  ASSERT_TRUE(eventually([&] { return status(slave)["digest_check_result"] == "not_compared"; }));
  EXPECT_EQ(status(slave)["digest_check_lsn"], 1);
  EXPECT_TRUE(status(slave)["digest_check_age_seconds"].is_number());
}

TEST_F(DigestCheck, NobodyIsAskedIfNoneIsWanted) {
  master.start();
  master.increment(1, 5);
  Relay relay(master, [](const json&, Reply&) {});
  slave.config.replication_check_interval = 0;
  slave.follow(relay.port());
  slave.start();
  ASSERT_TRUE(caught_up(slave, master));
  master.increment(1, 5);
  ASSERT_TRUE(caught_up(slave, master));
  for (const std::string& op : relay.ops()) EXPECT_NE(op, "replication.digest");
  EXPECT_EQ(status(slave)["digest_check_result"], "not_compared");
}

}  // namespace
}  // namespace karma
