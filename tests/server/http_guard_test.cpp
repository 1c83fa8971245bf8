#include "server/http_guard.h"

#include <gtest/gtest.h>

namespace karma::server {
namespace {

TEST(HttpGuard, KnowsHttpByItsEndWhateverTheMethodIs) {
  for (const char* line :
       {"GET / HTTP/1.1", "POST /a%20b?c HTTP/1.0", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "post / HTTP/1.1",
        "M-SEARCH * HTTP/1.1", "VERSION-CONTROL / http/1.1", " GET / HTTP/1.1", "G\xff /\tHTTP/1.1"}) {
    EXPECT_EQ(judge_first_line(line), FirstLine::http) << line;
  }
}

TEST(HttpGuard, WhatBeginsWithABraceIsARequest) {
  for (const char* line : {R"({"v":2,"op":"system.ping"})", " \t{", "{", R"({"x":"GET / HTTP/1.1)", "\r{ HTTP/1.1"}) {
    EXPECT_EQ(judge_first_line(line), FirstLine::request) << line;
  }
}

TEST(HttpGuard, BlankLinesSayNothing) {
  for (const char* line : {"", " ", "\t \r"}) EXPECT_EQ(judge_first_line(line), FirstLine::blank) << line;
}

TEST(HttpGuard, AWordOrJsonThatIsNoObjectIsASlip) {
  for (const char* line :
       {"hello", "GET", "}", "null", "[1]", "[1, 2]", "\"x y\"", "-1", "5", " true ", "HTTP/1.1", "x{"})
    EXPECT_EQ(judge_first_line(line), FirstLine::slip) << line;
}

TEST(HttpGuard, AnythingElseIsForeign) {
  for (const char* line : {"GET /", "GET / FTP/1.1", "POST\t/", "EHLO example.org", "\xef\xbb\xbf{", "\x16\x03\x01",
                           "\v{", "a\x7f", "hello world"}) {
    EXPECT_EQ(judge_first_line(line), FirstLine::foreign) << line;
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
