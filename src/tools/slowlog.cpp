// karma slowlog: system.slowlog for people.
#include <cstdio>
#include <ostream>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using json = nlohmann::ordered_json;

std::string milliseconds(const json& value) {
  if (!value.is_number()) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", value.get<double>());
  return text;
}

std::string text_or_none(const json& value) { return value.is_string() ? value.get<std::string>() : "-"; }

Row row_of(const json& request) {
  std::string op = request.at("op").get<std::string>();
  if (const auto count = request.at("requests").get<std::uint64_t>(); count > 1)
    op += " and " + std::to_string(count - 1) + " before it";
  return {std::to_string(request.at("id").get<std::uint64_t>()),
          time_text(request.at("at_unix").get<std::uint64_t>()),
          milliseconds(request.at("total_ms")),
          milliseconds(request.at("queued_ms")),
          milliseconds(request.at("executed_ms")),
          milliseconds(request.at("log_ms")),
          std::move(op),
          text_or_none(request.at("series")),
          bytes_text(request.at("request_bytes").get<std::uint64_t>()),
          bytes_text(request.at("reply_bytes").get<std::uint64_t>()),
          text_or_none(request.at("client"))};
}

void print(const json& log, std::ostream& out) {
  const auto limit = log.at("slow_ms").get<std::uint64_t>();
  if (limit == 0) {
    out << "the slow log is off: the server was started with --slow-ms=0\n";
    return;
  }
  out << number_text(log.at("count").get<std::uint64_t>()) << " requests took " << number_text(limit)
      << " ms or longer since the start\n";
  std::vector<Row> rows = {
      {"id", "time", "total", "queued", "executed", "log", "op", "series", "request", "reply", "client"}};
  for (const json& request : log.at("entries")) rows.push_back(row_of(request));
  if (rows.size() > 1) print_table(rows, out);
}

Status slowlog(const SlowlogOptions& options, const Streams& streams) {
  json fields = json::object();
  if (!options.clear) fields["limit"] = options.limit;
  const Result<json> log =
      ask(options.connection, options.clear ? "system.slowlog_clear" : "system.slowlog", streams, fields);
  if (!log) return log.error();
  if (options.json) {
    streams.out << log->dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  } else if (options.clear) {
    streams.out << "cleared " << log->at("cleared").get<std::uint64_t>() << " requests\n";
  } else {
    print(*log, streams.out);
  }
  streams.out << std::flush;
  return {};
}

}  // namespace

int run_slowlog(const SlowlogOptions& options, const Streams& streams) {
  return exit_code(understood([&] { return slowlog(options, streams); }), streams);
}

}  // namespace karma::tools
