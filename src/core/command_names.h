// The commands of the program, for those that suggest one. What each does is elsewhere: src/core/command_line.cpp and
// src/tools/client_command.cpp, which is compared with this at compile time.
#pragma once

#include <algorithm>
#include <string_view>

namespace karma {

inline constexpr std::string_view kCommandNames[] = {
    "check", "dump",    "help",    "import", "export", "reconcile", "promote", "replicas", "ping",  "call",
    "stats", "slowlog", "clients", "plot",   "top",    "report",    "bench",   "cli",      "config"};

constexpr bool is_command_name(std::string_view name) {
  return std::ranges::find(kCommandNames, name) != std::end(kCommandNames);
}

}  // namespace karma
