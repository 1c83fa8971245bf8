// A slave beside its master, both as whole nodes.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "replication/cutting_proxy.h"
#include "replication/nodes.h"

namespace karma {
namespace {

using json = nlohmann::json;
using test::caught_up;
using test::eventually;
using test::ReplicatingNode;

class Following : public ::testing::Test {
 protected:
  void start_slave() {
    slave.follow(master);
    slave.start();
  }
  void expect_same() {
    ASSERT_TRUE(caught_up(slave, master)) << slave.ask("replication.status").dump();
    EXPECT_EQ(slave.content(), master.content());
  }

  // The slave is away while the master writes, and takes a snapshot of everything twice.
  void follow_with_a_gap() {
    master.start();
    master.increment(1, 5);
    start_slave();
    expect_same();
    slave.stop();
    for (int i = 0; i < 5; ++i) master.increment(2);
    (void)master.response("snapshot.create_all");
    master.increment(3);
    (void)master.response("snapshot.create_all");
    slave.start();
    expect_same();
  }

  ReplicatingNode master;
  ReplicatingNode slave;
};

TEST_F(Following, ALogIsFollowedFromItsBeginning) {
  master.start();
  master.increment(1, 5);
  (void)master.response("tree.create", {{"series", "empty"}});
  start_slave();
  expect_same();
  master.increment(2, 7);
  (void)master.response("tree.drop", {{"series", "empty"}});
  expect_same();
  EXPECT_EQ(slave.sum(2), 7);
  EXPECT_EQ(slave.ask("counter.increment", {{"series", "s"}, {"key", 1}})["error_code"], "forbidden");
  const json status = slave.response("replication.status");
  EXPECT_EQ(status["replication_entries_applied"], 4);
  EXPECT_EQ(status["replication_bootstrap_error_count"], 0);
  EXPECT_TRUE(status["replication_last_poll_error"].is_null());
  EXPECT_EQ(slave.response("system.health")["status"], "ok");
}

TEST_F(Following, SnapshotsComeFirstAndThenTheLogAfterThem) {
  master.start();
  for (int i = 0; i < 50; ++i) master.increment(static_cast<std::uint64_t>(i), 3);
  (void)master.response("snapshot.create_all");
  // Of a later moment than the set, so that the log between them has to come along.
  master.increment(1, 10);
  master.increment(1, 10, "t");
  (void)master.response("snapshot.create", {{"series", "s"}});
  master.increment(1, 100);
  start_slave();
  expect_same();
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_success_count"], 1);
  slave.stop();
  master.increment(2, 1000);
  slave.start();
  expect_same();
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_attempt_count"], 0) << "it has data";
}

TEST_F(Following, AClientReadsItsOwnWritesOnTheSlave) {
  master.start();
  master.increment(1);
  start_slave();
  expect_same();
  for (int i = 2; i <= 50; ++i) {
    const json write =
        master.ask("counter.increment", {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"want_lsn", true}});
    const json read = slave.ask("counter.sum", {{"series", "s"}, {"key", 1}, {"min_lsn", write["lsn"]}});
    ASSERT_EQ(read["response"], i) << read;
  }
  EXPECT_EQ(slave.ask("tree.list", {{"min_lsn", 51}, {"wait_ms", 0}})["error_code"], "stale_replica");
}

TEST_F(Following, KeysAndStreamsGiveTheFirstAnswersAfterAPromotion) {
  const json keyed = {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "a"}};
  const json other = {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "b"}};
  const json decrement = {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"value", 1}, {"idempotency_key", "c"}};
  master.start();
  (void)master.response("counter.increment", keyed);
  (void)master.response("snapshot.create_all");
  const json first = master.response("counter.decrement", decrement);
  // The series is later than the keys: what the decrement found is only in the manifest.
  (void)master.response("snapshot.create", {{"series", "s"}});
  (void)master.response("counter.increment", other);
  start_slave();
  expect_same();
  master.stop();
  slave.stop();
  slave.be_master();
  slave.start();
  EXPECT_EQ(slave.response("counter.decrement", decrement), first);
  for (const json& repeat : {keyed, other}) EXPECT_EQ(slave.ask("counter.increment", repeat)["idempotent"], true);
  EXPECT_EQ(slave.sum(1), 1);
  slave.increment(1);
  EXPECT_EQ(slave.lsn(), 4);
}

