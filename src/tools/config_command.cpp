// karma config: the settings that a server would start with, and where each of them comes from.
#include <ostream>

#include <karma/tools.h>
#include <karma/version.h>
#include <nlohmann/json.hpp>

#include "core/setting_sources.h"
#include "tools/invocation.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using Json = nlohmann::ordered_json;
using Source = SettingSources::Source;

constexpr int kInvalid = 1;

constexpr std::string_view kHelp = R"(Usage: karma config [--json] [any settings]

Prints the settings that a server would start with, and where each comes from: a flag, the environment, the settings
file with its line, or the default. Give it what you give the server. What a start would refuse, this refuses with the
same message, so it checks a settings file before a restart. Tokens are never printed.

Options:
  --json                        one object: name, value, source and where of each setting
  --config=FILE, ...            as for the server: karma --help lists all settings

Examples
  karma config --config=/etc/karma/karma.toml
  karma config --config=/etc/karma/karma.toml --port=9090 | grep -v default
  KARMA_PORT=9090 karma config --json | jq '.settings[] | select(.source != "default")'

Exit codes   0  valid     1  a start would refuse it
)";

std::string_view name_of(Source source) {
  switch (source) {
    case Source::file:
      return "file";
    case Source::environment:
      return "environment";
    case Source::flag:
      return "flag";
    case Source::by_default:
      break;
  }
  return "default";
}

Json json_value(const Setting& setting, const Config& config) {
  if (const auto* number = std::get_if<int Config::*>(&setting.target)) return config.**number;
  if (const auto* number = std::get_if<std::int64_t Config::*>(&setting.target)) return config.**number;
  if (const auto* truth = std::get_if<bool Config::*>(&setting.target)) return config.**truth;
  if (const auto* list = std::get_if<std::vector<std::string> Config::*>(&setting.target)) return config.**list;
  std::string text = value_text(setting, config);
  return text == kNoValue ? Json() : Json(std::move(text));
}

void print(const Config& config, const SettingSources& sources, std::ostream& out) {
  std::vector<Row> rows;
  for (const Setting& setting : settings()) {
    const SettingSources::Origin origin = sources.origin(setting);
    std::string from(name_of(origin.source));
    if (!origin.where.empty()) from += " " + origin.where;
    rows.push_back({std::string(setting.flag), value_text(setting, config), std::move(from)});
  }
  print_table(rows, out);
}

void print_json(const Config& config, const SettingSources& sources, std::ostream& out) {
  Json all = Json::array();
  for (const Setting& setting : settings()) {
    const SettingSources::Origin origin = sources.origin(setting);
    all.push_back({{"name", setting.flag},
                   {"value", json_value(setting, config)},
                   {"source", name_of(origin.source)},
                   {"where", origin.where.empty() ? Json() : Json(origin.where)}});
  }
  out << Json{{"settings", std::move(all)}}.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace

int config_command(Invocation& invocation, const Streams& streams) {
  const auto refused = [&](const std::string& message) {
    print_misuse(validation_error(message), "karma", streams.err);
    return kInvalid;
  };
  SettingSources sources;
  if (Status status = sources.read_environment(invocation.lookup()); !status) return refused(status.error().message);
  bool json = false;
  Options options("karma config", {}, {});
  options.truth("json", {}, json);
  add_settings(options, sources.from_environment(),
               [&](const Setting& setting, std::string_view text) { return sources.add_flag(setting, text); });
  const Result<Options::Asked> asked = options.parse(invocation.arguments(), invocation.positionals);
  if (!asked) return refused(asked.error().message);
  if (*asked == Options::Asked::help) return streams.out << kHelp << std::flush, 0;
  if (*asked == Options::Asked::version) return streams.out << "karma " << version() << std::endl, 0;
  if (!invocation.positionals.empty()) return refused("karma config takes options only");
  const Result<Config> config = sources.resolve();
  if (!config) return refused(config.error().message);
  json ? print_json(*config, sources, streams.out) : print(*config, sources, streams.out);
  streams.out << std::flush;
  return 0;
}

}  // namespace karma::tools
