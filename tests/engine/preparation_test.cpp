// Large writes are prepared before their turn: what comes of it when views undo that again and again.
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <string>

#include "core/log.h"
#include "engine/dispatcher.h"
#include "engine/engine.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr int kKeys = 20000;  // in some hundred pages
constexpr int kStep = 10;     // from one changed key to the next: more pages than are cloned with the lock held
constexpr int kBatch = 10000;
constexpr int kMostCycles = 1000;

class Preparation : public testing::Test {
 protected:
  void SetUp() override {
    config_.wal_fsync = true;
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files_, clock_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(*opened);
    dispatcher_ = std::make_unique<engine::Dispatcher>(*engine_, config_, [this] { answers_.release(); });
    files_.before_sync([this] {
      if (!armed_) return;
      view_ = engine_->store().find("big")->view();
      synced_.release();
      submitted_.acquire();
    });
  }
  void TearDown() override {
    files_.before_sync({});
    (void)engine_->shutdown(false);
    dispatcher_.reset();
  }

  static std::string batch(int from, int to, int step) {
    std::string items;
    for (int key = from; key < to; key += step)
      items += (items.empty() ? "[" : ",[") + std::to_string(key) + ",20260101,1]";
    return R"({"v":2,"op":"series.batch_add","series":"big","items":[)" + items + "]}";
  }
  void submit(const std::string& request, int& connection) {
    ASSERT_EQ(dispatcher_->handle(request, &connection, 0, out_), engine::Handled::pending);
    dispatcher_->flush();
  }
  bool collected(const int& connection) {
    bool found = false;
    dispatcher_->collect(
        [&](void* answered, std::size_t) -> Buffer& {
          found |= answered == &connection;
          out_.clear();
          return out_;
        },
        [](void*) { ADD_FAILURE() << "a reply is lost"; });
    return found;
  }
  void expect_done(const std::string& request) {
    int connection = 0;
    ASSERT_NO_FATAL_FAILURE(submit(request, connection));
    while (!collected(connection)) answers_.acquire();
    EXPECT_NE(out_.view().find(R"("success":true)"), std::string_view::npos) << out_.view();
  }

  CrashableFileSystem files_;
  ManualClock clock_;
  Config config_ = test_config();
  EventLog log_{clock_, false};
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Dispatcher> dispatcher_;
  Buffer out_;
  std::counting_semaphore<> answers_{0};
  std::binary_semaphore synced_{0};
  std::binary_semaphore submitted_{0};
  std::atomic<bool> armed_{false};
  std::optional<store::SeriesView> view_;  // of the writer's thread
};

// Each cycle has a small write, and before it is synced somebody takes a view of all that was prepared. Admission sends
// the large write back when a small one stands before it in the batch, since a counter near 2^64 might overflow; which
// of the two is first changes from cycle to cycle, and so it is tried with both.
TEST_F(Preparation, ALargeWriteIsAdmittedHoweverOftenViewsUndoIt) {
  const std::string small = R"({"v":2,"op":"counter.increment","series":"small","key":1,"bucket":20260101})";
  for (int key = 0; key < kKeys; key += kBatch) expect_done(batch(key, key + kBatch, 1));
  expect_done(
      R"({"v":2,"op":"counter.increment","series":"big","key":0,"bucket":20260102,"value":18446744073709551000})");
  for (int before = 0; before < 2; ++before) {
    ASSERT_NO_FATAL_FAILURE(expect_done(small));
    armed_ = true;
    int large_connection = 0;
    int small_connection = 0;
    submit(small, small_connection);
    synced_.acquire();
    submit(batch(0, kKeys, kStep), large_connection);
    bool answered = false;
    int cycles = 0;
    for (; !answered && cycles < kMostCycles; ++cycles) {
      submit(small, small_connection);
      submitted_.release();
      synced_.acquire();
      answered = collected(large_connection);
    }
    EXPECT_TRUE(answered) << "not in " << cycles << " cycles, try " << before;
    EXPECT_GT(cycles, 10) << "it was not prepared in vain";
    armed_ = false;
    submitted_.release();
    view_.reset();
  }
}

}  // namespace
}  // namespace karma::test