TEST_F(Following, CheckpointsOfProducersAreThereAfterAPromotion) {
  const auto note = [&](const std::string& source, int offset) {
    (void)master.response("recovery.checkpoint", {{"source", source}, {"offset", std::to_string(offset)}});
  };
  const auto same = [&] {
    return eventually([&] { return slave.response("recovery.status") == master.response("recovery.status"); });
  };
  master.config.max_response_bytes = 4096;  // not all of them fit into a reply
  master.start();
  for (int i = 0; i < 100; ++i) note("source " + std::to_string(i), i);
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  start_slave();
  expect_same();
  ASSERT_TRUE(eventually([&] { return slave.response("recovery.status")["checkpoint_count"] == 100; }));
  for (int i = 0; i < 100; ++i) (void)master.response("recovery.forget", {{"source", "source " + std::to_string(i)}});
  note("ch", 1);
  ASSERT_TRUE(same());
  // One without an entry, too, and without a word of the slave's client.
  note("ch", 2);
  ASSERT_TRUE(same());
  EXPECT_EQ(slave.ask("recovery.checkpoint", {{"source", "x"}, {"offset", "1"}})["error_code"], "forbidden");
  slave.crash(1);
  slave.start();
  const json before = slave.response("recovery.status");
  EXPECT_EQ(before["checkpoints"][0]["offset"], "2") << "they are on its disk";
  master.server.reset();
  (void)slave.response("replication.promote");
  EXPECT_EQ(slave.response("recovery.status"), before);
}

TEST_F(Following, TheMasterKnowsItsSlaveAndWhatItHasOnItsDisk) {
  master.start();
  master.increment(1, 5);
  start_slave();
  expect_same();
  const auto known = [&] { return master.response("replication.replicas")["replicas"]; };
  ASSERT_TRUE(eventually([&] { return known().size() == 1 && known()[0]["durable_lsn"] == master.lsn(); }));
  const json first = known()[0];
  EXPECT_EQ(first["lag_entries"], 0);
  EXPECT_EQ(first["same_history"], true);
  EXPECT_EQ(first["epoch"], master.response("replication.status")["history"][0][0]);
  EXPECT_EQ(slave.response("replication.replicas")["count"], 0);
  // It keeps its name, also when its data is copied anew.
  slave.stop();
  for (int i = 0; i < 5; ++i) master.increment(2);
  (void)master.response("snapshot.create_all");
  master.increment(3);
  (void)master.response("snapshot.create_all");
  slave.start();
  expect_same();
  ASSERT_TRUE(eventually([&] { return known()[0]["durable_lsn"] == master.lsn(); }));
  EXPECT_EQ(known().size(), 1u);
  EXPECT_EQ(known()[0]["replica"], first["replica"]);
}

TEST_F(Following, AWriteIsAnsweredWhenTheSlaveHasItOnItsDisk) {
  master.config.min_replicas_ack = 1;
  master.config.replicas_ack_timeout_ms = 600000;
  master.start();
  start_slave();
  for (int i = 0; i < 50; ++i) {
    master.increment(1);
    // What is acknowledged survives the loss of the master.
    EXPECT_GE(slave.lsn(), static_cast<std::uint64_t>(i + 1));
  }
  expect_same();
  // Without its slave it cannot promise anything, and says so.
  slave.stop();
  master.stop();
  master.config.replicas_ack_timeout_ms = 1;
  master.start();
  const json write = {{"series", "s"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "a"}};
  const json refused = master.ask("counter.increment", write);
  EXPECT_EQ(refused["error_code"], "not_confirmed") << refused;
  EXPECT_EQ(master.sum(1), 51);
  slave.start();
  json repeat;
  ASSERT_TRUE(eventually([&] { return (repeat = master.ask("counter.increment", write))["success"] == true; }));
  EXPECT_EQ(repeat["idempotent"], true);
  EXPECT_EQ(slave.sum(1), 51);
}

// Where a page stops in the middle, too: who takes the place of a lost master is chosen by what each slave says.
TEST_F(Following, ASlaveSaysThatItHasWhatItHasConfirmed) {
  master.start();
  start_slave();
  expect_same();
  slave.server.reset();
  const std::uint64_t before = master.lsn();
  for (std::uint64_t key = 0; key < 60; ++key) master.increment(key);
  slave.config.wal_batch_size = 4;
  slave.start();
  slave.files->fail({.nth = 5, .count = test::CrashableFileSystem::kForEver, .name = "karma.wal"});
  json confirmed;
  ASSERT_TRUE(eventually([&] {
    confirmed = master.response("replication.replicas")["replicas"][0]["durable_lsn"];
    return confirmed > before;
  }));
  EXPECT_LT(confirmed, master.lsn());
  EXPECT_GE(slave.response("replication.status")["replayed_lsn"], confirmed);
  slave.files->heal();
  expect_same();
}

