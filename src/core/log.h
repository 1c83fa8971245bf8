// What happens, one JSON object a line: {"timestamp":"…","level":"info|warn|error","event":"…","message":"…"}.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <karma/clock.h>

namespace karma {

// Thread-safe. info goes to stdout, warn and error to stderr. Logging never waits for whoever reads the log: lines wait
// in a bounded queue for a thread of their own. When it is full the oldest are lost, and "log.lost" says how many as
// soon as lines are written again.
class EventLog {
 public:
  // How long an end waits for what is not written yet.
  static constexpr std::chrono::milliseconds kMaxFlushTime{500};
  // Of each stream. A line in the queue holds its message, of which the rest is cut off.
  static constexpr std::size_t kMaxQueuedLines = 1024;
  static constexpr std::size_t kMaxMessageBytes = 4096;

  // The descriptors must stay open as long as the process lives.
  EventLog(const Clock& clock, bool enabled, int out = STDOUT_FILENO, int err = STDERR_FILENO);
  ~EventLog();  // flush(); what is not written by then is given up

  void info(std::string_view event, std::string_view message = {}) noexcept;
  void warn(std::string_view event, std::string_view message) noexcept;
  void error(std::string_view event, std::string_view message) noexcept;

  // Waits until what was logged is written or lost, at most kMaxFlushTime. Call it before the process leaves at once.
  void flush();
  std::uint64_t lost_lines() const noexcept;

 private:
  class Stream;

  Stream& errors();  // unless the log is switched off

  const Clock& clock_;
  // One for stdout and stderr where they are the same file, so that all lines keep their order; else a stream that is
  // stalled does not hold up the other. Without any the log is switched off.
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
};

}  // namespace karma
