// karma ping, call and stats, against a server that says what the test wants.
#include <gtest/gtest.h>

#include "support/client_command.h"
#include "support/scripted_server.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

std::string answer(const std::string& response) {
  return R"({"protocol_version":2,"success":true,"response":)" + response + R"(,"error_code":null})";
}
const std::string kRefusal =
    R"({"protocol_version":2,"success":false,"response":"Unauthorized","error_code":"unauthorized"})";

class NodeCommandTest : public ::testing::Test {
 protected:
  // The exit code; `out_` and `err_` have the rest.
  int run(std::vector<std::string> arguments, const char* token = nullptr) {
    arguments.push_back("--port=" + std::to_string(server_.port()));
    std::map<std::string, std::string> variables;
    if (token != nullptr) variables["KARMA_AUTH_TOKEN"] = token;
    const auto [code, out, err] = test::run_karma(std::move(arguments), variables);
    out_ = out;
    err_ = err;
    return code.value_or(-1);
  }

  std::string answer_with_ = answer("1");
  std::string health_ = kRefusal;
  std::string stats_ = kRefusal;
  std::vector<std::string> lines_;
  std::string out_;
  std::string err_;
  test::ScriptedServer server_{[this](const std::string& line) {
    lines_.push_back(line);
    if (line.find("system.health") != line.npos) return health_;
    if (line.find("system.stats") != line.npos) return stats_;
    return answer_with_;
  }};
};

TEST_F(NodeCommandTest, PingTellsWhatAnsweredAndHowFast) {
  answer_with_ = answer(R"("pong")");
  EXPECT_EQ(run({"ping"}, "s3cret"), 0) << err_;
  EXPECT_TRUE(out_.starts_with("pong from 127.0.0.1:" + std::to_string(server_.port()) + " in ")) << out_;
  EXPECT_TRUE(out_.ends_with(" ms\n")) << "a server that does not tell its health: " << out_;
  EXPECT_EQ(lines_.front(), R"({"v":2,"op":"system.ping","token":"s3cret"})");

  health_ = answer(R"({"status":"ok","role":"slave"})");
  EXPECT_EQ(run({"ping"}), 0);
  EXPECT_TRUE(out_.ends_with(" ms: slave, ok\n")) << out_;

  health_ = answer(R"({"status":"degraded","role":"master","problems":["one","two"]})");
  EXPECT_EQ(run({"ping"}), 0) << "it answers";
  EXPECT_TRUE(out_.ends_with(" ms: master, degraded: one; two\n")) << out_;
}

TEST_F(NodeCommandTest, PingFailsWhereNobodyAnswersAsItShould) {
  answer_with_ = kRefusal;
  EXPECT_EQ(run({"ping"}), 1);
  EXPECT_EQ(err_, "ERROR: unauthorized: Unauthorized; 127.0.0.1:" + std::to_string(server_.port()) +
                      " wants a token: give "
                      "--token-file=FILE, or set KARMA_AUTH_TOKEN_FILE or KARMA_AUTH_TOKEN\n");
  answer_with_ = "HTTP/1.1 400 Bad Request";
  EXPECT_EQ(run({"ping"}), 1);
  EXPECT_EQ(out_, "");
}

TEST_F(NodeCommandTest, CallPrintsTheReplyAsItCame) {
  answer_with_ = answer(R"({"big":18446744073709551615,"small":1e-3})");
  EXPECT_EQ(run({"call", "counter.sum", "series=links", "key=18446744073709551615"}), 0) << err_;
  EXPECT_EQ(out_, answer_with_ + "\n");
  EXPECT_EQ(lines_.back(), R"({"v":2,"op":"counter.sum","series":"links","key":18446744073709551615})");
  answer_with_ = kRefusal;
  EXPECT_EQ(run({"call", "system.stats2"}), 1);
  EXPECT_EQ(out_, kRefusal + "\n");
  EXPECT_EQ(err_, "");
}

TEST_F(NodeCommandTest, CallAddsVersionAndTokenWhereTheyAreMissing) {
  const auto sent = [this](const char* request) {
    EXPECT_EQ(run({"call", request}, "t\"k"), 0) << err_;
    return lines_.back();
  };
  EXPECT_EQ(sent(R"({"op":"a"})"), R"({"v":2,"token":"t\"k","op":"a"})");
  EXPECT_EQ(sent(R"({"v":1,"token":"mine","op":"a","n":1.50})"), R"({"v":1,"token":"mine","op":"a","n":1.50})");
  EXPECT_EQ(sent("  {\n  \"op\": \"a\",\r\n \"token\":null}\n"), "  {\"v\":2,   \"op\": \"a\",   \"token\":null} ");
  EXPECT_EQ(sent("{}"), R"({"v":2,"token":"t\"k"})");
  EXPECT_EQ((out_ + err_).find("t\\\"k"), std::string::npos);
}

