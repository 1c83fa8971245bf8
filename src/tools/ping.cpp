// karma ping: does a server answer, and which one?
#include <chrono>
#include <cstdio>
#include <ostream>

#include <nlohmann/json.hpp>

#include "tools/ask.h"

namespace karma::tools {

std::string state_of(Client& client) try {
  client.send("system.health", Client::Fields::object());
  const Result<protocol::Reply> reply = client.receive();
  if (!reply || !reply->success) return {};
  const nlohmann::json health = reply->json();
  if (!health.is_object()) return {};
  std::string text = health.value("role", "node") + ", " + health.value("status", "ok");
  const char* before = ": ";
  for (const auto& problem : health.value("problems", nlohmann::json::array())) {
    text += before + problem.get<std::string>();
    before = "; ";
  }
  return text;
} catch (const nlohmann::json::exception&) {
  return {};  // it answered, and that is most of the state
}

int run_ping(const ConnectionOptions& options, const Streams& streams) {
  Client client(options.endpoint);
  Retry retry(client, options.retry_seconds, streams.err);
  std::chrono::steady_clock::duration took{};
  Status answered = retry.run([&]() -> Status {
    const auto begun = std::chrono::steady_clock::now();
    client.send("system.ping", Client::Fields::object());
    const Result<protocol::Reply> reply = client.receive();
    took = std::chrono::steady_clock::now() - begun;
    if (!reply) return reply.error();
    return reply->success ? Status() : Status(reply->error());
  });
  if (!answered) return exit_code(answered, streams);
  const std::string state = state_of(client);
  char milliseconds[32];
  std::snprintf(milliseconds, sizeof milliseconds, "%.2f", std::chrono::duration<double, std::milli>(took).count());
  streams.out << "pong from " << options.endpoint.address() << " in " << milliseconds << " ms"
              << (state.empty() ? "" : ": ") << state << std::endl;
  return 0;
}

}  // namespace karma::tools