TEST_F(Following, ASlaveThatDoesNotSyncConfirmsNothing) {
  master.start();
  master.increment(1, 5);
  slave.config.wal_fsync = false;
  start_slave();
  expect_same();
  const json report = master.response("replication.replicas");
  ASSERT_EQ(report["count"], 1);
  EXPECT_TRUE(report["replicas"][0]["durable_lsn"].is_null());
}

TEST_F(Following, NothingIsReadBeforeTheFirstCopyIsComplete) {
  master.start();
  const int port = master.port();
  master.stop();
  slave.follow(port);
  slave.start();
  for (const char* op : {"tree.list", "snapshot.info", "replication.entries"})
    EXPECT_EQ(slave.ask(op, {{"after_lsn", 0}})["error_code"], "stale_replica") << op;
  EXPECT_EQ(slave.response("system.ping"), "pong");
  EXPECT_TRUE(slave.response("replication.status")["replication_lag_entries"].is_null());
  ASSERT_TRUE(eventually(
      [&] { return slave.response("replication.status")["replication_bootstrap_error_count"].get<int>() >= 2; }));
  EXPECT_TRUE(slave.response("replication.status")["replication_last_bootstrap_error"].is_string());
  master.start();
  master.increment(1, 5);
  expect_same();
}

TEST_F(Following, AMasterThatIsAwayIsCountedAndItsReturnGoesUnnoticed) {
  master.start();
  master.increment(1, 5);
  start_slave();
  expect_same();
  master.stop();
  ASSERT_TRUE(eventually([&] {
    const json status = slave.response("replication.status");
    return status["replication_poll_error_count"].get<int>() >= 2 && status["replication_lag_entries"].is_null();
  })) << "how far it is behind is not known";
  EXPECT_EQ(slave.sum(1), 5);
  master.start();
  master.increment(1, 5);
  expect_same();
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_attempt_count"], 1);
}

// One entry at a time, with a pause after each: it is behind for as long as there are others.
TEST_F(Following, TheLagIsAlsoToldInTime) {
  master.start();
  master.increment(1);
  slave.config.replication_batch_size = 1;
  slave.config.replication_poll_interval_ms = 30;
  start_slave();
  expect_same();
  const auto lag = [&] { return slave.response("replication.status")["replication_lag_ms"]; };
  EXPECT_TRUE(eventually([&] { return lag() == 0; }));
  for (int i = 0; i < 100; ++i) master.increment(1);
  ASSERT_TRUE(eventually([&] {
    const json status = slave.response("replication.status");
    return status["replication_lag_entries"] > 0 && status["replication_lag_ms"] > 30;
  })) << slave.ask("replication.status").dump();
  EXPECT_NE(slave.response("system.metrics").get<std::string>().find("\nkarma_replication_lag_ms "), std::string::npos);
  expect_same();
  EXPECT_TRUE(eventually([&] { return lag() == 0; }));
  master.stop();
  EXPECT_TRUE(eventually([&] { return lag().is_null(); }));
}

TEST_F(Following, ASlaveThatIsRestartedFindsTheLogWhereItWas) {
  ASSERT_NO_FATAL_FAILURE(follow_with_a_gap());
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_attempt_count"], 0) << "nothing is copied";
}

TEST_F(Following, WhatTheLogNoLongerHoldsIsCopiedAnew) {
  master.config.wal_retention_bytes = 0;
  ASSERT_NO_FATAL_FAILURE(follow_with_a_gap());
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_success_count"], 1);
  master.increment(4);
  expect_same();
}

TEST_F(Following, AMasterThatWasWipedIsFollowedAnewAndTheOldDataKept) {
  master.start();
  master.increment(1, 5);
  master.increment(1, 5);
  start_slave();
  expect_same();
  master.server.reset();
  master.files = std::make_unique<test::CrashableFileSystem>();
  master.start();
  master.increment(7, 1);
  ASSERT_TRUE(eventually([&] {
    return slave.ask("tree.list")["success"] == true && slave.content() == master.content();
  })) << slave.ask("replication.status").dump();
  expect_same();
  for (int i = 0; i < 10; ++i) master.increment(8);
  expect_same();
}

