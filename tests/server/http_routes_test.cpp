// What is answered to which path, without sockets.
#include "server/http_routes.h"

#include <gtest/gtest.h>

namespace karma::server {
namespace {

struct Routes {
  HttpReply get(std::string_view path, std::string_view query = {}) {
    const HttpServer::Handler handler = http_routes({.stuck_loops = [this](const auto& told) { told(stuck); },
                                                     .state = [this] { return state; },
                                                     .metrics = [] { return std::string("a 1\n"); },
                                                     .ready_max_lag_ms = 1000});
    HttpReply got;
    handler({path, query}, [&](HttpReply reply) { got = std::move(reply); });
    return got;
  }

  std::vector<std::string> stuck;
  ops::NodeState state;
};

TEST(HttpRoutes, EachPathAnswersAMasterThatServes) {
  Routes routes;
  routes.state.phase = ops::NodeState::Phase::serving;
  EXPECT_EQ(routes.get("/livez").body, "alive\n");
  EXPECT_EQ(routes.get("/readyz").body, "ready\n");
  EXPECT_EQ(routes.get("/primary").body, "primary\n");
  EXPECT_EQ(routes.get("/read-only").body, "readable\n");
  for (const char* path : {"/livez", "/readyz", "/primary", "/read-only"}) EXPECT_EQ(routes.get(path).status, 200u);
  EXPECT_EQ(routes.get("/replica").status, 503u);
  EXPECT_EQ(routes.get("/replica").body, "not replica\nthis node is no slave\n");
}

TEST(HttpRoutes, TheBodySaysWhatIsMissingALineEach) {
  Routes routes;
  routes.state.progress = "checking the log";
  EXPECT_EQ(routes.get("/livez").status, 200u);
  EXPECT_EQ(routes.get("/readyz").status, 503u);
  EXPECT_EQ(routes.get("/readyz").body, "not ready\nstarting: checking the log\n");
  routes.stuck = {"karma-io-1", "the writer of the log"};
  EXPECT_EQ(routes.get("/livez").status, 503u);
  EXPECT_EQ(routes.get("/livez").body, "not alive\nkarma-io-1 has not turned\nthe writer of the log has not turned\n");
}

TEST(HttpRoutes, AReplicaMayBeWantedWithinALag) {
  Routes routes;
  routes.state.phase = ops::NodeState::Phase::serving;
  routes.state.slave = true;
  routes.state.lag_ms = 20;
  EXPECT_EQ(routes.get("/replica").status, 200u);
  EXPECT_EQ(routes.get("/replica", "lag=20").status, 200u);
  EXPECT_EQ(routes.get("/replica", "lag=19").status, 503u);
  for (const char* wrong : {"lag=", "lag=-1", "lag=1s", "Lag=20", "lag=20&lag=30", "lag=18446744073709551616", "x"})
    EXPECT_EQ(routes.get("/replica", wrong).status, 400u) << wrong;
}

TEST(HttpRoutes, MetricsHaveTheTypeThatPrometheusWants) {
  const HttpReply reply = Routes().get("/metrics", "collect[]=x");
  EXPECT_EQ(reply.status, 200u);
  EXPECT_EQ(reply.body, "a 1\n");
  EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(HttpRoutes, AnUnknownPathGetsTheListOfThem) {
  Routes routes;
  for (const char* path : {"", "/", "/readyz/", "/Livez", "/metrics.txt"}) {
    const HttpReply reply = routes.get(path);
    EXPECT_EQ(reply.status, 404u) << path;
    for (const HttpPath& known : http_paths())
      EXPECT_NE(reply.body.find(std::string(known.path) + "\n"), std::string::npos) << known.path;
  }
}

}  // namespace
}  // namespace karma::server
