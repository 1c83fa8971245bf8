#include "tools/invocation.h"

#include <ostream>

#include <karma/tools.h>
#include <karma/version.h>

#include "core/setting_sources.h"
#include "core/settings.h"
#include "core/text.h"

namespace karma::tools {
namespace {

constexpr int kMaxSeconds = 86400;
constexpr std::string_view kPortFault = "must be a number from 1 to 65535";

std::optional<int> port_of(std::string_view text) {
  const std::optional<int> port = parse_number<int>(text);
  return port && *port >= 1 && *port <= 65535 ? port : std::nullopt;
}

// Empty is unset, as for the server.
const char* lookup(const char* (*environment)(const char* name), const char* name) {
  const char* const text = environment(name);
  return text == nullptr || *text == '\0' ? nullptr : text;
}

}  // namespace

Connection::Connection(Options& options, ConnectionOptions& target) : options_(target) {
  options.add(
      {.flag = "host", .value = "HOST", .meaning = "the server; or KARMA_HOST", .shown_default = target.endpoint.host},
      [this](std::string_view text) {
        host_ = text;
        return std::string(text.empty() ? "must not be empty" : "");
      });
  options.add({.flag = "port",
               .value = "PORT",
               .meaning = "its port; or KARMA_PORT",
               .shown_default = std::to_string(target.endpoint.port)},
              [this](std::string_view text) {
                port_ = port_of(text);
                return port_ ? std::string() : std::string(kPortFault);
              });
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
  if (const char* const host = lookup(environment, "KARMA_HOST"); !host_ && host != nullptr) host_ = host;
  if (const char* const port = lookup(environment, "KARMA_PORT"); !port_ && port != nullptr) {
    port_ = port_of(port);
    if (!port_) return validation_error(environment_fault("KARMA_PORT", std::string(kPortFault), port));
  }
  if (host_) options_.endpoint.host = *host_;
  if (port_) options_.endpoint.port = *port_;
  const char* const variable = lookup(environment, "KARMA_AUTH_TOKEN");
  const char* const file = lookup(environment, "KARMA_AUTH_TOKEN_FILE");
  if (!token_ && !token_file_ && variable == nullptr && file != nullptr) token_file_ = file;
  if (token_file_) {
    Result<std::string> token = read_token_file(*token_file_);
    if (!token) return token.error();
    token_ = std::move(*token);
  }
  if (!token_ && variable != nullptr) token_ = variable;
  options_.endpoint.token = token_.value_or("");
  options_.endpoint.token_hint = options_.endpoint.address();
  options_.endpoint.token_hint +=
      options_.endpoint.token.empty()
          ? " wants a token: give --token-file=FILE, or set KARMA_AUTH_TOKEN_FILE or KARMA_AUTH_TOKEN"
          : " wants another token than that of --token-file or KARMA_AUTH_TOKEN_FILE";
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
  print_misuse(error, program_, streams_.err);
  return kWrongUsage;
}

int Invocation::print(const std::string& text) const {
  streams_.out << text << std::flush;
  return 0;
}

}  // namespace karma::tools

void karma::print_misuse(const Error& error, std::string_view program, std::ostream& err) {
  err << "ERROR: " << error.message << '\n';
  if (error.message.find("--help") == error.message.npos) err << program << " --help lists all options.\n";
  err << std::flush;
}
