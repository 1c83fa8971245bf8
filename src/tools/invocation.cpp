#include "tools/invocation.h"

#include <ostream>

#include <karma/version.h>

#include "core/settings.h"

namespace karma::tools {
namespace {

constexpr int kMaxSeconds = 86400;

}  // namespace

Connection::Connection(Options& options, ConnectionOptions& target) : options_(target) {
  options.text("host", "HOST", "the server", target.endpoint.host);
  options.number("port", "PORT", "its port", target.endpoint.port, 1, 65535);
  options.add({.flag = "token",
               .value = "TOKEN",
               .meaning = "what the server wants to see; or KARMA_AUTH_TOKEN or KARMA_AUTH_TOKEN_FILE"},
              [this](std::string_view text) {
                token_ = text;
                return std::string(text.empty() ? "must not be empty" : "");
              });
  options.add({.flag = "token-file", .value = "FILE", .meaning = "file whose first line is the token"},
              [this](std::string_view text) {
                token_file_ = text;
                return std::string(text.empty() ? "must not be empty" : "");
              });
  options.number("timeout", "SECONDS", "without a byte from the server before the connection is given up",
                 target.endpoint.timeout_seconds, 1, kMaxSeconds);
  options.number("retry-seconds", "SECONDS", "how long to try again while the server cannot be reached",
                 target.retry_seconds, 0, kMaxSeconds);
}

Status Connection::resolve(const char* (*environment)(const char* name)) {
  if (token_ && token_file_) return validation_error("--token and --token-file are both given; one of them must go");
  // As the server takes them: a health check inside its container then needs no flags.
  const char* const variable = environment("KARMA_AUTH_TOKEN");
  const char* const file = environment("KARMA_AUTH_TOKEN_FILE");
  if (!token_ && !token_file_ && variable == nullptr && file != nullptr) token_file_ = file;
  if (token_file_) {
    Result<std::string> token = read_token_file(*token_file_);
    if (!token) return token.error();
    token_ = std::move(*token);
  }
  if (!token_ && variable != nullptr) token_ = variable;
  options_.endpoint.token = token_.value_or("");
  return {};
}

std::optional<int> Invocation::parse(Options& options, Connection& connection) {
  const Result<Options::Asked> asked = options.parse(arguments_, positionals);
  if (!asked) return misused(asked.error());
  if (*asked == Options::Asked::help) return print(options.help());
  if (*asked == Options::Asked::version) return print("karma " + std::string(version()) + "\n");
  if (Status status = connection.resolve(environment_); !status.ok()) return misused(status.error());
  return std::nullopt;
}

std::optional<int> Invocation::parse_alone(Options& options, Connection& connection, const char* misuse) {
  std::optional<int> code = parse(options, connection);
  if (!code && !positionals.empty()) code = misused(misuse);
  return code;
}

int Invocation::misused(const Error& error) const {
  streams_.err << "ERROR: " << error.message << std::endl;
  return kWrongUsage;
}

int Invocation::print(const std::string& text) const {
  streams_.out << text << std::flush;
  return 0;
}

}  // namespace karma::tools
