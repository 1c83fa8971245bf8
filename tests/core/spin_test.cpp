#include "core/spin.h"

#include <gtest/gtest.h>

#include <new>

namespace karma {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::microseconds kLongest = 50us;

// A thread with gaps between its pieces of work, and how it spends them.
struct Life {
  SpinBudget budget{kLongest};
  int paid = 0;
  int in_vain = 0;

  // `wake_up`: by how much a sleep makes the gap longer.
  void gaps(int count, std::chrono::microseconds gap, std::chrono::microseconds wake_up = 0us) {
    for (int i = 0; i < count; ++i) {
      const auto spin = budget.next();
      if (spin == 0us) {
        budget.slept(gap + wake_up);
      } else if (gap < spin) {
        ++paid;
        budget.paid();
      } else {
        ++in_vain;
        budget.in_vain();
      }
    }
  }
};

TEST(SpinBudget, BeginsWhenManyGapsWereShort) {
  Life life;
  life.gaps(SpinBudget::kShortestWatch - 1, 20us, 60us);
  EXPECT_EQ(life.budget.next(), 0us);
  life.gaps(1, 20us, 60us);
  EXPECT_EQ(life.budget.next(), kLongest);
  life.gaps(1000, 20us, 60us);
  EXPECT_EQ(life.paid, 1000);
}

TEST(SpinBudget, LongGapsNeverBeginASpin) {
  Life life;
  life.gaps(100'000, 10ms);
  life.gaps(100'000, 101us);
  EXPECT_EQ(life.paid + life.in_vain, 0);
}

TEST(SpinBudget, ShortGapsThatAreRarerThanLongOnesDoNotBeginASpin) {
  Life life;
  for (int i = 0; i < 10'000; ++i) {
    life.gaps(2, 10ms);
    life.gaps(1, 20us);
  }
  EXPECT_EQ(life.paid + life.in_vain, 0);
}

TEST(SpinBudget, GivesUpAfterAFewSpinsInVain) {
  Life life;
  life.gaps(1000, 20us);
  life.gaps(1000, 10ms);
  EXPECT_EQ(life.in_vain, SpinBudget::kMisses);
}

TEST(SpinBudget, GoesOnWhileMoreSpinsPayThanNot) {
  Life life;
  life.gaps(SpinBudget::kShortestWatch, 20us);
  for (int i = 0; i < 1000; ++i) {
    life.gaps(2, 20us);
    life.gaps(1, 10ms);
  }
  EXPECT_EQ(life.paid, 2000);
  EXPECT_EQ(life.in_vain, 1000);
}

// Who sends the work needs the core for it: it comes soon after each sleep, and never during a spin.
TEST(SpinBudget, WhereSpinningKeepsTheWorkAwayItAllButStops) {
  SpinBudget budget(kLongest);
  int in_vain = 0;
  constexpr int kGaps = 1'000'000;
  for (int i = 0; i < kGaps; ++i) {
    if (budget.next() == 0us) {
      budget.slept(10us);
    } else {
      ++in_vain;
      budget.in_vain();
    }
  }
  EXPECT_GT(in_vain, kGaps / SpinBudget::kLongestWatch / 2) << "it finds out when that has changed";
  EXPECT_LT(in_vain, kGaps / SpinBudget::kLongestWatch + 20);
}

TEST(SpinBudget, LearnsAnewWhatHasBecomeWorthwhile) {
  Life life;
  life.gaps(100'000, 60us);  // short enough for a try, too long for a spin
  const int tries = life.in_vain;
  EXPECT_LT(tries, 50);
  life.gaps(2 * SpinBudget::kLongestWatch, 20us);
  EXPECT_GT(life.paid, SpinBudget::kLongestWatch / 2);
  // What paid makes it bold again.
  life.gaps(SpinBudget::kMisses, 60us);
  const int before = life.paid;
  life.gaps(10 * SpinBudget::kShortestWatch, 20us);
  EXPECT_GT(life.paid, before);
}

TEST(SpinBudget, GivesWayToWhoWantsTheCoreHoweverMuchPays) {
  Life life;
  life.gaps(1000, 20us);
  life.budget.give_way();
  const int before = life.paid;
  life.gaps(SpinBudget::kLongestWatch, 20us);
  EXPECT_EQ(life.paid, before);
  life.gaps(1, 20us);
  EXPECT_EQ(life.paid, before + 1);
}

TEST(SpinPlaces, OneCoreIsLeftToOthers) {
  SpinPlaces places(kLongest, 3);
  EXPECT_TRUE(places.take());
  EXPECT_TRUE(places.take());
  EXPECT_FALSE(places.take());
  EXPECT_FALSE(places.take());
  places.leave();
  EXPECT_TRUE(places.take());
  EXPECT_FALSE(places.take());
}

TEST(SpinPlaces, OfASingleCoreThereIsOneAndOfLessThanOneNone) {
  SpinPlaces one(kLongest, 1);
  EXPECT_TRUE(one.take());
  EXPECT_FALSE(one.take());
  SpinPlaces none(kLongest, 0);
  EXPECT_EQ(none.longest(), 0us);
  EXPECT_FALSE(Spinner(&none, SpinPlaces::Thread::io).spins());
}

TEST(Spinner, LooksOnceIfItMayNotSpin) {
  SpinPlaces off(0us, 4);
  for (SpinPlaces* places : {static_cast<SpinPlaces*>(nullptr), &off}) {
    Spinner spinner(places, SpinPlaces::Thread::io);
    EXPECT_FALSE(spinner.spins());
    int looks = 0;
    EXPECT_FALSE(spinner.finds([&] { return ++looks > 1; }));
    EXPECT_EQ(looks, 1);
    spinner.woken();
    EXPECT_TRUE(spinner.finds([] { return true; }));
  }
}

// A wait of an hour, so that the speed of the machine does not matter.
TEST(Spinner, LooksOnUntilItFindsAndCountsThat) {
  SpinPlaces places(std::chrono::hours(1), 2);
  Spinner spinner(&places, SpinPlaces::Thread::writer);
  for (int i = 0; i < SpinBudget::kShortestWatch; ++i) {
    EXPECT_FALSE(spinner.finds([] { return false; }));
    spinner.woken();
  }
  int looks = 0;
  EXPECT_TRUE(spinner.finds([&] { return ++looks > 100; }));
  EXPECT_EQ(looks, 101);
  EXPECT_EQ(places.counts(SpinPlaces::Thread::writer).paid, 1u);
  EXPECT_EQ(places.counts(SpinPlaces::Thread::writer).in_vain, 0u);
  EXPECT_EQ(places.counts(SpinPlaces::Thread::io).paid, 0u);
  EXPECT_THROW((void)spinner.finds([looks = 0]() mutable -> bool {
    if (++looks > 10) throw std::bad_alloc();
    return false;
  }),
               std::bad_alloc);
  EXPECT_TRUE(places.take()) << "its place is free again";
  EXPECT_FALSE(spinner.finds([] { return false; })) << "there is no place";
}

TEST(Spinner, SleepsWhenItHasSpunForSoLong) {
  SpinPlaces places(1us, 2);
  Spinner spinner(&places, SpinPlaces::Thread::io);
  const auto sleeps = [&] { return !spinner.finds([] { return false; }); };
  // Gaps as a slow machine sees them may be too long: then there is nothing in vain.
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(sleeps());
    spinner.woken();
  }
  EXPECT_EQ(places.counts(SpinPlaces::Thread::io).paid, 0u);
  EXPECT_TRUE(places.take());
}

}  // namespace
}  // namespace karma
