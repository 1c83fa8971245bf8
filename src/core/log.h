// What happens, one JSON object a line: {"timestamp":"…","level":"info|warn|error","event":"…","message":"…"}.
#pragma once

#include <cstdio>
#include <mutex>
#include <string_view>

#include <karma/clock.h>

namespace karma {

// Thread-safe. info goes to stdout, warn and error to stderr.
class EventLog {
 public:
  EventLog(const Clock& clock, bool enabled, std::FILE* out = stdout, std::FILE* err = stderr);

  void info(std::string_view event, std::string_view message = {});
  void warn(std::string_view event, std::string_view message);
  void error(std::string_view event, std::string_view message);

 private:
  void write(std::FILE* to, std::string_view level, std::string_view event, std::string_view message);

  const Clock& clock_;
  const bool enabled_;
  std::FILE* const out_;
  std::FILE* const err_;
  std::mutex mutex_;
};

}  // namespace karma
