#include "core/log.h"

#include <ctime>

#include "core/buffer.h"
#include "core/json_text.h"

namespace karma {

EventLog::EventLog(const Clock& clock, bool enabled, std::FILE* out, std::FILE* err)
    : clock_(clock), enabled_(enabled), out_(out), err_(err) {}

void EventLog::info(std::string_view event, std::string_view message) { write(out_, "info", event, message); }
void EventLog::warn(std::string_view event, std::string_view message) { write(err_, "warn", event, message); }
void EventLog::error(std::string_view event, std::string_view message) { write(err_, "error", event, message); }

void EventLog::write(std::FILE* to, std::string_view level, std::string_view event, std::string_view message) {
  if (!enabled_) return;
  std::time_t now = clock_.unix_seconds();
  std::tm utc{};
  gmtime_r(&now, &utc);
  char timestamp[32];
  std::size_t length = std::strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%SZ", &utc);

  Buffer line;
  line.append(R"({"timestamp":")");
  line.append(std::string_view(timestamp, length));
  line.append(R"(","level":")");
  line.append(level);
  line.append(R"(","event":)");
  json::append_string(line, event);
  if (!message.empty()) {
    line.append(R"(,"message":)");
    json::append_string(line, message);
  }
  line.append("}\n");

  // One line is one write, so that lines of several processes in one file stay whole. A log that cannot be written
  // (closed pipe, full disk) must not stop the server: the result is ignored.
  std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), to);
  std::fflush(to);
}

}  // namespace karma
