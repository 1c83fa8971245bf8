// A client that gives its request an `id` finds it in the reply, whichever way the reply took.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_client.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

class RequestId : public testing::Test {
 protected:
  void SetUp() override {
    config_.auth_token = "secret";
    config_.read_auth_token = "public";
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    client_ = std::make_unique<Client>(*engine_, config_);
  }
  void TearDown() override { (void)engine_->shutdown(false); }

  // The reply to a request with these fields.
  nlohmann::json ask(const std::string& fields, const std::string& token = "secret") {
    return nlohmann::json::parse(client_->ask(R"({"v":2,"token":")" + token + "\"," + fields + "}"));
  }

  CrashableFileSystem files_;
  ManualClock clock_;
  Config config_ = test_config();
  EventLog log_{clock_, false};
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<Client> client_;
};

const std::string kIncrement = R"("op":"counter.increment","series":"s","key":1,"bucket":20260101)";

TEST_F(RequestId, IsTheLastFieldOfEveryKindOfReply) {
  const std::string with_id = R"({"v":2,"token":"secret",)" + kIncrement + R"(,"id":7})";
  EXPECT_EQ(client_->ask(with_id), R"({"protocol_version":2,"success":true,"response":1,"error_code":null,"id":7})")
      << "a write";
  for (const std::string request : {
           R"("op":"counter.sum","series":"s","key":1)",                                      // a read
           R"("op":"tree.points","series":"s")",                                              // one that may be long
           R"("op":"snapshot.create","series":"s")",                                          // of a worker
           R"("op":"counter.sum","series":"s","key":1,"min_lsn":1)",                          // that waits
           R"("op":"series.delete_before","series":"s","before":20200101)",                   // refuses unknown fields
           R"("op":"counter.decrement","series":"s","key":1,"value":1,"bucket":20260101)",    //
           R"("op":"counter.increment","series":"s","key":2,"idempotency_key":"a")",          // first
           R"("op":"counter.increment","series":"s","key":2,"idempotency_key":"a")",          // repeated
           R"("op":"counter.increment","series":"s","key":1,"bucket":20260101,"value":"x")",  // errors
           R"("op":"counter.sum","series":"nowhere","key":1)",
           R"("op":"series.delete_before","series":"nowhere","before":20200101)",
           R"("op":"no.such")",
       }) {
    EXPECT_EQ(ask(request + R"(,"id":18446744073709551615)")["id"], UINT64_MAX) << request;
    EXPECT_EQ(ask(request + R"(,"id":"a b")")["id"], "a b") << request;
    EXPECT_FALSE(ask(request).contains("id")) << "nobody asked: " << request;
  }
}

TEST_F(RequestId, IsInTheErrorsOfThoseWhoMayNotAsk) {
  const nlohmann::json without_token = ask(kIncrement + R"(,"id":1)", "wrong");
  EXPECT_EQ(without_token["error_code"], "unauthorized");
  EXPECT_EQ(without_token["id"], 1);
  const nlohmann::json may_only_read = ask(kIncrement + R"(,"id":2)", "public");
  EXPECT_EQ(may_only_read["error_code"], "forbidden");
  EXPECT_EQ(may_only_read["id"], 2);
  const std::string other_version = client_->ask(R"({"v":1,"id":3})");
  EXPECT_EQ(nlohmann::json::parse(other_version)["error_code"], "unsupported_protocol");
  EXPECT_EQ(nlohmann::json::parse(other_version)["id"], 3);
  EXPECT_FALSE(nlohmann::json::parse(client_->ask(R"({"v":2,"id":4,)")).contains("id")) << "it is no JSON";
}

TEST_F(RequestId, IsRepeatedAsItWasWritten) {
  const std::string longest(64, 'x');
  std::string escapes;
  for (int i = 0; i < 64; ++i) escapes += "\\u0000";
  for (const std::string id : {"0", "18446744073709551615", R"("")", R"("\"\\\n\u00e9")", "\"\xc3\xa9\""}) {
    const std::string reply = client_->ask(R"({"v":2,"token":"secret","op":"system.ping","id":)" + id + "}");
    EXPECT_TRUE(reply.ends_with(R"("error_code":null,"id":)" + id + "}")) << reply;
  }
  for (const std::string& id : {longest, escapes})
    EXPECT_TRUE(ask(R"("op":"system.ping","id":")" + id + '"').contains("id")) << "64 bytes, once decoded";
}

TEST_F(RequestId, OfAnotherKindIsRefusedAndNothingIsDone) {
  const std::string too_long(65, 'x');
  for (const std::string id : {"null", "true", "-1", "1.0", "[1]", "{}"}) {
    const nlohmann::json reply = ask(kIncrement + R"(,"id":)" + id);
    EXPECT_EQ(reply["error_code"], "validation_error") << id;
    EXPECT_FALSE(reply.contains("id")) << id;
  }
  EXPECT_EQ(ask(kIncrement + R"(,"id":")" + too_long + '"')["error_code"], "validation_error");
  EXPECT_EQ(ask(kIncrement + R"(,"id":[])", "wrong")["error_code"], "unauthorized")
      << "who has no token learns nothing";
  EXPECT_EQ(ask(kIncrement)["response"], 1) << "the first that counts";
}

TEST_F(RequestId, BelongsToItsOwnReplyOfAPipeline) {
  for (const char* id : {"1", "\"two\"", "3"})
    client_->write(R"({"v":2,"token":"secret",)" + kIncrement + R"(,"id":)" + id + "}");
  client_->write(R"({"v":2,"token":"secret",)" + kIncrement + "}");
  std::vector<std::string> replies;
  while (replies.size() < 4) {
    for (std::string& reply : client_->replies()) replies.push_back(std::move(reply));
    std::this_thread::yield();
  }
  EXPECT_EQ(nlohmann::json::parse(replies[0])["id"], 1);
  EXPECT_EQ(nlohmann::json::parse(replies[1])["id"], "two");
  EXPECT_EQ(nlohmann::json::parse(replies[2])["id"], 3);
  EXPECT_FALSE(nlohmann::json::parse(replies[3]).contains("id"));
}

TEST_F(RequestId, IsNoPartOfWhatIsAskedFor) {
  const std::string keyed = kIncrement + R"(,"idempotency_key":"k")";
  EXPECT_EQ(ask(keyed + R"(,"id":1)")["idempotent"], false);
  const nlohmann::json repeated = ask(keyed + R"(,"id":2)");
  EXPECT_EQ(repeated["idempotent"], true);
  EXPECT_EQ(repeated["id"], 2);
  const nlohmann::json entries = ask(R"("op":"replication.entries","after_lsn":0)");
  EXPECT_FALSE(entries["response"]["entries"].empty());
  EXPECT_EQ(entries.dump().find("\"id\\\""), std::string::npos) << "it is not in the log: " << entries;
}

}  // namespace
}  // namespace karma::test
