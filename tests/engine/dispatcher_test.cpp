#include "engine/dispatcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "core/log.h"
#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// A client that repeats a wrong write, for ever: what it was decoded into must not pile up.
TEST(Dispatcher, RefusedWritesLeaveNothingBehind) {
  CrashableFileSystem files;
  ManualClock clock;
  Config config = test_config();
  config.role = Role::slave;
  EventLog log(clock, false);
  Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config, files, clock, log);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  engine::Dispatcher dispatcher(**opened, config, [] {});

  std::string request = R"({"v":2,"op":"series.batch_add","series":"s","items":[[1,20260505,1])";
  for (int i = 1; i < 1000; ++i) request += ",[1,20260505,1]";
  request += "]}";
  Buffer out;
  const auto refuse = [&](int times) {
    for (; times != 0; --times) {
      out.clear();
      int connection = 0;
      ASSERT_EQ(dispatcher.handle(request, &connection, 0, out), engine::Handled::replied);
      ASSERT_NE(out.view().find("forbidden"), std::string_view::npos);
      dispatcher.flush();
    }
  };
  refuse(100);
  const std::size_t before = resident_bytes();
  refuse(4000);  // 24 KB of items each
  EXPECT_LT(resident_bytes(), before + (std::size_t{32} << 20));
}

}  // namespace
}  // namespace karma::test
