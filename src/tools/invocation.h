// What the sub-commands that talk to a server have in common: the options of the connection, and the arguments after
// the name of a command.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "tools/commands.h"

namespace karma::tools {

inline constexpr int kWrongUsage = 2;

// Where the server is, and a token for it: from flags, a file, or the environment.
class Connection {
 public:
  // Both must outlive it. What `target` holds is shown as the defaults.
  Connection(Options& options, ConnectionOptions& target);
  Connection(const Connection&) = delete;

  // Once the options are parsed.
  Status resolve(const char* (*environment)(const char* name));

 private:
  ConnectionOptions& options_;
  std::optional<std::string> host_;
  std::optional<int> port_;
  std::optional<std::string> token_;
  std::optional<std::string> token_file_;
};

class Invocation {
 public:
  // `program`: as it is typed, "karma import".
  Invocation(std::string program, std::span<const char* const> arguments, const char* (*environment)(const char* name),
             const Streams& streams)
      : program_(std::move(program)), arguments_(arguments), environment_(environment), streams_(streams) {}

  std::span<const char* const> arguments() const { return arguments_; }
  const char* (*lookup() const)(const char* name) { return environment_; }
  // An exit code if there is nothing left to do.
  std::optional<int> parse(Options& options, Connection& connection);
  // The same for a command without arguments; `misuse` is said if there are any.
  std::optional<int> parse_alone(Options& options, Connection& connection, const char* misuse);
  int misused(const Error& error) const;
  int misused(std::string message) const { return misused(validation_error(std::move(message))); }

  std::vector<std::string> positionals;

 private:
  int print(const std::string& text) const;

  const std::string program_;
  const std::span<const char* const> arguments_;
  const char* (*const environment_)(const char* name);
  const Streams& streams_;
};

// Commands about the node itself, in node_command.cpp. Each returns the exit code.
int promote_command(Invocation& invocation, const Streams& streams);
int replicas_command(Invocation& invocation, const Streams& streams);
int ping_command(Invocation& invocation, const Streams& streams);
int call_command(Invocation& invocation, const Streams& streams);
int stats_command(Invocation& invocation, const Streams& streams);
int clients_command(Invocation& invocation, const Streams& streams);
int slowlog_command(Invocation& invocation, const Streams& streams);
// In picture_command.cpp.
int plot_command(Invocation& invocation, const Streams& streams);
int top_command(Invocation& invocation, const Streams& streams);
int report_command(Invocation& invocation, const Streams& streams);
// In cli_command.cpp and bench_command.cpp.
int cli_command(Invocation& invocation, const Streams& streams);
int bench_command(Invocation& invocation, const Streams& streams);
// About the settings that a server would start with, in config_command.cpp.
int config_command(Invocation& invocation, const Streams& streams);

}  // namespace karma::tools
