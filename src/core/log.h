// What happens, one JSON object a line: {"timestamp":"…","level":"info|warn|error","event":"…","message":"…"}.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include <karma/clock.h>

#include "core/line_writer.h"

namespace karma {

// Thread-safe. info goes to stdout, warn and error to stderr. Logging never waits for whoever reads the log: what finds
// no room is lost, and "log.lost" says how many lines when the log is written again.
class EventLog {
 public:
  // How long an end waits for what is not written yet.
  static constexpr std::chrono::milliseconds kMaxFlushTime{500};

  EventLog(const Clock& clock, bool enabled, int out = STDOUT_FILENO, int err = STDERR_FILENO);
  ~EventLog();  // flush()

  void info(std::string_view event, std::string_view message = {}) noexcept;
  void warn(std::string_view event, std::string_view message) noexcept;
  void error(std::string_view event, std::string_view message) noexcept;

  // Waits until what was logged is written, at most kMaxFlushTime. To be called before the process leaves at once.
  void flush();
  std::uint64_t lost_lines() const noexcept;

 private:
  void write(int to, std::string_view level, std::string_view event, std::string_view message) noexcept;

  const Clock& clock_;
  const int out_;
  const int err_;
  // One for both streams where they are the same file, so that all lines keep their order; else a stream that is
  // stalled does not hold up the other. Without any the log is switched off.
  std::unique_ptr<LineWriter> both_;
  std::unique_ptr<LineWriter> err_only_;
};

}  // namespace karma
