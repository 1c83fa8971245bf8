// What the node answers over HTTP, without sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/readiness.h"
#include "server/http_server.h"

namespace karma::server {

// A path, and when it answers 200; 503 otherwise.
struct HttpPath {
  std::string_view path;
  std::string_view meaning;
};
std::vector<HttpPath> http_paths();

// Where the answers come from; all of it is asked on the HTTP server's thread.
struct HttpSources {
  // Gives the names of the loops that do not turn, now or later.
  std::function<void(std::function<void(std::vector<std::string>)>)> stuck_loops;
  std::function<ops::NodeState()> state;
  std::function<std::string()> metrics;
  std::uint64_t ready_max_lag_ms = 0;
};

HttpServer::Handler http_routes(HttpSources sources);

}  // namespace karma::server
