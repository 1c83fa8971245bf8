// The event log: one JSON object a line: {"timestamp":"…","level":"info|warn|error","event":"…","message":"…"}.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <karma/clock.h>

namespace karma {

// Thread-safe. info goes to stdout, warn and error to stderr. Logging never waits for the reader of the log: lines wait
// in a bounded queue for a thread of their own. When it is full, the oldest lines are lost, and "log.lost" says how
// many as soon as lines are written again.
class EventLog {
 public:
  // How long flush() waits for lines that are not written yet.
  static constexpr std::chrono::milliseconds kMaxFlushTime{500};
  // Of each stream. Lines in the queue hold their messages; longer ones are cut off.
  static constexpr std::size_t kMaxQueuedLines = 1024;
  static constexpr std::size_t kMaxMessageBytes = 4096;

  // The descriptors must stay open as long as the process lives.
  EventLog(const Clock& clock, bool enabled, int out = STDOUT_FILENO, int err = STDERR_FILENO);
  ~EventLog();  // flush(); what is not written by then is given up

  void info(std::string_view event, std::string_view message = {}) noexcept;
  void warn(std::string_view event, std::string_view message) noexcept;
  void error(std::string_view event, std::string_view message) noexcept;

  // Waits until all lines are written or lost, at most kMaxFlushTime. Call it before _exit().
  void flush();
  std::uint64_t lost_lines() const noexcept;

 private:
  class Stream;

  Stream& errors();  // unless the log is switched off

  const Clock& clock_;
  // One for stdout and stderr where they are the same file, so that all lines keep their order; otherwise a stalled
  // stream does not hold up the other. Without any, the log is off.
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
};

}  // namespace karma
