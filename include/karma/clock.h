// Time as Karma sees it. It is read once per request and travels inside the log entry; replay never reads it.
#pragma once

#include <chrono>
#include <cstdint>

#include <karma/types.h>

namespace karma {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since 1970-01-01 UTC; may step backwards.
  virtual std::int64_t unix_seconds() const = 0;
  // For durations and deadlines; never steps.
  virtual std::chrono::steady_clock::time_point steady() const = 0;
};

// The bucket of a moment, in UTC.
Bucket bucket_at(std::int64_t unix_seconds);

Clock& system_clock();

}  // namespace karma
