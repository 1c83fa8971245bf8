// Where the value of each setting comes from: its flag, else the environment, else the settings file, else the default.
// Lists take what all of them say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/settings_file.h"

namespace karma {

// Why the value of a variable is refused, for people. `fault`: "must be an integer".
std::string environment_fault(const std::string& variable, const std::string& fault, std::string_view text,
                              bool secret = false);

class SettingSources {
 public:
  enum class Source { by_default, file, environment, flag };
  struct Origin {
    Source source = Source::by_default;
    std::string where;  // FILE:LINE, or the name of the variable
  };

  // An error if one of them is bad, also if something else overrides it: of the first, and the others are taken.
  Status read_environment(const char* (*environment)(const char* name));
  // In their order on the command line. Returns why the value is refused, or an empty text.
  std::string add_flag(const Setting& setting, std::string_view text);
  // All together: reads the settings file, if one is named, and the token files, and validates.
  Result<Config> resolve();

  // What the environment says, for --help.
  const Config& from_environment() const { return from_environment_; }
  // Once it is resolved. Of a token that was read from a file: where that file's name comes from.
  Origin origin(const Setting& setting) const;

 private:
  struct Given {
    const Setting* setting;
    std::string value;
    Origin origin;
  };

  Status add_file(const std::string& path);
  Status read_token_files(Config& config) const;

  std::vector<Given> file_;
  std::vector<Given> environment_;
  std::vector<Given> flags_;
  Config from_environment_;
  std::map<const Setting*, Origin> origins_;
};

}  // namespace karma
