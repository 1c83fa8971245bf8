// What a service manager hears, at a socket of the test's own.
#include "server/service_manager.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "support/notify_listener.h"

namespace karma::server {
namespace {

using Variables = std::map<std::string, std::string>;

ServiceManager with(const Variables& variables) {
  return ServiceManager([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ServiceManager, HearsWhatItIsTold) {
  const test::NotifyListener listener;
  const ServiceManager manager = with({{"NOTIFY_SOCKET", listener.name()}});
  EXPECT_TRUE(manager.present());
  manager.tell("READY=1\nSTATUS=it serves");
  manager.tell("STOPPING=1");
  EXPECT_EQ(listener.next(), "READY=1\nSTATUS=it serves");
  EXPECT_EQ(listener.next(), "STOPPING=1");
  EXPECT_EQ(listener.next(), "");
}

TEST(ServiceManager, NobodyIsToldWhereNobodyListens) {
  EXPECT_FALSE(with({}).present());
  with({}).tell("READY=1");
  for (const std::string& name : {std::string("relative"), std::string("/"), std::string("@"), std::string(300, '/')}) {
    EXPECT_FALSE(with({{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "5"}}).present()) << name;
  }
  const ServiceManager gone = with({{"NOTIFY_SOCKET", "/nonexistent/socket"}});
  EXPECT_TRUE(gone.present());
  gone.tell("READY=1");
}

TEST(ServiceManager, TheWatchdogIsForThisProcess) {
  const auto time = [](Variables variables) {
    variables.emplace("NOTIFY_SOCKET", "/run/notify");
    return with(variables).watchdog().count();
  };
  EXPECT_EQ(time({}), 0);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "30000000"}}), 30'000'000);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "3x"}}), 0);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", std::to_string(::getpid())}}), 5);
  EXPECT_EQ(time({{"WATCHDOG_USEC", "5"}, {"WATCHDOG_PID", "1"}}), 0);
}

}  // namespace
}  // namespace karma::server
