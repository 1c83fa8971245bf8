// What health says of the disk and of memory.
#include "engine/resources.h"

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

using test::CrashableFileSystem;

constexpr std::uint64_t kMiB = 1 << 20;

std::vector<std::string> warnings(CrashableFileSystem& files, std::uint64_t resident = 0) {
  return resource_warnings(files, "data", resident);
}

TEST(Resources, WhatIsNotKnownIsNoReasonToWarn) {
  CrashableFileSystem files;
  EXPECT_TRUE(warnings(files, UINT64_MAX).empty());
  EXPECT_EQ(memory_limit(files), std::nullopt);
}

TEST(Resources, ADiskWithLittleRoomIsToldOf) {
  CrashableFileSystem files;
  files.set_space({.free = 1024 * kMiB, .size = 100 * 1024 * kMiB});
  EXPECT_TRUE(warnings(files).empty());
  files.set_space({.free = 1024 * kMiB - 1, .size = 100 * 1024 * kMiB});
  ASSERT_EQ(warnings(files).size(), 1u);
  EXPECT_EQ(warnings(files).front(),
            "the disk has only 1023 MiB of 102400 MiB left: the next snapshot may fail, and "
            "then writes are refused");
  files.set_space({.free = 50 * kMiB, .size = 1000 * kMiB});
  EXPECT_TRUE(warnings(files).empty()) << "of a small disk a twentieth is enough";
  files.set_space({.free = 49 * kMiB, .size = 1000 * kMiB});
  EXPECT_EQ(warnings(files).size(), 1u);
}

TEST(Resources, TheLeastLimitOfTheCgroupsCounts) {
  CrashableFileSystem files;
  files.edit("/proc/self/cgroup", "12:memory:/old\n0::/system.slice/karma.service\n");
  EXPECT_EQ(memory_limit(files), std::nullopt);
  files.edit("/sys/fs/cgroup/system.slice/karma.service/memory.max", "max\n");
  EXPECT_EQ(memory_limit(files), std::nullopt);
  files.edit("/sys/fs/cgroup/system.slice/memory.max", "2147483648\n");
  EXPECT_EQ(memory_limit(files), 2048 * kMiB);
  files.edit("/sys/fs/cgroup/system.slice/karma.service/memory.max", "1073741824\n");
  EXPECT_EQ(memory_limit(files), 1024 * kMiB);
  files.edit("/sys/fs/cgroup/old/memory.max", "1\n");
  EXPECT_EQ(memory_limit(files), 1024 * kMiB) << "of version 1";
}

TEST(Resources, OfCoresThereAreAsManyAsTheCgroupsGrant) {
  CrashableFileSystem files;
  EXPECT_GE(allowed_cores(), 1);
  EXPECT_EQ(usable_cores(files), allowed_cores());
  files.edit("/proc/self/cgroup", "0::/system.slice/karma.service\n");
  files.edit("/sys/fs/cgroup/system.slice/karma.service/cpu.max", "max 100000\n");
  EXPECT_EQ(usable_cores(files), allowed_cores());
  files.edit("/sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n");
  EXPECT_EQ(usable_cores(files), 1) << "and a half";
  files.edit("/sys/fs/cgroup/system.slice/karma.service/cpu.max", "50000 100000\n");
  EXPECT_EQ(usable_cores(files), 0);
  files.edit("/sys/fs/cgroup/system.slice/karma.service/cpu.max", "50000 0\n");
  EXPECT_EQ(usable_cores(files), 1) << "nonsense is no limit";
}

TEST(Resources, InAContainerTheRootIsItsOwnCgroup) {
  CrashableFileSystem files;
  files.edit("/proc/self/cgroup", "0::/\n");
  files.edit("/sys/fs/cgroup/memory.max", "104857600\n");
  EXPECT_EQ(memory_limit(files), 100 * kMiB);
  EXPECT_TRUE(warnings(files, 89 * kMiB).empty());
  ASSERT_EQ(warnings(files, 90 * kMiB).size(), 1u);
  EXPECT_EQ(warnings(files, 90 * kMiB).front(),
            "the process takes 90 MiB of the 100 MiB of memory that its cgroup may "
            "have: beyond that the kernel kills it");
}

TEST(Resources, HealthTellsOfThem) {
  test::Node node;
  node.open();
  EXPECT_EQ(node.expect("system.health").find("warnings"), std::string::npos);
  node.close();
  node.files->set_space({.free = 5 * kMiB, .size = 100 * 1024 * kMiB});
  node.files->edit("/proc/self/cgroup", "0::/\n");
  node.files->edit("/sys/fs/cgroup/memory.max", "4096\n");
  node.open();  // which looks at once, and then every second
  const std::string health = node.expect("system.health");
  EXPECT_NE(health.find(R"("status":"ok")"), std::string::npos) << health;
  EXPECT_NE(health.find("the disk has only 5 MiB of"), std::string::npos) << health;
  EXPECT_NE(health.find("of memory that its cgroup may have"), std::string::npos) << health;
}

TEST(Resources, HealthTellsWhatWasFoundAndDoesNotAskTheDisk) {
  CrashableFileSystem files;
  ResourceWatch watch;
  EXPECT_TRUE(watch.warnings().empty());
  files.set_space({.free = 49 * kMiB, .size = 1000 * kMiB});
  watch.look(files, "data", 0);
  files.set_space({.free = 500 * kMiB, .size = 1000 * kMiB});
  EXPECT_EQ(watch.warnings().size(), 1u);
  watch.look(files, "data", 0);
  EXPECT_TRUE(watch.warnings().empty());
}

}  // namespace
}  // namespace karma::engine