TEST_F(Following, AnotherEntryUnderTheSameNumberIsNoticed) {
  master.start();
  for (int i = 0; i < 4; ++i) master.increment(1, 5);
  start_slave();
  expect_same();
  slave.stop();
  master.server.reset();
  master.files = std::make_unique<test::CrashableFileSystem>();
  master.start();
  for (int i = 0; i < 9; ++i) master.increment(2, 7);
  slave.start();
  ASSERT_TRUE(eventually([&] { return slave.content() == master.content(); }))
      << slave.ask("replication.status").dump();
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_success_count"], 1);
}

// The last entry that the slave has is the same again, and only one before it is not.
TEST_F(Following, AMasterThatWasPutBackIsNoticedWhateverItWritesNext) {
  master.start();
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  const auto backup = master.files->after_crash(test::CrashableFileSystem::Unsynced::kept);
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  start_slave();
  expect_same();
  master.server.reset();
  master.files = backup->after_crash(test::CrashableFileSystem::Unsynced::kept);
  master.start();
  master.increment(2, 5);
  for (int i = 0; i < 6; ++i) master.increment(1, 5);
  ASSERT_TRUE(eventually([&] { return slave.content() == master.content(); }))
      << slave.ask("replication.status").dump();
  expect_same();
  EXPECT_EQ(slave.sum(2), 5);
}

// As the snapshot of a virtual machine does: what runs goes on in the epoch that it had.
TEST_F(Following, OtherEntriesOfTheSameEpochAreNoticed) {
  master.start();
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  const auto backup = master.files->after_crash(test::CrashableFileSystem::Unsynced::kept);
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  const std::string history = *master.files->content("data/karma.history.json");
  slave.config.replication_check_interval = 0;
  start_slave();
  expect_same();
  slave.crash(1);  // a stop would leave no log
  master.server.reset();
  master.files = backup->after_crash(test::CrashableFileSystem::Unsynced::kept);
  master.start();
  master.increment(2, 5);
  for (int i = 0; i < 6; ++i) master.increment(1, 5);
  master.crash(1);
  master.files->edit("data/karma.history.json", history);
  master.start();
  slave.start();
  ASSERT_TRUE(eventually([&] { return slave.content() == master.content(); }))
      << slave.ask("replication.status").dump();
  expect_same();
  EXPECT_EQ(slave.sum(2), 5);
  EXPECT_EQ(slave.response("replication.status")["replication_bootstrap_success_count"], 1);
}

// What was acknowledged by the new master must not give way to what the old one has.
TEST_F(Following, AnOldMasterThatComesBackIsNotFollowed) {
  master.start();
  master.increment(1, 5);
  start_slave();
  expect_same();
  ReplicatingNode third;
  third.follow(master);
  third.start();
  ASSERT_TRUE(caught_up(third, master));
  master.stop();
  slave.stop();
  slave.be_master();
  slave.start();
  slave.increment(1, 7);
  third.server.reset();
  third.follow(slave);
  third.start();
  ASSERT_TRUE(caught_up(third, slave));
  EXPECT_EQ(third.response("replication.status")["replication_bootstrap_attempt_count"], 0) << "it is a continuation";
  master.start();
  master.increment(1, 100);
  third.server.reset();
  third.follow(master);
  third.start();
  ASSERT_TRUE(eventually([&] {
    const json error = third.response("replication.status")["replication_last_poll_error"];
    return error.is_string() && error.get<std::string>().find("superseded") != std::string::npos;
  }));
  EXPECT_EQ(third.sum(1), 12);
  // The old master gives up what nobody else has, and keeps it aside.
  master.server.reset();
  master.follow(slave);
  master.start();
  ASSERT_TRUE(eventually([&] { return master.content() == slave.content(); }));
}

// With a poll interval of an hour nothing but the master's answer can bring it.
TEST_F(Following, TheMasterAnswersWhenThereIsAnEntry) {
  master.start();
  slave.config.replication_poll_interval_ms = 3'600'000;
  start_slave();
  for (int i = 0; i < 20; ++i) {
    master.increment(1);
    expect_same();
  }
  // Nobody waits for a question that stands.
  master.stop();
  slave.stop();
}

TEST_F(Following, WithoutALogItBeginsAfterItsSnapshots) {
  master.start();
  master.increment(1, 5);
  slave.config.wal = false;
  start_slave();
  expect_same();
  slave.stop();
  master.increment(1, 5);
  slave.start();
  expect_same();
  slave.server.reset();  // killed
  slave.start();
  expect_same();
}

