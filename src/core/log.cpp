#include "core/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <nlohmann/json.hpp>
#include "core/absolute_path.h"
#include "core/buffer.h"
#include "core/json_text.h"
#include "core/mutex.h"
#include "core/text.h"

namespace karma {
namespace {

constexpr std::string_view kLostEvent = "log.lost";

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
      return "error";
    case spdlog::level::warn:
      return "warn";
    case spdlog::level::debug:
      return "debug";
    default:
      return "info";
  }
}

// As wide as the longest.
std::string_view label_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
      return "ERROR";
    case spdlog::level::warn:
      return "WARN ";
    case spdlog::level::debug:
      return "DEBUG";
    default:
      return "INFO ";
  }
}

// Each character that could end the line, or do something to a terminal.
void append_plain(Buffer& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.append(c);
    } else {
      out.append("\\x");
      out.append(kHexDigits[byte >> 4]);
      out.append(kHexDigits[byte & 15]);
    }
  }
}

// A message for the library consists of our event, a NUL and our message.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& out) override {
    const std::time_t time = spdlog::log_clock::to_time_t(msg.time);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char timestamp[32];
    const std::size_t length = std::strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const std::string_view payload(msg.payload.data(), msg.payload.size());
    const std::size_t end_of_event = payload.find('\0');
    const std::string_view event = payload.substr(0, end_of_event);
    const std::string_view message = payload.substr(end_of_event + 1);
    Buffer text;
    if (format_ == LogFormat::json) {
      nlohmann::ordered_json line = {
          {"timestamp", std::string_view(timestamp, length)}, {"level", name_of(msg.level)}, {"event", event}};
      if (!message.empty()) line["message"] = message;
      json::append_value(text, line);
    } else {
      text.append({timestamp, length});
      text.append(' ');
      text.append(label_of(msg.level));
      text.append(' ');
      append_plain(text, event);
      if (!message.empty()) text.append(' ');
      append_plain(text, message);
    }
    text.append('\n');
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(format_); }

 private:
  const LogFormat format_;
};

// Writes whole lines. Used by the queue's thread, except where a comment says otherwise.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  LineSink(LogFormat format, int out, int err) : out_(out), err_(err) {
    set_formatter(std::make_unique<LineFormatter>(format));
  }

  // Before the first line.
  void watch(spdlog::details::thread_pool& queue) { queue_ = &queue; }

  // Thread-safe: a line is given up, not written.
  void fail() noexcept {
    failed_.fetch_add(1, std::memory_order_relaxed);
    count_handled();
  }
  // Thread-safe.
  std::uint64_t lost() const { return failed_.load(std::memory_order_relaxed) + queue_->overrun_counter(); }

  // Thread-safe: whether everything of `posted` lines is written or lost, waiting for it until the deadline.
  bool wait_until_handled(std::uint64_t posted, std::chrono::steady_clock::time_point deadline) {
    const MutexLock lock(mutex_);
    const auto done = [&]() KARMA_REQUIRES(mutex_) { return handled_ + queue_->overrun_counter() >= posted; };
    while (!done() && changed_.wait_until(mutex_, deadline)) {
    }
    return done();
  }
  // Thread-safe: nothing more is written, except the rest of a write that has begun.
  void give_up() noexcept { given_up_.store(true, std::memory_order_relaxed); }

 private:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    if (const std::uint64_t untold = lost() - told_; untold > 0) tell_lost(msg, untold);
    if (put(msg, msg.level)) {
      count_handled();
    } else {
      fail();
    }
  }
  void flush_() override {}

  void count_handled() noexcept {
    const MutexLock lock(mutex_);
    ++handled_;
    changed_.notify_all();
  }

  void tell_lost(const spdlog::details::log_msg& next, std::uint64_t count) {
    std::string payload(kLostEvent);
    payload += '\0';
    payload += "lines=" + std::to_string(count) + ": nobody read the log, or it could not be written";
    spdlog::details::log_msg msg(next.time, {}, {}, next.level, payload);
    if (put(msg, spdlog::level::warn)) told_ += count;
  }

  // Writes to the stream of the message's level, and says `level` in the line. False: not written, or only in part.
  bool put(const spdlog::details::log_msg& msg, spdlog::level::level_enum level) {
    spdlog::details::log_msg told = msg;
    told.level = level;
    spdlog::memory_buf_t line;
    if (torn_) line.push_back('\n');
    formatter_->format(told, line);
    const int fd = msg.level <= spdlog::level::info ? out_ : err_;
    std::string_view text(line.data(), line.size());
    while (!text.empty() && !given_up_.load(std::memory_order_relaxed)) {
      const ssize_t size = ::write(fd, text.data(), text.size());
      if (size > 0) {
        text.remove_prefix(static_cast<std::size_t>(size));
        torn_ = !text.empty();
      } else if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        pollfd watched{fd, POLLOUT, 0};  // somebody who shares the descriptor has made it non-blocking
        ::poll(&watched, 1, -1);
      } else if (size == 0 || errno != EINTR) {
        return false;
      }
    }
    return text.empty();
  }

  const int out_;
  const int err_;
  spdlog::details::thread_pool* queue_ = nullptr;
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<bool> given_up_{false};
  std::uint64_t told_ = 0;  // of lost()
  bool torn_ = false;       // the last write ended within a line

  Mutex mutex_;
  Condition changed_;
  std::uint64_t handled_ KARMA_GUARDED_BY(mutex_) = 0;  // lines written or failed
};

