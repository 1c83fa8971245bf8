// What a service manager hears of loops that turn, and of one that does not.
#include "server/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

#include "support/manual_clock.h"
#include "support/notify_listener.h"

namespace karma::server {
namespace {

using namespace std::chrono_literals;

class WatchdogTest : public ::testing::Test {
 protected:
  const test::NotifyListener listener_;
  test::ManualClock clock_{0};
  EventLog log_{clock_, false};
  const ServiceManager manager_{[this](const char* name) -> const char* {
    if (std::string(name) == "NOTIFY_SOCKET") return listener_.name().c_str();
    return std::string(name) == "WATCHDOG_USEC" ? "20000" : nullptr;
  }};
};

TEST_F(WatchdogTest, IsSilentWhileALoopStandsStill) {
  std::atomic<bool> turns = true;
  std::atomic<int> looks = 0;
  const Loop loop{"a", [&] {
                    return [&] {
                      ++looks;
                      return turns.load();
                    };
                  }};
  const Watchdog watchdog(manager_, {loop}, log_);
  EXPECT_EQ(listener_.await(), "WATCHDOG=1");
  EXPECT_EQ(listener_.await(), "WATCHDOG=1");
  turns = false;
  // What was found before that may be told still.
  for (const int begun = looks; looks < begun + 3;) std::this_thread::yield();
  while (!listener_.next().empty()) {
  }
  for (const int begun = looks; looks < begun + 20;) std::this_thread::yield();
  EXPECT_EQ(listener_.next(), "");
  turns = true;
  EXPECT_EQ(listener_.await(), "WATCHDOG=1");
}

}  // namespace
}  // namespace karma::server
