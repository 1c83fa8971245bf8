// Which day it is somewhere at an instant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <karma/types.h>

namespace karma::tools {

// A fixed offset, or a zone of the system's time zone database, which then becomes that of the process: one at a time,
// chosen before there are other threads.
class TimeZone {
 public:
  // UTC, Z, +02:00, or a name such as Europe/Berlin. Nothing if there is none of it.
  static std::optional<TimeZone> of(std::string_view text);

  // Nothing if it is in no year that has four digits.
  std::optional<Bucket> day_at(std::int64_t unix_seconds) const;
  const std::string& name() const { return name_; }

 private:
  TimeZone(std::string_view name, std::optional<std::int64_t> offset) : name_(name), offset_(offset) {}

  std::string name_;
  std::optional<std::int64_t> offset_;  // seconds east of UTC; without it the process's zone counts
};

// Z, UTC, +02:00, +0200 or +02, in seconds east of UTC.
std::optional<std::int64_t> utc_offset_of(std::string_view text);

// A calendar day as 20260505 or 2026-05-05.
std::optional<Bucket> bucket_of(std::string_view text);

// A time on a calendar day: 2026-05-05T23:30:00+02:00 (RFC 3339), with blank for T, without seconds or with a fraction
// of them, and perhaps without the offset.
struct TimeOfDay {
  Bucket day;
  std::int64_t seconds = 0;  // of the day
  std::optional<std::int64_t> offset;
};
std::optional<TimeOfDay> time_of(std::string_view text);

}  // namespace karma::tools
