// A single question to a running server, as karma promote, replicas and stats have it.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/commands.h"

namespace karma::tools {

// The response to `op`, which takes no fields. Asked again, as the options say, when the connection is lost: so `op`
// must do no harm when it is repeated. Throws nlohmann::json::exception if what comes is no JSON.
Result<nlohmann::ordered_json> ask(const ConnectionOptions& options, std::string_view op, const Streams& streams);

}  // namespace karma::tools
