// What comes after a write of its connection rides along: each request of a pipeline sees exactly the ones before it,
// and none makes the pipeline stop and go.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/gated_engine.h"

namespace karma::test {
namespace {

using Operation = CrashableFileSystem::Operation;
using Replies = std::vector<std::string>;

std::string increment(int key, int value = 5, const std::string& more = "") {
  return R"({"v":2,"op":"counter.increment","series":"s","bucket":20260505,"key":)" + std::to_string(key) +
         R"(,"value":)" + std::to_string(value) + more + "}";
}
std::string sum(int key) { return R"({"v":2,"op":"counter.sum","series":"s","key":)" + std::to_string(key) + "}"; }
std::string batch_sum(int keys) {
  std::string list;
  for (int key = 1; key <= keys; ++key) list += (list.empty() ? "" : ",") + std::to_string(key);
  return R"({"v":2,"op":"counter.batch_sum","series":"s","keys":[)" + list + "]}";
}
const std::string kPing = R"({"v":2,"op":"system.ping"})";

class Pipeline : public GatedEngine {
 protected:
  void SetUp() override {
    open();
    ASSERT_EQ(writer_->ask(increment(1, 100)), success("100"));
  }
  void open_again() {
    close();
    open();
  }
  std::uint64_t syncs() const { return files_.count(Operation::sync); }
  // The replies without their line ends, to all of them.
  static Replies answers(Client& client, const Replies& lines) {
    client.send(lines);
    return received(client, lines.size());
  }
  static Replies received(Client& client, std::size_t count) {
    Replies replies = client.wait_for_replies(count);
    for (std::string& reply : replies) reply.resize(reply.find_last_not_of("\r\n") + 1);
    return replies;
  }
};

TEST_F(Pipeline, EachRequestSeesTheOnesBeforeIt) {
  const std::string item = R"([{"key":1,"value":106},{"key":2,"value":7}])";
  EXPECT_EQ(answers(*writer_, {increment(1), sum(1), increment(1, 1), sum(1), sum(2), increment(2, 7), batch_sum(2),
                               kPing, R"({"v":2,"op":"counter.multi_sum","items":[{"series":"s","key":2}]})"}),
            (Replies{success("5"), success("105"), success("1"), success("106"), success("0"), success("7"),
                     success(item), success("\"pong\""), success(R"([{"series":"s","key":2,"value":7}])")}));
}

TEST_F(Pipeline, ItIsSyncedOnceWhateverComesBetweenItsWrites) {
  const std::uint64_t before = syncs();
  const Replies part = {
      increment(1), sum(1), kPing, "{", R"({"v":2,"op":"no.such"})", R"({"v":2,"op":"counter.sum","series":"s"})",
      increment(-1)};
  Replies lines;
  for (int i = 0; i < 20; ++i) lines.insert(lines.end(), part.begin(), part.end());
  const Replies replies = answers(*writer_, lines);
  EXPECT_EQ(syncs(), before + 1);
  ASSERT_EQ(replies.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); i += 7) {
    EXPECT_EQ(replies[i], success("5"));
    EXPECT_EQ(replies[i + 1], success(std::to_string(105 + 5 * (i / 7))));
    EXPECT_EQ(replies[i + 2], success("\"pong\""));
    EXPECT_NE(replies[i + 3].find("invalid_json"), std::string::npos) << replies[i + 3];
    EXPECT_NE(replies[i + 4].find("unknown_command"), std::string::npos) << replies[i + 4];
    EXPECT_NE(replies[i + 5].find("validation_error"), std::string::npos) << replies[i + 5];
    EXPECT_NE(replies[i + 6].find("validation_error"), std::string::npos) << replies[i + 6];
  }
}

// Of a reply with an id, too.
TEST_F(Pipeline, WhatRidesIsAnsweredAsEver) {
  const std::string ask = R"({"v":2,"op":"counter.sum","series":"s","key":1,"id":"a"})";
  const std::string missing = R"({"v":2,"op":"counter.sum","series":"none","key":1,"id":7})";
  const std::string wrong = R"({"v":2,"op":"counter.sum","series":"s","id":8})";
  const Replies alone = {writer_->ask(ask), writer_->ask(missing), writer_->ask(wrong)};
  const Replies riding = answers(*writer_, {increment(2), ask, missing, wrong});
  EXPECT_EQ(Replies(riding.begin() + 1, riding.end()), alone);
}

TEST_F(Pipeline, WhatCannotBeLoggedIsNotSeen) {
  const std::uint64_t before = syncs();
  files_.fail({.nth = 1, .name = "karma.wal"});
  const Replies replies = answers(*writer_, {increment(1), sum(1), increment(1), sum(1)});
  EXPECT_NE(replies[0].find("No space left"), std::string::npos) << replies[0];
  EXPECT_EQ(replies[1], success("100"));
  EXPECT_NE(replies[2].find("No space left"), std::string::npos) << replies[2];
  EXPECT_EQ(replies[3], success("100"));
  EXPECT_EQ(answers(*writer_, {increment(1), sum(1)}), (Replies{success("5"), success("105")}));
  EXPECT_GT(syncs(), before);
}

// It has nothing in the batch that is synced next.
TEST_F(Pipeline, AReadDoesNotWaitForTheSyncOfOthers) {
  gate_.close();
  writer_->write(increment(1));
  gate_.wait_for_somebody();
  other_->write(increment(2));
  writer_->write(sum(1));
  gate_.let_through();  // to the next sync, which is that of the other's write
  EXPECT_EQ(received(*writer_, 2), (Replies{success("5"), success("105")}));
  gate_.wait_for_somebody();
  EXPECT_TRUE(other_->replies().empty());
  gate_.open();
  EXPECT_EQ(other_->wait_for_reply(), success("5") + "\r\n");
}

TEST_F(Pipeline, AReadWaitsForTheLargeWriteBeforeIt) {
  std::string items;
  for (int key = 1; key <= 3000; ++key) items += (items.empty() ? "[" : ",[") + std::to_string(key) + ",20260505,1]";
  const std::string large = R"({"v":2,"op":"series.batch_add","series":"s","items":[)" + items + "]}";
  std::vector<std::unique_ptr<Client>> many;
  for (int i = 0; i < 6; ++i) {
    many.push_back(std::make_unique<Client>(*engine_, config_));
    many.back()->send({large, sum(3000 - i), large, sum(2990), increment(2990), sum(2990), "{"});
  }
  for (auto& client : many) {
    const Replies replies = received(*client, 7);
    const auto number = [](const std::string& reply) {
      return std::stoull(reply.substr(reply.find("response\":") + 10));
    };
    EXPECT_GE(number(replies[1]), 1u);
    EXPECT_GE(number(replies[3]), 2u);
    EXPECT_GE(number(replies[5]), number(replies[3]) + 5);
    EXPECT_NE(replies[6].find("invalid_json"), std::string::npos);
  }
}

TEST_F(Pipeline, LongReadsAndAnswersThatDependOnWritesWait) {
  gate_.close();
  writer_->send({increment(1), batch_sum(64)});
  gate_.wait_for_somebody();
  EXPECT_EQ(writer_->ask_behind_pending(batch_sum(65)), engine::Handled::blocked);
  EXPECT_EQ(writer_->ask_behind_pending(R"({"v":2,"op":"tree.list"})"), engine::Handled::blocked);
  EXPECT_EQ(writer_->ask_behind_pending(R"({"v":2,"op":"counter.sum","series":"s","key":1,"min_lsn":1})"),
            engine::Handled::blocked);
  // A name that breaks the rules is taken where the series exists, which a write before it may change.
  EXPECT_EQ(writer_->ask_behind_pending(R"({"v":2,"op":"counter.increment","series":"a/b","key":1})"),
            engine::Handled::blocked);
  gate_.open();
  EXPECT_EQ(received(*writer_, 2).size(), 2u);
}

TEST_F(Pipeline, WithoutALogItIsTheSame) {
  config_.wal = false;
  open_again();
  const std::uint64_t before = syncs();
  EXPECT_EQ(answers(*writer_, {increment(3), sum(3), "{", increment(3, 1), sum(3)}).back(), success("6"));
  EXPECT_EQ(syncs(), before);
}

// The answers of the writes wait for slaves, and those after them for their turn.
TEST_F(Pipeline, WhereSlavesHaveToConfirmTheOrderStays) {
  config_.min_replicas_ack = 1;
  config_.replicas_ack_timeout_ms = 1;
  open_again();
  writer_->send({increment(1), sum(1), "{", increment(1), sum(1)});
  Replies replies;
  while (replies.size() < 5) {
    clock_.advance(1);  // once they wait, their time is up
    for (std::string& reply : writer_->replies()) replies.push_back(std::move(reply));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_NE(replies[0].find("not_confirmed"), std::string::npos) << replies[0];
  EXPECT_EQ(replies[1], success("105") + "\r\n") << "it is durable and visible here";
  EXPECT_NE(replies[2].find("invalid_json"), std::string::npos) << replies[2];
  EXPECT_NE(replies[3].find("not_confirmed"), std::string::npos) << replies[3];
  EXPECT_EQ(replies[4], success("110") + "\r\n");
}

}  // namespace
}  // namespace karma::test
