#include "server/watchdog.h"

#include <algorithm>
#include <utility>

namespace karma::server {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPatience = 2s;

}  // namespace

Watchdog::Watchdog(const ServiceManager& manager, std::vector<Loop> loops, EventLog& log)
    : manager_(manager),
      interval_(std::max(std::chrono::duration_cast<std::chrono::milliseconds>(manager.watchdog() / 10), 1ms)),
      thread_("karma-watchdog", log),
      timer_(thread_.context()),
      liveness_(thread_.context(), std::min(interval_, kPatience)) {
  thread_.call([&] {
    liveness_.watch(std::move(loops));
    look();
  });
}

Watchdog::~Watchdog() {
  thread_.call([this] {
    stopping_ = true;
    timer_.cancel();
  });
  thread_.finish();
}

void Watchdog::look() {
  timer_.expires_after(interval_);
  timer_.async_wait([this](const error_code& failure) {
    if (!failure && !stopping_) look();
  });
  // Last, since it may fail for want of memory.
  liveness_.ask([this](const std::vector<std::string>& stuck) {
    if (stuck.empty()) manager_.tell("WATCHDOG=1");
  });
}

}  // namespace karma::server
