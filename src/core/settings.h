// The table of settings. Environment parsing, command line, validation, --help and the table of the README all walk it,
// so a new setting is a member of Config and one row here.
#pragma once

#include <climits>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <karma/config.h>

#include "core/options.h"

namespace karma {

enum class SettingGroup { file, network, access, limits, data, idempotency, replication, logging };

// The value is the first line of the file at `path`; it ends up in `token`.
struct TokenFile {
  std::optional<std::string> Config::*token;
  std::optional<std::string> Config::*path;
};

// The type of the target decides how a value is read.
using SettingTarget =
    std::variant<int Config::*, std::int64_t Config::*, bool Config::*, std::string Config::*,
                 std::optional<std::string> Config::*, Role Config::*, OnAckTimeout Config::*, LogLevel Config::*,
                 LogFormat Config::*, std::vector<std::string> Config::*, TokenFile>;

struct Setting {
  SettingGroup group;
  std::string_view flag;      // without the leading "--"
  std::string_view variable;  // in the environment
  SettingTarget target;
  std::string_view value;    // the placeholder of the value in --help: PORT, BYTES, SECONDS
  std::string_view meaning;  // one sentence or two, without a line end
  char letter = '\0';        // short option, or none
  int min = INT_MIN;         // of integers
  int max = INT_MAX;
  bool secret = false;            // never shown
  bool only_with_source = false;  // checked only where a replication source is set
  bool reloaded = false;          // at SIGHUP

  // For the rows of the table.
  constexpr Setting changed(auto change) const {
    Setting copy = *this;
    change(copy);
    return copy;
  }
  constexpr Setting short_form(char c) const {
    return changed([&](Setting& s) { s.letter = c; });
  }
  constexpr Setting at_least(int low) const {
    return changed([&](Setting& s) { s.min = low; });
  }
  constexpr Setting at_most(int high) const {
    return changed([&](Setting& s) { s.max = high; });
  }
  constexpr Setting kept_secret() const {
    return changed([&](Setting& s) { s.secret = true; });
  }
  constexpr Setting read_again() const {
    return changed([&](Setting& s) { s.reloaded = true; });
  }
  constexpr Setting of_source() const {
    return changed([&](Setting& s) { s.only_with_source = true; });
  }
};

// The settings file itself.
inline constexpr std::string_view kConfigFlag = "config";

// In the order in which they are validated.
std::span<const Setting> settings();

// Title of a group of --help, and the order of the groups.
std::string_view title(SettingGroup group);
std::span<const SettingGroup> setting_groups();

// The value as a user would type it; kNoValue for what is unset, "(set)" for a secret.
inline constexpr std::string_view kNoValue = "none";
std::string value_text(const Setting& setting, const Config& config);

// The settings that are not the defaults: "port=9090 auth-token=(set)".
std::string changed_settings(const Config& config);

// Where two configurations differ, secrets too: flags with commas between them.
struct Differences {
  std::string reloaded;  // of those that a running server takes over
  std::string others;
};
Differences differences(const Config& one, const Config& other);

// Sets the value from text. The message of an error lacks its subject: "must be an integer".
Status assign(const Setting& setting, std::string_view text, Config& config);

// The first thing that validate() refuses, and whose fault it is, where it is that of a single setting: then the
// message lacks its subject.
struct SettingFault {
  const Setting* setting;
  std::string message;
};
std::optional<SettingFault> find_fault(const Config& config);

// Why a value of the setting is refused, or an empty text.
using SetSetting = std::function<std::string(const Setting& setting, std::string_view text)>;

// Lists every setting as an option, by group; `defaults` are shown as such, tokens never.
void add_settings(Options& options, const Config& defaults, const SetSetting& set);

// The text of `karma help TOPIC`: the settings of one group. An empty topic gives the list of them; an unknown one,
// nothing.
std::string help_topic(std::string_view topic, const Config& defaults);

// The first line of a file as a token, which is never empty. The message of an error names the file.
Result<std::string> read_token_file(const std::string& path);

}  // namespace karma