TEST_F(Following, ASlaveIsASourceToo) {
  master.start();
  master.increment(1, 5);
  (void)master.response("snapshot.create_all");
  start_slave();
  expect_same();
  ReplicatingNode third;
  third.follow(slave);
  third.start();
  master.increment(1, 6);
  ASSERT_TRUE(caught_up(third, master));
  EXPECT_EQ(third.content(), master.content());
}

// One of several batches of a page cannot be logged: what comes after it must not take its numbers.
TEST_F(Following, APageOfWhichAPartCannotBeLoggedGoesOnWithThatPart) {
  master.start();
  for (std::uint64_t key = 0; key < 60; ++key) master.increment(key, key + 1);
  slave.config.wal_batch_size = 4;
  start_slave();
  expect_same();
  for (std::uint64_t nth = 1; nth < 12; nth += 2) {
    slave.server.reset();
    for (std::uint64_t key = 0; key < 60; ++key) master.increment(key, nth);
    slave.start();
    slave.files->fail({.nth = nth, .name = "karma.wal"});
    expect_same();
    slave.files->heal();
  }
}

TEST_F(Following, AMasterWithoutALogIsNotFollowed) {
  master.config.wal = false;
  master.start();
  master.increment(1, 5);
  start_slave();
  ASSERT_TRUE(eventually([&] {
    const json error = slave.response("replication.status")["replication_last_poll_error"];
    return error.is_string() && error.get<std::string>().find("keeps no log") != std::string::npos;
  }));
  EXPECT_EQ(slave.ask("tree.list")["error_code"], "stale_replica");
}

TEST_F(Following, WithoutRestoreItDoesNotStartOnData) {
  master.start();
  master.increment(1, 5);
  start_slave();
  expect_same();
  slave.stop();
  slave.config.restore = false;
  EXPECT_FALSE(Server::start(slave.config, *slave.files).ok());
}

// A slave that is a source gets another history while its own slave keeps the connection.
TEST_F(Following, AChainNoticesThatItsSourceHasOtherData) {
  master.start();
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  start_slave();
  expect_same();
  ReplicatingNode third;
  third.follow(slave);
  third.start();
  ASSERT_TRUE(caught_up(third, slave));
  master.server.reset();
  master.files = std::make_unique<test::CrashableFileSystem>();
  master.start();
  for (int i = 0; i < 12; ++i) master.increment(2, 7);
  ASSERT_TRUE(eventually([&] { return third.content() == master.content(); }))
      << third.ask("replication.status").dump();
  // A plain restart of the first node is no reason to copy anything.
  master.server.reset();
  master.start();
  master.increment(2, 7);
  ASSERT_TRUE(caught_up(third, master));
  third.server.reset();
  third.start();
  ASSERT_TRUE(caught_up(third, master));
  EXPECT_EQ(third.response("replication.status")["replication_bootstrap_attempt_count"], 0);
}

// What it has may be confirmed, and must not give way to less of the same.
TEST_F(Following, ASourceThatIsBehindIsWaitedFor) {
  master.start();
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  start_slave();
  expect_same();
  ReplicatingNode third;
  third.follow(master);
  third.start();
  slave.server.reset();
  for (int i = 0; i < 5; ++i) master.increment(1, 5);
  ASSERT_TRUE(caught_up(third, master));
  const json content = third.content();
  master.server.reset();
  slave.start();
  third.server.reset();
  third.follow(slave);
  third.start();
  ASSERT_TRUE(eventually([&] {
    const json error = third.response("replication.status")["replication_last_poll_error"];
    return error.is_string() && error.get<std::string>().find("ends at 5") != std::string::npos;
  }));
  EXPECT_EQ(third.response("replication.status")["replication_lag_entries"], nullptr);
  EXPECT_EQ(third.content(), content);
  master.start();
  master.increment(2, 7);
  ASSERT_TRUE(caught_up(third, master));
  EXPECT_EQ(third.content(), master.content());
  EXPECT_EQ(third.response("replication.status")["replication_bootstrap_attempt_count"], 0);
}

