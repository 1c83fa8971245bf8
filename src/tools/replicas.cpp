// karma replicas: the slaves of a running node, as a table.
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using json = nlohmann::ordered_json;

std::string number_or(const json& value, const char* otherwise) {
  return value.is_number_unsigned() ? std::to_string(value.get<std::uint64_t>()) : otherwise;
}

std::string seconds_ago(const json& value) {
  const std::uint64_t milliseconds = value.get<std::uint64_t>();
  return std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 / 100) + " s ago";
}

std::string history(const json& replica) {
  const json& same = replica.at("same_history");
  if (!same.is_boolean()) return "not known";
  return same.get<bool>() ? "the same" : "another one";
}

Row row_of(const json& replica) {
  return {replica.at("replica").get<std::string>(),      number_or(replica.at("position"), "?"),
          number_or(replica.at("durable_lsn"), "never"), number_or(replica.at("lag_entries"), "unknown"),
          seconds_ago(replica.at("last_contact_ms")),    history(replica)};
}

Status print_replicas(const ConnectionOptions& options, const Streams& streams) {
  const Result<json> asked = ask(options, "replication.replicas", streams);
  if (!asked) return asked.error();
  const json& report = *asked;
  std::vector<Row> rows = {{"replica", "position", "on disk", "lag", "last contact", "history"}};
  for (const json& replica : report.at("replicas")) rows.push_back(row_of(replica));
  streams.out << "the log ends at " << number_or(report.at("source_lsn"), "?");
  if (report.at("confirmed_lsn").is_number())
    streams.out << ", " << report.at("min_replicas_ack").get<std::uint64_t>() << " of the slaves have it up to "
                << report.at("confirmed_lsn").get<std::uint64_t>()
                << (report.at("degraded").get<bool>() ? ", and no write waits for them" : "");
  streams.out << '\n';
  if (rows.size() == 1) {
    streams.out << "no slave has asked for it" << std::endl;
    return {};
  }
  print_table(rows, streams.out);
  streams.out << std::flush;
  return {};
}

}  // namespace

int run_replicas(const ConnectionOptions& options, const Streams& streams) {
  return exit_code(understood([&] { return print_replicas(options, streams); }), streams);
}

}  // namespace karma::tools
