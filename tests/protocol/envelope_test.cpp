#include "protocol/envelope.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace karma::protocol {
namespace {

TEST(Envelope, OnlyTheIntegerTwoIsTheVersion) {
  const auto accepted = [](const std::string& line) {
    protocol::Fields fields;
    EXPECT_TRUE(fields.parse(line).ok()) << line;
    return check_version(fields).ok();
  };
  EXPECT_TRUE(accepted(R"({"v":2})"));
  EXPECT_TRUE(accepted(R"({"\u0076":2})")) << "a field name may be escaped";
  for (const char* line : {"{}", R"({"v":1})", R"({"v":3})", R"({"v":"2"})", R"({"v":2.0})", R"({"v":null})",
                           R"({"v":-2})", R"({"v":18446744073709551615})", R"({"v":[2]})", R"({"V":2})"}) {
    EXPECT_FALSE(accepted(line)) << line;
  }
}

TEST(Envelope, ATokenIsComparedWhole) {
  const auto has = [](const std::string& given, const std::optional<std::string>& token) {
    protocol::Fields fields;
    EXPECT_TRUE(fields.parse(given).ok());
    return has_token(fields, token);
  };
  EXPECT_TRUE(has(R"({"token":"secret"})", "secret"));
  EXPECT_TRUE(has(R"({"token":"\u0073ecret"})", "secret"));
  for (const char* given :
       {R"({})", R"({"token":""})", R"({"token":"secre"})", R"({"token":"secrets"})", R"({"token":"secretsecret"})",
        R"({"token":"Secret"})", R"({"token":5})", R"({"token":null})", R"({"token":["secret"]})"}) {
    EXPECT_FALSE(has(given, "secret")) << given;
  }
  EXPECT_FALSE(has(R"({"token":"x"})", std::nullopt)) << "no token is configured: none fits";
  EXPECT_FALSE(has(R"({"token":""})", "")) << "an empty token lets nobody in";
  EXPECT_FALSE(has(R"({"token":"x"})", ""));
  EXPECT_FALSE(has(R"({})", ""));
}

TEST(Envelope, ErrorsAreOneLineOfValidJson) {
  for (const std::string message : {"plain", "with \"quotes\" and\nline feeds", "bytes \xff\xc3 that are no text"}) {
    Buffer out;
    append_error(out, {ErrorCode::not_found, message});
    const std::string line(out.view());
    ASSERT_TRUE(line.ends_with("\r\n"));
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const nlohmann::json parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed["error_code"], "not_found");
    EXPECT_EQ(parsed["success"], false);
    EXPECT_EQ(parsed["protocol_version"], 2);
  }
}

TEST(Envelope, AnIdIsAddedToTheLineThatEndsTheBuffer) {
  Buffer out;
  append_error(out, {ErrorCode::not_found, "one"});
  const std::string first(out.view());
  append_error(out, {ErrorCode::not_found, "two"});
  append_id(out, R"("a")");
  EXPECT_EQ(out.view(), first + R"({"protocol_version":2,"success":false,"response":"two","error_code":"not_found",)" +
                            "\"id\":\"a\"}\r\n");
}

}  // namespace
}  // namespace karma::protocol
