// karma clients: system.clients for people.
#include <ostream>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using json = nlohmann::ordered_json;

std::string seconds(const json& value) { return duration_text(static_cast<std::uint64_t>(value.get<double>())); }

Row row_of(const json& client) {
  const json& op = client.at("op");
  return {std::to_string(client.at("id").get<std::uint64_t>()),
          client.at("address").get<std::string>(),
          seconds(client.at("age_seconds")),
          seconds(client.at("idle_seconds")),
          op.is_string() ? op.get<std::string>() : "-",
          bytes_text(client.at("received_bytes").get<std::uint64_t>()),
          bytes_text(client.at("sent_bytes").get<std::uint64_t>()),
          number_text(client.at("pending").get<std::uint64_t>())};
}

void print(const json& page, std::ostream& out) {
  const auto count = page.at("count").get<std::uint64_t>();
  const json& clients = page.at("clients");
  out << number_text(count) << (count == 1 ? " connection" : " connections");
  if (clients.size() < count) out << ", the oldest " << number_text(clients.size()) << " of them";
  out << '\n';
  std::vector<Row> rows = {{"id", "address", "age", "idle", "latest op", "received", "sent", "pending"}};
  for (const json& client : clients) rows.push_back(row_of(client));
  print_table(rows, out);
}

Status clients(const ConnectionOptions& options, int limit, bool as_json, const Streams& streams) {
  const Result<json> page = ask(options, "system.clients", streams, {{"limit", limit}});
  if (!page) return page.error();
  if (as_json) {
    streams.out << page->dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    print(*page, streams.out);
  }
  streams.out << std::flush;
  return {};
}

}  // namespace

int run_clients(const ConnectionOptions& options, int limit, bool json, const Streams& streams) {
  return exit_code(understood([&] { return clients(options, limit, json, streams); }), streams);
}

}  // namespace karma::tools
