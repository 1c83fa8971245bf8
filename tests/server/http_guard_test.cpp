#include "server/http_guard.h"

#include <gtest/gtest.h>

namespace karma::server {
namespace {

TEST(HttpGuard, KnowsRequestLines) {
  EXPECT_TRUE(looks_like_http("GET / HTTP/1.1"));
  EXPECT_TRUE(looks_like_http("POST /a%20b?c HTTP/1.0"));
  EXPECT_TRUE(looks_like_http("OPTIONS * HTTP/1.1"));
  EXPECT_TRUE(looks_like_http("PRI * HTTP/2.0"));
}

TEST(HttpGuard, LeavesEverythingElseAlone) {
  for (const char* line : {"", " ", "GET", "GET /", "get / HTTP/1.1", "GET HTTP/1.1", " / HTTP/1.1", "GET / FTP/1.1",
                           R"({"v":2,"op":"system.ping"})", R"({"v":2, "x":"GET / HTTP/1.1"})"}) {
    EXPECT_FALSE(looks_like_http(line)) << line;
  }
}

TEST(HttpGuard, AnswersWithACompleteResponse) {
  std::string answer = http_answer(4711);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  std::size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_NE(answer.find("Content-Length: " + std::to_string(answer.size() - body) + "\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(answer.find("nc -N 127.0.0.1 4711"), std::string::npos);
}

}  // namespace
}  // namespace karma::server
