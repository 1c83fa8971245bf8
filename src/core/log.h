// The event log, a line for each event. As JSON:
//   {"timestamp":"2026-11-22T11:08:42Z","level":"debug|info|warn|error","event":"…","message":"…"}
// and as text, in which control characters are escaped:
//   2026-11-22T11:08:42Z INFO  server.start version=2.0.0 port=8080
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <karma/clock.h>
#include <karma/config.h>

namespace karma {

struct LogOptions {
  bool enabled = true;
  LogLevel level = LogLevel::info;  // and above
  LogFormat format = LogFormat::json;
  std::optional<std::string> file = {};
  // Without a file: of debug and info, of warn and error. They must stay open as long as the process lives.
  int out = STDOUT_FILENO;
  int err = STDERR_FILENO;
};
LogOptions log_options(const Config& config);

// Thread-safe. debug and info go to stdout, warn and error to stderr, or all to one file. Logging never waits for the
// reader of the log: lines wait in a bounded queue for a thread of their own. When it is full, the oldest lines are
// lost, and "log.lost" says how many as soon as lines are written again.
class EventLog {
 public:
  // How long flush() waits for lines that are not written yet.
  static constexpr std::chrono::milliseconds kMaxFlushTime{500};
  // Of each stream. Lines in the queue hold their messages; longer ones are cut off.
  static constexpr std::size_t kMaxQueuedLines = 1024;
  static constexpr std::size_t kMaxMessageBytes = 4096;

  EventLog(const Clock& clock, LogOptions options);
  EventLog(const Clock& clock, bool enabled, int out = STDOUT_FILENO, int err = STDERR_FILENO)
      : EventLog(clock, LogOptions{.enabled = enabled, .out = out, .err = err}) {}
  ~EventLog();  // flush(); what is not written by then is given up

  // Why its file could not be opened; then nothing is logged.
  const Status& opened() const { return opened_; }
  // Opens the file anew, which somebody has renamed or removed. After an error the log goes on where it was.
  Status reopen();

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  // For messages that cost something.
  bool tells(LogLevel level) const { return out_ != nullptr && level >= this->level(); }

  void debug(std::string_view event, std::string_view message) noexcept { write(LogLevel::debug, event, message); }
  void info(std::string_view event, std::string_view message = {}) noexcept { write(LogLevel::info, event, message); }
  void warn(std::string_view event, std::string_view message) noexcept { write(LogLevel::warn, event, message); }
  void error(std::string_view event, std::string_view message) noexcept { write(LogLevel::error, event, message); }

  // Waits until all lines are written or lost, at most kMaxFlushTime. Call it before _exit().
  void flush();
  std::uint64_t lost_lines() const noexcept;

 private:
  class Stream;

  void write(LogLevel level, std::string_view event, std::string_view message) noexcept;
  Status open_file();

  const Clock& clock_;
  const LogOptions options_;
  std::atomic<LogLevel> level_;
  int file_ = -1;  // of options_.file; the number stays when it is opened anew
  Status opened_;
  // One for stdout and stderr where they are the same file, so that all lines keep their order; otherwise a stalled
  // stream does not hold up the other. Without any, the log is off.
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
};

}  // namespace karma
