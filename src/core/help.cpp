// What people read about the settings: --help and the table of the README, both from the table of settings.
#include <algorithm>

#include "core/settings.h"

namespace karma {
namespace {

constexpr std::size_t kLineWidth = 96;

// Words of `text` in lines of kLineWidth, each after `indent` blanks.
void append_wrapped(std::string& page, std::string_view text, std::size_t indent) {
  std::size_t column = 0;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column != 0 && column + 1 + word.size() > kLineWidth) page += '\n', column = 0;
    if (column == 0) {
      page.append(indent, ' ');
      column = indent;
    } else {
      page += ' ';
      ++column;
    }
    page += word;
    column += word.size();
  }
  page += '\n';
}

void append_padded(std::string& page, const std::string& text, std::size_t width) {
  page += text;
  page.append(text.size() < width ? width - text.size() : 1, ' ');
}

void append_setting(std::string& page, const Setting& setting, const Config& defaults) {
  std::string flags = setting.letter ? std::string("  -") + setting.letter + ", " : std::string("      ");
  flags += "--" + std::string(setting.flag) + "=" + std::string(setting.value);
  append_padded(page, flags, 50);
  append_padded(page, "[" + value_text(setting, defaults) + "]", 12);
  page += std::string(setting.variable) + "\n";
  append_wrapped(page, setting.meaning, 10);
}

constexpr std::string_view kHead = R"(Usage: karma [arguments]
       karma check DIR    look for damage in a data directory that no server uses; changes nothing
       karma dump DIR     print the counters in a data directory, one JSON object a line
       karma import FILE --series=SERIES          count a file into a running server, exactly once
       karma export --series=SERIES               write the points of a series of a running server
       karma reconcile --csv=FILE --series=SERIES compare with what was counted elsewhere
                          each of these three has its own --help

Karma is a TCP database of counters. A setting is taken from its flag, else from the environment
variable on the right of its line, else it has the default in brackets (which shows what the
environment says now). BOOL is true or false. --flag=VALUE and --flag VALUE are the same.
)";

constexpr std::string_view kTail = R"(
Other
  -h, --help        this text
  -v, --version     the version

Examples
  karma --directory=/var/lib/karma
  karma --bind=127.0.0.1 --port=9090 --auth-token-file=/etc/karma/token
  karma --role=slave --replication-source-host=10.0.0.5 --directory=/var/lib/karma-replica
  echo '{"v":2,"op":"system.ping"}' | nc -N 127.0.0.1 8080

Signals
  SIGINT, SIGTERM   stop: answer what has been received, write snapshots, exit; a second one
                    leaves at once (nothing that was acknowledged is lost, the log has it)
  SIGUSR1           write snapshots in the background, as snapshot.create_all does
  SIGHUP            ignored

Exit codes
  0  clean stop     1  could not start, or a snapshot failed at the stop     2  wrong usage
)";

}  // namespace

std::string help_text() { return help_text(Config()); }

std::string help_text(const Config& defaults) {
  std::string page(kHead);
  for (SettingGroup group : setting_groups()) {
    page += "\n" + std::string(title(group)) + "\n";
    for (const Setting& setting : settings()) {
      if (setting.group == group) append_setting(page, setting, defaults);
    }
  }
  page += kTail;
  return page;
}

std::string settings_table() {
  const Config defaults;
  std::string table = "| Flag | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n";
  for (SettingGroup group : setting_groups()) {
    for (const Setting& setting : settings()) {
      if (setting.group != group) continue;
      table += "| `--" + std::string(setting.flag) + "`";
      if (setting.letter) table += std::string(" (`-") + setting.letter + "`)";
      table += " | `" + std::string(setting.variable) + "` | ";
      std::string value = value_text(setting, defaults);
      table += value == "none" ? value : "`" + value + "`";
      if (setting.value == "BYTES" || setting.value == "SECONDS" || setting.value == "MILLISECONDS" ||
          setting.value == "MICROSECONDS") {
        std::string unit(setting.value);
        for (char& c : unit) c = static_cast<char>(c - 'A' + 'a');
        table += " " + unit;
      }
      table += " | " + std::string(setting.meaning) + " |\n";
    }
  }
  return table;
}

}  // namespace karma
