// The settings file: TOML of the simplest kind, one setting a line, named like its flag.
//
//   # the node in the rack on the left
//   port = 9090
//   directory = "/var/lib/karma"
//   replication-peers = ["10.0.0.5:8080", "10.0.0.6:8080"]
#pragma once

#include <string>
#include <vector>

#include "core/settings.h"

namespace karma {

struct FileSetting {
  const Setting* setting;
  std::string value;  // the parts of a list with commas between them
  std::string where;  // FILE:LINE
};

// Names are checked, values not. The message of an error begins with FILE:LINE where there is one, and holds no value.
Result<std::vector<FileSetting>> read_settings_file(const std::string& path);

}  // namespace karma
