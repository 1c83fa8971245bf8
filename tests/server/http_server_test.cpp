// The HTTP server with real sockets and a handler of the test: what it bears.
#include "server/http_server.h"

#include <gtest/gtest.h>
#include <karma/clock.h>

#include <algorithm>

#include "core/log.h"
#include "support/socket_client.h"

namespace karma::server {
namespace {

using test::SocketClient;

const std::string kGet = "GET /path HTTP/1.1\r\nHost: a\r\n\r\n";

class HttpServerTest : public ::testing::Test {
 protected:
  void start(const HttpLimits& limits = {}) {
    Result<std::unique_ptr<HttpServer>> bound = HttpServer::bind("127.0.0.1", 0, log_, limits);
    ASSERT_TRUE(bound.ok()) << bound.error().message;
    server_ = std::move(*bound);
    ASSERT_TRUE(server_
                    ->start([](const HttpRequest& request, const HttpServer::Answer& answer) {
                      answer({200, "path=" + std::string(request.path) + " query=" + std::string(request.query)});
                    })
                    .ok());
  }
  SocketClient connect() { return SocketClient(server_->port()); }
  // The whole answer, of a connection that the server ends.
  std::string answer(std::string_view request) {
    SocketClient client = connect();
    client.send(request);
    return client.rest();
  }
  // One answer of a connection that goes on.
  static std::string next(SocketClient& client) {
    std::string header;
    std::size_t body = 0;
    for (;;) {
      const std::string line = client.line();
      header += line + "\r\n";
      if (line.starts_with("<")) return header;
      if (line.starts_with("Content-Length: ")) body = std::stoul(line.substr(16));
      if (line.empty()) return header + client.bytes(body);
    }
  }
  static std::string status(const std::string& reply) { return reply.substr(0, reply.find('\r')); }

