#include <karma/clock.h>

#include <ctime>

namespace karma {
namespace {

class SystemClock final : public Clock {
 public:
  // time() reads the time that the kernel noted at its last tick: at most a few milliseconds late, and several times
  // cheaper than asking the hardware.
  std::int64_t unix_seconds() const override { return std::time(nullptr); }
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

Bucket bucket_at(std::int64_t unix_seconds) {
  auto day = std::chrono::floor<std::chrono::days>(std::chrono::seconds(unix_seconds));
  return Bucket::of_day(static_cast<std::int32_t>(day.count()));
}

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace karma
