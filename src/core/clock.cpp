#include <karma/clock.h>

namespace karma {
namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t unix_seconds() const override {
    auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  }
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

Bucket Clock::today() const { return bucket_at(unix_seconds()); }

Bucket bucket_at(std::int64_t unix_seconds) {
  auto day = std::chrono::floor<std::chrono::days>(std::chrono::seconds(unix_seconds));
  return Bucket::of_day(static_cast<std::int32_t>(day.count()));
}

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace karma
