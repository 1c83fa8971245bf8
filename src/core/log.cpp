#include "core/log.h"

#include <sys/stat.h>

#include <ctime>
#include <new>
#include <string>

#include "core/buffer.h"
#include "core/json_text.h"

namespace karma {
namespace {

constexpr std::string_view kLineStart = R"({"timestamp":")";
constexpr std::size_t kTimestampBytes = 20;  // 2026-11-22T07:12:06Z

std::string make_line(std::string_view timestamp, std::string_view level, std::string_view event,
                      std::string_view message) {
  Buffer line;
  line.append(kLineStart);
  line.append(timestamp);
  line.append(R"(","level":")");
  line.append(level);
  line.append(R"(","event":)");
  json::append_string(line, event);
  if (!message.empty()) {
    line.append(R"(,"message":)");
    json::append_string(line, message);
  }
  line.append("}\n");
  return std::string(line.view());
}

// At the time of the last of them: this thread may outlive the clock.
std::string lost_lines_line(std::uint64_t count, const std::string& last) {
  std::string timestamp(kTimestampBytes, '-');
  if (last.size() > kLineStart.size() + kTimestampBytes) timestamp = last.substr(kLineStart.size(), kTimestampBytes);
  return make_line(timestamp, "warn", "log.lost",
                   "lines=" + std::to_string(count) + ": nobody read the log, or it could not be written");
}

bool same_file(int one, int other) {
  struct stat a {};
  struct stat b {};
  if (::fstat(one, &a) != 0 || ::fstat(other, &b) != 0) return false;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

EventLog::EventLog(const Clock& clock, bool enabled, int out, int err) : clock_(clock), out_(out), err_(err) {
  if (!enabled) return;
  both_ = std::make_unique<LineWriter>(lost_lines_line);
  if (!same_file(out, err)) err_only_ = std::make_unique<LineWriter>(lost_lines_line);
}

EventLog::~EventLog() { flush(); }

void EventLog::info(std::string_view event, std::string_view message) noexcept { write(out_, "info", event, message); }
void EventLog::warn(std::string_view event, std::string_view message) noexcept { write(err_, "warn", event, message); }
void EventLog::error(std::string_view event, std::string_view message) noexcept {
  write(err_, "error", event, message);
}

void EventLog::write(int to, std::string_view level, std::string_view event, std::string_view message) noexcept {
  if (!both_) return;
  LineWriter& writer = to == err_ && err_only_ ? *err_only_ : *both_;
  try {
    std::time_t now = clock_.unix_seconds();
    std::tm utc{};
    gmtime_r(&now, &utc);
    char timestamp[32];
    std::size_t length = std::strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    writer.post(to, make_line({timestamp, length}, level, event, message));
  } catch (const std::bad_alloc&) {
    writer.count_lost();
  }
}

void EventLog::flush() {
  const auto deadline = std::chrono::steady_clock::now() + kMaxFlushTime;
  if (both_) both_->finish(deadline);
  if (err_only_) err_only_->finish(deadline);
}

std::uint64_t EventLog::lost_lines() const noexcept {
  return (both_ ? both_->lost() : 0) + (err_only_ ? err_only_->lost() : 0);
}

}  // namespace karma