// It is of an earlier term then than its slaves, and yet no old master.
TEST_F(Following, APromotedMasterThatWasWipedIsFollowedAnew) {
  master.start();
  master.increment(1, 5);
  start_slave();
  expect_same();
  ReplicatingNode third;
  third.follow(slave);
  third.start();
  (void)slave.response("replication.promote");
  slave.increment(1, 5);
  ASSERT_TRUE(caught_up(third, slave));
  slave.server.reset();
  slave.files = std::make_unique<test::CrashableFileSystem>();
  slave.be_master();
  slave.start();
  slave.increment(2, 7);
  ASSERT_TRUE(eventually([&] { return third.content() == slave.content(); })) << third.ask("replication.status").dump();
}

// Copying and following break off after so many bytes, several times, and begin again or go on: never with a half.
TEST_F(Following, TheConnectionMayBreakAfterAnyByte) {
  master.start();
  for (std::uint64_t key = 0; key < 40; ++key) master.increment(key, key + 1);
  (void)master.response("counter.increment",
                        {{"series", "t"}, {"key", 1}, {"bucket", 20260101}, {"idempotency_key", "a"}});
  (void)master.response("snapshot.create_all");
  for (std::uint64_t key = 0; key < 40; ++key) master.increment(key, 1, "t");
  (void)master.response("snapshot.create", {{"series", "t"}});
  for (std::uint64_t key = 0; key < 40; ++key) master.increment(key, 1);
  const json expected = master.content();
  test::CuttingProxy proxy(master.port());
  std::uint64_t whole = 0;
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    // The first round measures what there is to cut.
    const std::uint64_t cut = whole == 0 ? 0 : random() % whole;
    SCOPED_TRACE("round " + std::to_string(round) + " cut after " + std::to_string(cut));
    const std::uint64_t before = proxy.forwarded();
    proxy.cut_after(cut, round == 0 ? 0 : 2);
    ReplicatingNode copy;
    copy.config.replication_batch_size = 100;
    copy.follow(proxy.port());
    copy.start();
    ASSERT_TRUE(caught_up(copy, master)) << copy.ask("replication.status").dump();
    ASSERT_EQ(copy.content(), expected);
    if (round == 0) whole = proxy.forwarded() - before;
    if (round % 4 == 0) {
      copy.crash(random());
      copy.start();
      ASSERT_TRUE(caught_up(copy, master)) << copy.ask("replication.status").dump();
      ASSERT_EQ(copy.content(), expected);
    }
  }
}

// Each call to the slave's disk fails once, in the middle of copying, changing over or following.
TEST_F(Following, EachCallToTheDiskMayFail) {
  master.start();
  for (std::uint64_t key = 0; key < 10; ++key) master.increment(key, key + 1);
  (void)master.response("snapshot.create_all");
  for (std::uint64_t key = 0; key < 10; ++key) master.increment(key, 1, "t");
  for (std::uint64_t call = 1; call < 400; call += 11) {
    SCOPED_TRACE("call " + std::to_string(call));
    ReplicatingNode copy;
    copy.config.wal_batch_size = 3;  // a page takes several batches, of which one may fail
    copy.follow(master);
    copy.start();
    copy.files->fail_call(call, "Input/output error");
    // A failed sync of the log stops writing for good, and a change that broke off waits for a restart.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
    const auto same = [&] {
      const json status = copy.ask("replication.status")["response"];
      return status.is_object() && status["replication_lag_entries"] == 0 && status["replayed_lsn"] == master.lsn();
    };
    while (!same() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (same()) {
      ASSERT_EQ(copy.content(), master.content());
    }
    copy.files->heal();
    copy.server.reset();
    copy.start();
    ASSERT_TRUE(caught_up(copy, master)) << copy.ask("replication.status").dump();
    ASSERT_EQ(copy.content(), master.content());
  }
}

// Both are killed again and again, and lose what was not synced, while writes and snapshots go on.
TEST_F(Following, BothMayBeKilledAtAnyTime) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ReplicatingNode source;
    ReplicatingNode copy;
    source.start();
    copy.follow(source);
    copy.start();
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0:
          copy.crash(random());
          copy.start();
          break;
        case 1:
          // A write that was answered is on the disk, so a slave never has what its master lost.
          source.crash(random());
          source.start();
          break;
        case 2:
          (void)source.response("snapshot.create_all");
          break;
        case 3:
          (void)source.ask("snapshot.create", {{"series", "s"}});
          break;
        default:
          for (std::uint64_t i = random() % 20; i != 0; --i) source.increment(random() % 10, random() % 5 + 1);
      }
    }
    ASSERT_TRUE(caught_up(copy, source)) << copy.ask("replication.status").dump();
    EXPECT_EQ(copy.content(), source.content());
  }
}

}  // namespace
}  // namespace karma
