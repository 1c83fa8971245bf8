// What is pending for one series says nothing about the others.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "commands/counter.h"
#include "commands/tree.h"

namespace karma::commands {
namespace {

class PendingTest : public testing::Test {
 protected:
  static constexpr int kOthers = 64;
  // Some share a place with the series that they are compared with.
  static constexpr int kAtLeast = kOthers - 16;

  void SetUp() override {
    outcome_.arena = &arena_;
    store_.find_or_create("s");
    for (int i = 0; i < kOthers; ++i) store_.find_or_create(other(i));
  }
  static std::string other(int i) { return "other-" + std::to_string(i); }

  Verdict add(const std::string& series, std::uint64_t value) {
    CounterIncrement increment;
    increment.series.text = series;
    increment.key = Key{1};
    increment.value = value;
    return increment.admit(store_, pending_, outcome_);
  }
  Verdict drop(const std::string& series) {
    TreeDrop drop;
    drop.series.text = series;
    return drop.admit(store_, pending_, outcome_);
  }
  int others_logged(const std::function<Verdict(const std::string&)>& write) {
    int logged = 0;
    for (int i = 0; i < kOthers; ++i) logged += write(other(i)) == Verdict::log;
    return logged;
  }

  Arena arena_;
  Outcome outcome_;
  store::Store store_{0};
  Pending pending_;
};

TEST_F(PendingTest, WhatIsAddedToASeriesHoldsUpNoOther) {
  pending_.any = true;
  EXPECT_EQ(add("s", UINT64_MAX), Verdict::log);
  EXPECT_EQ(add("s", 1), Verdict::flush_first);
  EXPECT_GE(others_logged([this](const std::string& series) { return add(series, 1); }), kAtLeast);
  pending_.reset();
  EXPECT_EQ(add("s", 1), Verdict::log);
}

TEST_F(PendingTest, ADropHoldsUpNoOtherSeries) {
  pending_.any = true;
  EXPECT_EQ(drop("s"), Verdict::log);
  EXPECT_EQ(add("s", 1), Verdict::flush_first);
  EXPECT_EQ(drop("s"), Verdict::flush_first);
  EXPECT_GE(others_logged([this](const std::string& series) { return add(series, 1); }), kAtLeast);
}

TEST_F(PendingTest, SeriesThatDoNotExistYetShareWhatIsPending) {
  pending_.any = true;
  EXPECT_EQ(drop("new"), Verdict::answered);
  EXPECT_EQ(add("new", UINT64_MAX), Verdict::log);
  EXPECT_EQ(add("new", 1), Verdict::flush_first);
  EXPECT_EQ(drop("new"), Verdict::flush_first) << "it will exist";
}

}  // namespace
}  // namespace karma::commands