TEST_F(NodeCommandTest, CallSendsEachLineOfItsInput) {
  std::istringstream requests("{\"op\":\"a\"}\n\n no request\n{\"op\":\"b\"}");
  std::ostringstream out;
  std::ostringstream err;
  CallOptions options;
  options.connection.endpoint.port = server_.port();
  EXPECT_EQ(run_calls(options, requests, {out, err, false}), 0) << err.str();
  EXPECT_EQ(lines_, (std::vector<std::string>{R"({"v":2,"op":"a"})", " no request", R"({"v":2,"op":"b"})"}));
  EXPECT_EQ(out.str(), answer_with_ + "\n" + answer_with_ + "\n" + answer_with_ + "\n");

  answer_with_ = kRefusal;
  std::istringstream one("{\"op\":\"a\"}\n");
  EXPECT_EQ(run_calls(options, one, {out, err, false}), 1);
}

TEST_F(NodeCommandTest, CallIsIndentedOnATerminalUnlessToldOtherwise) {
  CallOptions options;
  options.connection.endpoint.port = server_.port();
  for (const bool json : {false, true}) {
    options.json = json;
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run_call(options, R"({"op":"a"})", {out, err, false, true}), 0) << err.str();
    EXPECT_EQ(out.str(), json ? answer_with_ + "\n"
                              : "{\n  \"protocol_version\": 2,\n  \"success\": true,\n  \"response\": 1,\n"
                                "  \"error_code\": null\n}\n");
  }
}

TEST(CallRequest, IsSpelledByItsArguments) {
  const auto request = [](std::vector<std::string> words) {
    const Result<std::string> made = request_of(words);
    return made ? *made : "refused: " + made.error().message;
  };
  EXPECT_EQ(request({"system.ping"}), R"({"op":"system.ping"})");
  EXPECT_EQ(request({"op", "text=a b", "number=20260505", "day=2026-05-05", "none=null", "yes=true", "keys=[1,2]",
                     R"(quoted="7")", "empty=", "equal=a=b"}),
            R"({"op":"op","text":"a b","number":20260505,"day":"2026-05-05","none":null,"yes":true,"keys":[1,2],)"
            R"("quoted":"7","empty":"","equal":"a=b"})");
  EXPECT_EQ(request({R"({"op":"x"})"}), R"({"op":"x"})");
  EXPECT_EQ(request({"op", "series"}), "refused: series is no field: op NAME=VALUE");
  EXPECT_EQ(request({"op", "=1"}), "refused: =1 is no field: op NAME=VALUE");
  EXPECT_EQ(request({"{op:x}"}), "refused: the request is no JSON object; has the shell taken its quotes?");
  EXPECT_EQ(request({"{}", "key=1"}), "refused: karma call takes one request; after it there can only be options");
}

TEST_F(NodeCommandTest, StatsAreGroupedAndReadable) {
  health_ = answer(R"({"status":"degraded","role":"slave","problems":["p"],"warnings":["w"]})");
  stats_ = answer(R"({"wal_bytes":1610612736,"uptime_seconds":3725.5,"keys":1234567,"snapshot_last_unix":0,)"
                  R"("recovery_last_checkpoint_unix":1777982400,"new_in_a_later_version":"text","latency_ms_avg":0.25,)"
                  R"("replication_lag_ms":null,"wal_enabled":true})");
  EXPECT_EQ(run({"stats"}), 0) << err_;
  EXPECT_EQ(out_.substr(out_.find('\n') + 1),
            "problem: p\n"
            "warning: w\n"
            "\nNode\n"
            "  uptime_seconds                 1 h 2 min\n"
            "  keys                           1,234,567\n"
            "\nRequests\n"
            "  latency_ms_avg                 0.250\n"
            "\nLog\n"
            "  wal_bytes                      1.5 GiB\n"
            "  wal_enabled                    yes\n"
            "\nSnapshots\n"
            "  snapshot_last_unix             never\n"
            "\nReplication\n"
            "  replication_lag_ms             -\n"
            "\nReconciliation and recovery\n"
            "  recovery_last_checkpoint_unix  2026-05-05 12:00:00 UTC\n"
            "\nOther\n"
            "  new_in_a_later_version         text\n");
  EXPECT_TRUE(out_.ends_with("text\n") && out_.find(": slave, degraded\n") != out_.npos) << out_;

  EXPECT_EQ(run({"stats", "--json"}), 0);
  EXPECT_TRUE(out_.starts_with(R"({"health":{"status":"degraded","role":"slave",)")) << out_;
  EXPECT_NE(out_.find(R"("stats":{"wal_bytes":1610612736,"uptime_seconds":3725.5,)"), std::string::npos) << out_;
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);

  stats_ = kRefusal;
  EXPECT_EQ(run({"stats"}), 1);
  EXPECT_EQ(out_, "");
  stats_ = answer("7");
  health_ = answer("[]");
  EXPECT_EQ(run({"stats"}), 1);
  EXPECT_NE(err_.find("ERROR: the server's reply is not what it should be"), std::string::npos) << err_;
}

TEST(Table, QuantitiesAreEasyToRead) {
  EXPECT_EQ(bytes_text(1023), "1023 bytes");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(duration_text(59), "59 s");
  EXPECT_EQ(duration_text(120), "2 min");
  EXPECT_EQ(duration_text(3599), "59 min 59 s");
  EXPECT_EQ(duration_text(86399), "23 h 59 min");
  EXPECT_EQ(duration_text(90000), "1 d 1 h");
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(999), "999");
  EXPECT_EQ(number_text(1000), "1,000");
  EXPECT_EQ(number_text(18446744073709551615u), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace karma::tools
