// Documentation of the settings: --help and the table of docs/configuration.md, both made from the table of settings.
#include "core/settings.h"

namespace karma {
namespace {

constexpr std::string_view kHead = R"(Usage: karma [arguments]
start a server. Other commands, each with its own --help:
       karma help [TOPIC]                 the settings of one topic, on one screen
       karma check DIR                    look for damage in a data directory that no server uses
       karma dump DIR                     print the counters in it, one JSON object a line
       karma import FILE --series=SERIES  count a file into a running server, exactly once
       karma export --series=SERIES       write the points of a series of a running server
       karma reconcile --csv=FILE --series=SERIES
                                          compare with what was counted elsewhere
       karma promote                      make a running slave the master
       karma replicas                     list the slaves of a running server
       karma ping                         does a running server answer? for health checks
       karma call OP [NAME=VALUE]...      send it any request, and print the reply
       karma cli                          a prompt for requests, with history and completion
       karma stats                        its health and statistics
       karma slowlog                      its requests that took long
       karma clients                      its connections
       karma plot --series=SERIES         draw the days of counters in the terminal
       karma top                          watch it: requests, latency, log, slaves
       karma report                       write a page about it: load, latencies, largest keys
       karma bench                        measure what it takes, and how long each request takes
       karma config                       the settings in effect, and where each comes from

Karma is a TCP database of counters. A setting is taken from its flag, else from the environment
variable at the end of its lines, else from the settings file (--config), else it is the default
in brackets (which shows what the environment says now). --flag=VALUE and --flag VALUE are the
same; a flag without a value takes true or false, and alone means true.

)";

constexpr std::string_view kTail = R"(
Other
  -h, --help        this text
  -v, --version     the version

Examples
  karma --directory=/var/lib/karma
  karma --config=/etc/karma/karma.toml
  karma --bind=127.0.0.1 --port=9090 --auth-token-file=/etc/karma/token
  karma --role=slave --replication-source-host=10.0.0.5 --directory=/var/lib/karma-replica
  echo '{"v":2,"op":"system.ping"}' | nc -N 127.0.0.1 8080

Signals
  SIGINT, SIGTERM   stop: answer what has been received, write snapshots, exit; a second one
                    leaves at once (nothing that was acknowledged is lost, the log has it)
  SIGUSR1           write snapshots in the background, as snapshot.create_all does
  SIGHUP            open the log file anew, read the settings again, take over tokens and log level

Exit codes
  0  clean stop     1  could not start, or a snapshot failed at the stop     2  wrong usage
)";

constexpr std::string_view kTopicsHead = R"(karma --help shows everything. One screen each:

)";

// The first word of the title, in lowercase.
std::string topic_of(SettingGroup group) {
  std::string topic(title(group).substr(0, title(group).find(' ')));
  topic[0] = static_cast<char>(topic[0] - 'A' + 'a');
  return topic;
}

}  // namespace

void add_settings(Options& options, const Config& defaults, const SetSetting& set) {
  for (const SettingGroup group : setting_groups()) {
    options.group(title(group));
    for (const Setting& setting : settings()) {
      if (setting.group != group) continue;
      const bool truth = std::holds_alternative<bool Config::*>(setting.target);
      options.add({.flag = setting.flag,
                   .value = truth ? Options::kTruth : setting.value,
                   .meaning = setting.meaning,
                   .shown_default = value_text(setting, defaults),
                   .letter = setting.letter,
                   .variable = setting.variable},
                  [&setting, set](std::string_view text) { return set(setting, text); });
    }
  }
}

std::string help_text(const Config& defaults) {
  Options options("karma", kHead, kTail);
  add_settings(options, defaults, {});
  return options.help();
}

std::string help_topic(std::string_view topic, const Config& defaults) {
  std::string topics;
  for (const SettingGroup group : setting_groups()) {
    const std::string name = topic_of(group);
    if (name == topic) {
      Options options("karma", {}, {});
      add_settings(options, defaults, {});
      return std::string(title(group)) + "\n" + options.help(title(group));
    }
    topics += "  karma help " + name + "\n";
  }
  return topic.empty() ? std::string(kTopicsHead) + topics : std::string();
}

}  // namespace karma
