// Reading one's own writes on any node: a write tells its LSN, a read waits until the node has it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

class MinLsn : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    client_ = std::make_unique<Client>(*engine_, config_);
  }
  void TearDown() override { (void)engine_->shutdown(false); }

  static std::string increment(const std::string& fields = "") {
    return R"({"v":2,"op":"counter.increment","series":"s","key":1,"bucket":20260101)" + fields + "}";
  }
  static std::string sum(const std::string& fields) {
    return R"({"v":2,"op":"counter.sum","series":"s","key":1)" + fields + "}";
  }
  static bool has(const std::string& reply, std::string_view text) { return reply.find(text) != std::string::npos; }

  CrashableFileSystem files_;
  ManualClock clock_;
  const Config config_ = test_config();
  EventLog log_{clock_, false};
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Client> client_;
};

TEST_F(MinLsn, AWriteTellsItsLsnIfItIsAsked) {
  EXPECT_FALSE(has(client_->ask(increment()), "lsn"));
  EXPECT_FALSE(has(client_->ask(increment(R"(,"want_lsn":false)")), "lsn"));
  EXPECT_TRUE(has(client_->ask(increment(R"(,"want_lsn":true)")), R"("response":1,"lsn":3,"error_code":null})"));
  const std::string keyed = increment(R"(,"want_lsn":true,"idempotency_key":"a")");
  EXPECT_TRUE(has(client_->ask(keyed), R"("idempotent":false,"lsn":4,)"));
  client_->ask(increment());
  EXPECT_TRUE(has(client_->ask(keyed), R"("idempotent":true,"lsn":5,)")) << "it was decided on all that came before";
  EXPECT_TRUE(has(client_->ask(R"({"v":2,"op":"tree.drop","series":"s","want_lsn":true})"), R"("lsn":6,)"))
      << "an op that refuses unknown fields takes it, too";
}

TEST_F(MinLsn, AWriteThatIsRefusedTellsNone) {
  EXPECT_TRUE(failed_with(client_->ask(increment(R"(,"want_lsn":1)")), "validation_error"));
  const std::string missing =
      client_->ask(R"({"v":2,"op":"series.delete_before","series":"s","before":20260101,"want_lsn":true})");
  EXPECT_TRUE(failed_with(missing, "not_found"));
  EXPECT_FALSE(has(missing, "lsn"));
}

TEST_F(MinLsn, AReadOfWhatIsThereIsAnsweredAtOnce) {
  client_->ask(increment());
  EXPECT_TRUE(has(client_->read(sum(R"(,"min_lsn":1)")), R"("response":1)"));
  EXPECT_TRUE(has(client_->ask(R"({"v":2,"op":"tree.top","series":"s","min_lsn":1})"), R"("value":1)"));
  EXPECT_TRUE(failed_with(client_->ask(sum(R"(,"min_lsn":"1")")), "validation_error"));
  EXPECT_TRUE(failed_with(client_->ask(sum(R"(,"min_lsn":1,"wait_ms":-1)")), "validation_error"));
  EXPECT_TRUE(succeeded(client_->ask(R"({"v":2,"op":"system.ping","min_lsn":9})"))) << "nothing is read";
}

TEST_F(MinLsn, AReadOfWhatDoesNotComeIsRefused) {
  client_->ask(increment());
  for (const char* wait : {"0", "1"}) {
    const std::string reply = client_->ask(sum(R"(,"min_lsn":2,"wait_ms":)" + std::string(wait)));
    EXPECT_TRUE(failed_with(reply, "stale_replica"));
    EXPECT_TRUE(has(reply, "has LSN 1 and not yet 2")) << reply;
  }
  EXPECT_TRUE(
      failed_with(client_->ask(R"({"v":2,"op":"tree.keys","series":"s","min_lsn":2,"wait_ms":0})"), "stale_replica"));
}

TEST_F(MinLsn, AReadWaitsForWhatComes) {
  client_->ask(increment());
  Client other(*engine_, config_);
  std::string reply;
  std::thread reader([&] { reply = other.ask(sum(R"(,"min_lsn":3,"wait_ms":10000)")); });
  client_->ask(increment());
  client_->ask(increment());
  reader.join();
  EXPECT_TRUE(has(reply, R"("response":3)")) << reply;
}

TEST_F(MinLsn, AReadThatWaitsDoesNotHoldUpTheStop) {
  std::string reply;
  std::thread reader([&] { reply = client_->ask(sum(R"(,"min_lsn":1,"wait_ms":10000)")); });
  engine_->end_waiting();
  reader.join();
  EXPECT_TRUE(failed_with(reply, "stale_replica"));
}

}  // namespace
}  // namespace karma::test
