#include "server/http_routes.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/text.h"
#include "ops/exposition.h"

namespace karma::server {
namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kBadRequest = 400;
constexpr unsigned kNotFound = 404;
constexpr unsigned kUnavailable = 503;

HttpReply answer(std::string_view what, const ops::Missing& missing) {
  HttpReply reply;
  reply.status = missing.empty() ? kOk : kUnavailable;
  reply.body = (missing.empty() ? "" : "not ") + std::string(what) + "\n";
  for (const std::string& line : missing) reply.body += line + "\n";
  return reply;
}

HttpReply alive(const std::vector<std::string>& stuck) {
  ops::Missing missing;
  for (const std::string& name : stuck) missing.push_back(name + " has not turned");
  return answer("alive", missing);
}

// A limit that is misspelt must not pass for none.
HttpReply replica(std::string_view query, const ops::NodeState& state) {
  constexpr std::string_view kLag = "lag=";
  if (query.empty()) return answer("replica", missing_to_be_replica(state, {}));
  std::optional<std::uint64_t> lag;
  if (query.starts_with(kLag)) lag = parse_number<std::uint64_t>(query.substr(kLag.size()));
  if (!lag) return {kBadRequest, "the query is lag=MILLISECONDS\n"};
  return answer("replica", missing_to_be_replica(state, lag));
}

struct Route {
  HttpPath about;
  void (*answer)(const HttpSources& sources, const HttpRequest& request, HttpServer::Answer reply);
};

constexpr Route kRoutes[] = {
    {{"/livez",
      "is alive: the I/O threads, the thread that accepts and the writer of the log take up work within two seconds. "
      "Also "
      "while it restores, and while it stops"},
     [](const HttpSources& sources, const HttpRequest&, HttpServer::Answer reply) {
       sources.stuck_loops([reply = std::move(reply)](const std::vector<std::string>& stuck) { reply(alive(stuck)); });
     }},
    {{"/readyz",
      "serves as it is meant to. A master takes writes and can log them. A slave has its master's data, can log, and "
      "knows to be at most `--ready-max-lag-ms` behind. Not while it restores, nor once it was told to stop"},
     [](const HttpSources& sources, const HttpRequest&, HttpServer::Answer reply) {
       reply(answer("ready", missing_to_be_ready(sources.state(), sources.ready_max_lag_ms)));
     }},
    {{"/primary", "takes writes: it is a master, no peer knows of a later one, and the log can be written"},
     [](const HttpSources& sources, const HttpRequest&, HttpServer::Answer reply) {
       reply(answer("primary", missing_to_be_primary(sources.state())));
     }},
    {{"/replica",
      "is a slave that answers reads from its master's data, which is not diverged. With `?lag=MS` it also knows to be "
      "at most so many milliseconds behind"},
     [](const HttpSources& sources, const HttpRequest& request, HttpServer::Answer reply) {
       reply(replica(request.query, sources.state()));
     }},
    {{"/read-only", "answers reads, as master or slave, however old its data is"},
     [](const HttpSources& sources, const HttpRequest&, HttpServer::Answer reply) {
       reply(answer("readable", missing_to_be_read(sources.state())));
     }},
    {{"/metrics", "is asked by Prometheus: the figures below, or those of the process while the node does not serve"},
     [](const HttpSources& sources, const HttpRequest&, HttpServer::Answer reply) {
       reply({kOk, sources.metrics(), ops::Exposition::kContentType});
     }},
};

HttpReply no_such_path() {
  HttpReply reply;
  reply.status = kNotFound;
  reply.body = "there is no such path; there are:\n";
  for (const Route& route : kRoutes) reply.body += std::string(route.about.path) + "\n";
  return reply;
}

}  // namespace

std::vector<HttpPath> http_paths() {
  std::vector<HttpPath> paths;
  for (const Route& route : kRoutes) paths.push_back(route.about);
  return paths;
}

HttpServer::Handler http_routes(HttpSources sources) {
  return [sources = std::move(sources)](const HttpRequest& request, HttpServer::Answer reply) {
    const auto* const route = std::ranges::find(kRoutes, request.path, [](const Route& it) { return it.about.path; });
    if (route == std::end(kRoutes)) return reply(no_such_path());
    route->answer(sources, request, std::move(reply));
  };
}

}  // namespace karma::server
