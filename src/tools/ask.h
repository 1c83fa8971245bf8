// Questions to a running server, as karma promote, replicas, stats and plot have them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/retry.h"

namespace karma::tools {

// The response to `op`. Asked again, as the options say, when the connection is lost: so `op` must do no harm when it
// is repeated. Throws nlohmann::json::exception if what comes is no JSON.
Result<nlohmann::ordered_json> ask(const ConnectionOptions& options, std::string_view op, const Streams& streams,
                                   const Client::Fields& fields = Client::Fields::object());
// The same, on a connection that is used again.
Result<nlohmann::ordered_json> ask(Client& client, Retry& retry, std::string_view op, const Client::Fields& fields);

// "master, ok", and what is wrong. Empty if the server does not tell.
std::string state_of(Client& client);

// What `command` returns, or an Error where it finds that an answer is not what it should be, and throws
// nlohmann::json::exception.
Status understood(const std::function<Status()>& command);

// Says why there is no result, and what to do.
void print_error(const Error& error, const Streams& streams);
// The exit code of a command that ends like this: 0, or 1 once the error is told.
int exit_code(const Status& end, const Streams& streams);

}  // namespace karma::tools