bool same_file(int one, int other) {
  struct stat a {};
  struct stat b {};
  if (::fstat(one, &a) != 0 || ::fstat(other, &b) != 0) return false;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// A pipe without a reader is an error of write(), not a signal; and signals of the process are for other threads.
void begin_log_thread() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "karma-log");
}

}  // namespace

class EventLog::Stream {
 public:
  Stream(LogFormat format, int out, int err)
      : sink_(std::make_shared<LineSink>(format, out, err)),
        queue_(std::make_shared<spdlog::details::thread_pool>(kMaxQueuedLines, 1, begin_log_thread)),
        logger_(std::make_shared<spdlog::async_logger>("karma", sink_, queue_,
                                                       spdlog::async_overflow_policy::overrun_oldest)) {
    sink_->watch(*queue_);
    logger_->set_level(spdlog::level::debug);  // EventLog decides
    logger_->set_error_handler([sink = sink_.get()](const std::string&) { sink->fail(); });
  }
  ~Stream() {
    if (flush(std::chrono::steady_clock::now())) return;
    // Destroying the queue waits for its thread, which hangs in a write, so that another thread destroys it. If no
    // thread can be started, the queue stays until the process ends.
    sink_->give_up();
    auto* const queue = new std::shared_ptr(std::move(queue_));
    try {
      std::thread([queue] { delete queue; }).detach();
    } catch (const std::system_error&) {
    }
  }

  void write(std::int64_t unix_seconds, spdlog::level::level_enum level, std::string_view event,
             std::string_view message) noexcept {
    posted_.fetch_add(1, std::memory_order_relaxed);
    try {
      std::string payload(event);
      payload += '\0';
      payload += message.substr(0, kMaxMessageBytes);
      logger_->log(spdlog::log_clock::time_point(std::chrono::seconds(unix_seconds)), {}, level, payload);
    } catch (const std::exception&) {
      sink_->fail();
    }
  }

  bool flush(std::chrono::steady_clock::time_point deadline) {
    return sink_->wait_until_handled(posted_.load(std::memory_order_relaxed), deadline);
  }
  std::uint64_t lost() const { return sink_->lost(); }

 private:
  std::shared_ptr<LineSink> sink_;
  std::shared_ptr<spdlog::details::thread_pool> queue_;
  std::shared_ptr<spdlog::async_logger> logger_;
  std::atomic<std::uint64_t> posted_{0};
};

LogOptions log_options(const Config& config) {
  return {.enabled = config.log, .level = config.log_level, .format = config.log_format, .file = config.log_file};
}

EventLog::EventLog(const Clock& clock, LogOptions options)
    : clock_(clock), options_(std::move(options)), level_(options_.level) {
  if (!options_.enabled) return;
  opened_ = open_file();
  if (!opened_) return;
  const int out = options_.file ? file_ : options_.out;
  const int err = options_.file ? file_ : options_.err;
  out_ = std::make_unique<Stream>(options_.format, out, err);
  if (!same_file(out, err)) err_ = std::make_unique<Stream>(options_.format, out, err);
}

// Where a thread hangs in a write, the file stays open: it may still use it.
EventLog::~EventLog() {
  const auto deadline = std::chrono::steady_clock::now() + kMaxFlushTime;
  const bool written = (!out_ || out_->flush(deadline)) && (!err_ || err_->flush(deadline));
  out_.reset();
  err_.reset();
  if (written && file_ >= 0) ::close(file_);
}

// Whoever writes meanwhile writes to one or the other.
Status EventLog::open_file() {
  if (!options_.file) return {};
  const int fresh = ::open(options_.file->c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (fresh < 0)
    return internal_error("Cannot open the log file " + absolute_path(*options_.file) + ": " + std::strerror(errno));
  if (file_ < 0) {
    file_ = fresh;
    return {};
  }
  const bool replaced = ::dup3(fresh, file_, O_CLOEXEC) >= 0;
  const int why = errno;
  ::close(fresh);
  if (!replaced)
    return internal_error("Cannot open the log file " + absolute_path(*options_.file) + ": " + std::strerror(why));
  return {};
}

Status EventLog::reopen() { return options_.enabled && opened_.ok() ? open_file() : Status(); }

void EventLog::write(LogLevel level, std::string_view event, std::string_view message) noexcept {
  if (!tells(level)) return;
  Stream& stream = level >= LogLevel::warn && err_ ? *err_ : *out_;
  stream.write(clock_.unix_seconds(), level_of(level), event, message);
}

void EventLog::flush() {
  const auto deadline = std::chrono::steady_clock::now() + kMaxFlushTime;
  if (out_) out_->flush(deadline);
  if (err_) err_->flush(deadline);
}

std::uint64_t EventLog::lost_lines() const noexcept { return (out_ ? out_->lost() : 0) + (err_ ? err_->lost() : 0); }

}  // namespace karma
