#include "engine/worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace karma::engine {
namespace {

TEST(Worker, ClosingAbandonsWhatHasNotBegunAndTakesNothingMore) {
  Worker worker;
  std::promise<void> begun;
  std::promise<void> go_on;
  std::vector<std::string> happened;
  ASSERT_TRUE(worker.submit(
      [&] {
        begun.set_value();
        go_on.get_future().wait();
        happened.push_back("the first ends");
      },
      [&] { happened.push_back("the first is abandoned"); }));
  begun.get_future().wait();
  ASSERT_TRUE(worker.submit([&] { happened.push_back("the second runs"); },
                            [&] { happened.push_back("the second is abandoned"); }));
  ASSERT_TRUE(worker.submit([&] { happened.push_back("the third cannot be abandoned"); }));
  worker.close();
  EXPECT_EQ(happened, std::vector<std::string>{"the second is abandoned"}) << "at once, whatever the worker is doing";
  EXPECT_FALSE(worker.submit([] {}, [] {}));
  go_on.set_value();
  worker.stop();
  EXPECT_EQ(happened,
            (std::vector<std::string>{"the second is abandoned", "the first ends", "the third cannot be abandoned"}));
}

TEST(Worker, ItsThreadLetsOthersGoFirst) {
  const int ours = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  Worker worker;
  int its = -1;
  ASSERT_TRUE(worker.submit([&] { its = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }));
  worker.stop();
  EXPECT_EQ(its, std::min(ours + Worker::kNice, 19));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())), ours);
}

TEST(Worker, ATaskThatThrowsEndsAlone) {
  Worker worker;
  std::promise<void> reached;
  ASSERT_TRUE(worker.submit([] { throw std::bad_alloc(); }));
  ASSERT_TRUE(worker.submit([&] { reached.set_value(); }));
  reached.get_future().wait();
}

}  // namespace
}  // namespace karma::engine
