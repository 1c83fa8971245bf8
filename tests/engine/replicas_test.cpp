// Which slaves there are, and what they have, as their questions tell.
#include "engine/replicas.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "engine/replica_id.h"
#include "io/replace_file.h"
#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::Node;

const std::string kA(32, 'a');
const std::string kB(32, 'b');
const std::string kC(32, 'c');

class ReplicasTest : public ::testing::Test {
 protected:
  void ask(const std::string& id, std::uint64_t after, std::optional<std::uint64_t> durable,
           std::optional<bool> of_history = true) {
    std::optional<Lsn> on_disk;
    if (durable) on_disk = Lsn{*durable};
    replicas_.asked({.id = id, .after = Lsn{after}, .durable = on_disk, .epoch = {}}, of_history, now_, 1);
  }
  std::uint64_t confirmed_by(std::size_t count) const { return replicas_.confirmed_by(count).value; }

  Replicas replicas_;
  Replicas::Time now_{1000h};
};

TEST_F(ReplicasTest, TheSlowerOfTwoCounts) {
  EXPECT_EQ(confirmed_by(1), 0u);
  ask(kA, 7, 7);
  EXPECT_EQ(confirmed_by(1), 7u);
  EXPECT_EQ(confirmed_by(2), 0u);
  ask(kB, 5, 5);
  EXPECT_EQ(confirmed_by(1), 7u);
  EXPECT_EQ(confirmed_by(2), 5u);
  ask(kA, 9, 9);
  ask(kA, 9, 9);
  EXPECT_EQ(confirmed_by(2), 5u) << "one slave is one, however often it asks";
  ask(kB, 8, 8);
  EXPECT_EQ(confirmed_by(2), 8u);
}

TEST_F(ReplicasTest, OnlyWhatIsOnTheDiskAndOfThisHistoryIsConfirmed) {
  ask(kA, 9, 4);  // it asks ahead while it applies a page
  EXPECT_EQ(confirmed_by(1), 4u);
  ask(kA, 9, std::nullopt);
  EXPECT_EQ(confirmed_by(1), 0u);
  ask(kA, 9, 9, false);
  EXPECT_EQ(confirmed_by(1), 0u);
  ask(kA, 9, 9, std::nullopt);
  EXPECT_EQ(confirmed_by(1), 0u);
}

TEST_F(ReplicasTest, TheLowestPositionIsThatOfThoseSeenLately) {
  EXPECT_FALSE(replicas_.lowest_position(now_));
  ask(kA, 9, 4);
  now_ += 60s;
  ask(kB, 7, std::nullopt);
  EXPECT_EQ(replicas_.lowest_position(now_ - 60s), Lsn{4});
  EXPECT_EQ(replicas_.lowest_position(now_ - 59s), Lsn{7});
  EXPECT_EQ(replicas_.count(now_ - 60s), 2u);
  EXPECT_EQ(replicas_.count(now_), 1u);
  EXPECT_FALSE(replicas_.lowest_position(now_ + 1s));
}

TEST_F(ReplicasTest, TheSilentAreForgotten) {
  ask(kA, 1, 1);
  now_ += Replicas::kForgottenAfter;
  EXPECT_EQ(replicas_.list(now_).size(), 1u);
  now_ += 1s;
  EXPECT_EQ(replicas_.list(now_).size(), 0u);
  ask(kB, 1, 1);
  EXPECT_EQ(confirmed_by(2), 0u);
}

TEST_F(ReplicasTest, NoMoreThanTheBoundAndTheLongestSilentGoesFirst) {
  const auto id = [](std::size_t i) { return std::to_string(100 + i) + std::string(29, '0'); };
  for (std::size_t i = 0; i < Replicas::kMaxReplicas; ++i, now_ += 1s) ask(id(i), i, i);
  ask(id(0), 500, 500);
  ask(kA, 1, 1);
  const std::vector<commands::Replica> list = replicas_.list(now_);
  ASSERT_EQ(list.size(), Replicas::kMaxReplicas);
  EXPECT_EQ(list[0].id, id(0));
  EXPECT_EQ(list[1].id, id(2));
  EXPECT_EQ(list.back().id, kA);
}

std::string poll(const std::string& id, std::uint64_t after, const std::string& more = "") {
  return ",\"after_lsn\":" + std::to_string(after) + ",\"limit\":1,\"replica\":\"" + id + '"' + more;
}

TEST(ReplicationReplicas, TellsWhoAskedAndWhatTheyHave) {
  Node node;
  node.open();
  for (int i = 0; i < 3; ++i) node.expect("counter.increment", R"(,"series":"s","key":1)");
  const json none = json::parse(node.expect("replication.replicas"));
  EXPECT_EQ(none["source_lsn"], 3);
  EXPECT_EQ(none["count"], 0);
  EXPECT_EQ(none["role"], "master");
  EXPECT_EQ(none["term"], 1);
  node.expect("replication.entries", R"(,"after_lsn":2)");  // as a Karma 1.0 does
  const std::string epoch = json::parse(node.expect("replication.status"))["history"][0][0];
  node.expect("replication.entries", poll(kA, 3, R"(,"durable_lsn":2,"replica_epoch":")" + epoch + '"'));
  node.clock.advance(5);
  node.expect("replication.entries", poll(kB, 1, R"(,"replica_epoch":")" + kC + '"'));
  node.expect("replication.entries", poll(kC, 7, R"(,"durable_lsn":7)"));
  const json report = json::parse(node.expect("replication.replicas"));
  EXPECT_EQ(report["epoch"], epoch);
  ASSERT_EQ(report["count"], 3) << report;
  EXPECT_EQ(report["replicas"][0], json({{"replica", kA},
                                         {"position", 2},
                                         {"durable_lsn", 2},
                                         {"lag_entries", 1},
                                         {"last_contact_unix", test::ManualClock::kNoon},
                                         {"last_contact_ms", 5000},
                                         {"epoch", epoch},
                                         {"same_history", true}}));
  EXPECT_EQ(report["replicas"][1]["position"], 1);
  EXPECT_TRUE(report["replicas"][1]["durable_lsn"].is_null());
  EXPECT_EQ(report["replicas"][1]["same_history"], false) << "another epoch";
  EXPECT_EQ(report["replicas"][2]["same_history"], false) << "beyond the log";
  EXPECT_TRUE(report["replicas"][2]["lag_entries"].is_null());
  EXPECT_TRUE(report["replicas"][2]["epoch"].is_null());
}

TEST(ReplicaId, IsChosenOnceAndItsDamageIsNoticed) {
  Node node;
  node.open();
  node.close();
  EXPECT_EQ(*read_replica_id(*node.files, test::kDirectory), "");
  const std::string id = *own_replica_id(*node.files, test::kDirectory);
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(*own_replica_id(*node.files, test::kDirectory), id);
  EXPECT_EQ(test::check(*node.files).substr(0, 1), "0");
  const std::string path = test::in_directory(kReplicaIdName);
  std::string text = *read_file(*node.files, path);
  ++text[text.size() / 2];
  node.files->edit(path, text);
  EXPECT_FALSE(own_replica_id(*node.files, test::kDirectory).ok());
  EXPECT_EQ(test::check(*node.files).substr(0, 1), "1");
  node.open();
}

}  // namespace
}  // namespace karma::engine
