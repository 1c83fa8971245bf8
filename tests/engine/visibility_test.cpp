// Readers never see what is not durable: while a sync is under way, no reader of any thread sees the write, and none
// waits for it; the moment it is acknowledged, all see it.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/gated_engine.h"

namespace karma::test {
namespace {

const std::string kIncrement = R"({"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260505,"value":5})";
const std::string kSum = R"({"v":2,"op":"counter.sum","series":"s","key":1})";
const std::string kKeys = R"({"v":2,"op":"tree.keys","series":"s"})";

class Visibility : public GatedEngine {
 protected:
  void SetUp() override {
    open();
    writer_->write(kIncrement);
    ASSERT_EQ(writer_->wait_for_reply(), success("5") + "\r\n");
  }

  std::string seen_by(Client& client) { return client.read(kSum); }
};

TEST_F(Visibility, NobodySeesAWriteBeforeItIsDurable) {
  gate_.close();
  writer_->write(kIncrement);
  gate_.wait_for_somebody();
  // It is in the kernel's hands, perhaps on the disk: nobody knows, so nobody may see it.
  EXPECT_EQ(seen_by(*other_), success("5") + "\r\n");
  EXPECT_EQ(seen_by(*writer_), success("5") + "\r\n");
  EXPECT_NE(other_->read(kKeys).find("\"total\":5"), std::string::npos);
  EXPECT_TRUE(writer_->replies().empty()) << "acknowledged before the sync returned";
  gate_.open();
  EXPECT_EQ(writer_->wait_for_reply(), success("5") + "\r\n");
  EXPECT_EQ(seen_by(*other_), success("10") + "\r\n");
  EXPECT_EQ(seen_by(*writer_), success("10") + "\r\n");
}

TEST_F(Visibility, OnOneConnectionAReadWaitsForTheWriteBeforeIt) {
  gate_.close();
  writer_->write(kIncrement);
  gate_.wait_for_somebody();
  writer_->write(kSum);
  EXPECT_EQ(writer_->ask_behind_pending(kKeys), engine::Handled::blocked);
  EXPECT_TRUE(writer_->replies().empty());
  gate_.open();
  EXPECT_EQ(writer_->wait_for_replies(2), (std::vector<std::string>{success("5") + "\r\n", success("10") + "\r\n"}));
}

TEST_F(Visibility, WhatIsVisibleSurvivesACrash) {
  gate_.close();
  writer_->write(kIncrement);
  gate_.wait_for_somebody();
  Node before(files_.after_crash(CrashableFileSystem::Unsynced::lost));
  before.open();
  EXPECT_EQ(before(kSum), success("5"));
  gate_.open();
  writer_->wait_for_reply();
  EXPECT_EQ(seen_by(*other_), success("10") + "\r\n");
  Node after(files_.after_crash(CrashableFileSystem::Unsynced::lost));
  after.open();
  EXPECT_EQ(after(kSum), success("10"));
}

TEST_F(Visibility, WritesThatComeDuringASyncShareTheNextOne) {
  gate_.close();
  writer_->write(kIncrement);
  gate_.wait_for_somebody();
  const std::uint64_t syncs = files_.count(CrashableFileSystem::Operation::sync);
  std::vector<std::unique_ptr<Client>> many;
  for (int i = 0; i < 24; ++i) {
    many.push_back(std::make_unique<Client>(*engine_, config_));
    many.back()->write(kIncrement);
  }
  gate_.open();
  for (auto& client : many) EXPECT_EQ(client->wait_for_reply(), success("5") + "\r\n");
  EXPECT_EQ(seen_by(*other_), success("130") + "\r\n");
  // The one that was held, and one for all the others.
  EXPECT_LE(files_.count(CrashableFileSystem::Operation::sync), syncs + 2);
  writer_->wait_for_reply();
}

TEST_F(Visibility, AFailedSyncIsSeenByNobody) {
  files_.fail({.operation = CrashableFileSystem::Operation::sync, .name = "karma.wal", .text = "Input/output error"});
  writer_->write(kIncrement);
  EXPECT_TRUE(writer_->wait_for_reply().find("internal_error") != std::string::npos);
  EXPECT_EQ(seen_by(*other_), success("5") + "\r\n");
  EXPECT_NE(other_->read(R"({"v":2,"op":"system.health"})").find("degraded"), std::string::npos);
}

// snapshot.verify, with a write and its reply at each of its reads.
class VisibilityWhileVerifying : public Visibility {
 protected:
  void SetUp() override {
    config_.wal_segment_bytes = 1;  // each write closes a file of the log
    Visibility::SetUp();
    ASSERT_TRUE(engine_->create_all_snapshots().ok());
    writer_->write(kIncrement);
    ASSERT_EQ(writer_->wait_for_reply(), success("5") + "\r\n");
    files_.before_call([this](CrashableFileSystem::Operation operation, const std::string& path) {
      if (operation != CrashableFileSystem::Operation::read || std::this_thread::get_id() != verifying_) return;
      ++reads_[path.substr(path.find('/') + 1)];
      writer_->write(kIncrement);
      EXPECT_TRUE(writer_->is_answered_within(std::chrono::seconds(30)))
          << "the writer is held while it reads " << path;
    });
  }
  Result<commands::Verified> verify() {
    verifying_ = std::this_thread::get_id();
    Result<commands::Verified> verified = engine_->verify();
    verifying_ = std::thread::id();
    return verified;
  }

  std::thread::id verifying_;
  std::map<std::string, int> reads_;
};

TEST_F(VisibilityWhileVerifying, TheLogMayRotateUnderneath) {
  Result<commands::Verified> verified = verify();
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(verified->trees, 1u);
  EXPECT_EQ(verified->snapshot_lsn, Lsn{1});
  EXPECT_EQ(verified->wal_last, Lsn{2}) << "what came while it was reading is not looked at";
  EXPECT_GT(reads_.size(), 4u);
  ASSERT_TRUE(engine_->create_snapshot("s").ok());
  verified = verify();
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  ASSERT_TRUE(engine_->create_all_snapshots().ok());
  verified = verify();
  ASSERT_TRUE(verified.ok()) << verified.error().message;
}

TEST_F(VisibilityWhileVerifying, NoWriteWaitsForItWhateverIsWrong) {
  for (const std::string name : {"karma.wal.lsn", "karma.idempotency.json.meta.json"}) {
    const std::string good = *files_.content(in_directory(name));
    files_.edit(in_directory(name), "odd");
    const Result<commands::Verified> verified = verify();
    ASSERT_FALSE(verified.ok());
    EXPECT_NE(verified.error().message.find(name), std::string::npos) << verified.error().message;
    files_.edit(in_directory(name), good);
  }
  EXPECT_TRUE(verify().ok());
}

// For the thread sanitizer: what replicas ask for is answered by other threads.
TEST_F(VisibilityWhileVerifying, ReplicasAskWhichSnapshotsThereAre) {
  std::thread replica([this] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(engine_->snapshots().latest()->size(), 1u);
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(verify().ok());
  replica.join();
}

}  // namespace
}  // namespace karma::test