  EventLog log_{system_clock(), false};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWithAllThatAClientNeeds) {
  start();
  EXPECT_EQ(answer("GET /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
            "Connection: close\r\nContent-Length: 17\r\n\r\npath=/a query=b=c");
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
  start();
  const std::string get = answer("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string head = answer("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head, get.substr(0, get.find("\r\n\r\n") + 4));
}

TEST_F(HttpServerTest, AConnectionIsUsedAgain) {
  start();
  SocketClient client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_EQ(status(next(client)), "HTTP/1.1 200 OK");
  }
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  SocketClient client = connect();
  client.send("GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(next(client).ends_with("path=/1 query="));
  const std::string rest = client.rest();  // of a HEAD no body follows
  EXPECT_EQ(rest.find("path=/2"), std::string::npos);
  EXPECT_TRUE(rest.ends_with("path=/3 query="));
}

TEST_F(HttpServerTest, OldClientsGetOneAnswerUnlessTheyWantMore) {
  start();
  EXPECT_TRUE(answer("GET /a HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 OK\r\n"));
  SocketClient client = connect();
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(next(client).find("Connection: keep-alive\r\n"), std::string::npos);
  }
}

TEST_F(HttpServerTest, AProxyMayNameTheHost) {
  start();
  EXPECT_TRUE(answer("GET http://a.b:80/c?d HTTP/1.0\r\n\r\n").ends_with("path=/c query=d"));
  EXPECT_TRUE(answer("GET http://a.b HTTP/1.0\r\n\r\n").ends_with("path=/ query="));
  EXPECT_TRUE(answer("GET /a?u=http://b/ HTTP/1.0\r\n\r\n").ends_with("path=/a query=u=http://b/"));
}

TEST_F(HttpServerTest, OnlyGetAndHead) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "KARMA"}) {
    const std::string reply = answer(std::string(method) + " /a HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status(reply), "HTTP/1.1 405 Method Not Allowed") << method;
    EXPECT_NE(reply.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << method;
  }
}

TEST_F(HttpServerTest, ABodyEndsTheConnectionAndTheAnswerArrives) {
  start();
  const std::string body(100'000, 'x');
  const std::string reply =
      answer("POST /a HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(status(reply), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_TRUE(reply.ends_with("here\n")) << reply;
  EXPECT_EQ(status(answer("GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")), "HTTP/1.1 200 OK");
}

TEST_F(HttpServerTest, WhatIsNoHttpIsToldSo) {
  start();
  for (const std::string& request :
       {std::string("{\"v\":2,\"op\":\"system.ping\"}\n\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string("GET  HTTP/1.1\r\n\r\n"),
        std::string("\0\0\0\0\r\n\r\n", 8), std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n")}) {
    EXPECT_EQ(status(answer(request)), "HTTP/1.1 400 Bad Request") << request;
  }
  EXPECT_EQ(status(answer("GET / HTTP/3.0\r\n\r\n")), "HTTP/1.1 505 HTTP Version Not Supported");
}

TEST_F(HttpServerTest, AHeaderHasABound) {
  start({.header_bytes = 1000});
  const std::string name = "GET / HTTP/1.1\r\nConnection: close\r\nX: ";
  EXPECT_EQ(status(answer(name + std::string(900, 'x') + "\r\n\r\n")), "HTTP/1.1 200 OK");
  EXPECT_EQ(status(answer(name + std::string(1000, 'x') + "\r\n\r\n")), "HTTP/1.1 431 Request Header Fields Too Large");
  EXPECT_EQ(status(answer("GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n")),
            "HTTP/1.1 431 Request Header Fields Too Large");
  EXPECT_EQ(status(answer("GET / HTTP/1.1\r\n" + std::string(100'000, 'x'))),
            "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(HttpServerTest, WhoeverIsSlowIsClosedWhileOthersAreServed) {
  start({.request_time = std::chrono::milliseconds(300)});
  SocketClient silent = connect();
  SocketClient slow = connect();
  slow.send("GET / HTTP/1.1\r\nX: ");
  for (int i = 0; i < 10'000 && slow.send("x") && !slow.readable(20); ++i) continue;  // a byte at a time, for ever
  const std::string end = slow.rest();
  EXPECT_TRUE(end.empty() || end == "<reset>") << end;
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(status(answer("GET / HTTP/1.0\r\n\r\n")), "HTTP/1.0 200 OK");
}

TEST_F(HttpServerTest, OneTooManyTakesThePlaceOfTheOneThatIsIdleForLongest) {
  start({.connections = 2});
  SocketClient first = connect();
  first.send(kGet);
  EXPECT_EQ(status(next(first)), "HTTP/1.1 200 OK");
  SocketClient second = connect();
  second.send(kGet);
  EXPECT_EQ(status(next(second)), "HTTP/1.1 200 OK");
  SocketClient third = connect();
  third.send(kGet);
  EXPECT_EQ(status(next(third)), "HTTP/1.1 200 OK");
  EXPECT_EQ(first.rest(), "");
  second.send(kGet);
  EXPECT_EQ(status(next(second)), "HTTP/1.1 200 OK");
}

TEST_F(HttpServerTest, EndsWithConnectionsOpenAndAnswersUnderWay) {
  Result<std::unique_ptr<HttpServer>> bound = HttpServer::bind("127.0.0.1", 0, log_);
  ASSERT_TRUE(bound.ok());
  server_ = std::move(*bound);
  HttpServer::Answer kept;
  ASSERT_TRUE(server_->start([&](const HttpRequest&, HttpServer::Answer answer) { kept = std::move(answer); }).ok());
  SocketClient idle = connect();
  SocketClient waiting = connect();
  waiting.send(kGet);
  bool asked = false;
  while (!asked) server_->call([&] { asked = bool(kept); });
  server_->stop();
  kept = {};
  server_.reset();
  EXPECT_TRUE(idle.rest().empty());
}

}  // namespace
}  // namespace karma::server
