// Looking for work a moment longer, before a thread sleeps. A wake-up takes 30 to 60 µs on a virtual machine, on the
// side of whoever sends the work and on that of whoever gets it; a thread whose work comes sooner than that does better
// to look on. Whether it does, each thread learns from the gaps between its pieces of work:
//
//   it spins while that pays -> gives up after a few spins in vain -> watches gaps until many were short -> tries again
//
// Each try that fails makes the next watch longer, so that a thread for which spinning is wrong all but stops.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace karma {

// The decision, from gaps alone. Not thread-safe.
class SpinBudget {
 public:
  using Duration = std::chrono::nanoseconds;

  // Spins in vain, less those that paid, until the thread gives up.
  static constexpr int kMisses = 3;
  // Short gaps to be seen before it tries, at the beginning and at most.
  static constexpr int kShortestWatch = 16;
  static constexpr int kLongestWatch = 4096;
  // A gap with a sleep in it lasts longer by two wake-ups: so many times the longest spin may still be short.
  static constexpr int kSleptFactor = 2;

  explicit SpinBudget(Duration longest) : longest_(longest) {}

  // How long to look on, now that there is nothing to do. 0: sleep at once.
  Duration next() const { return to_watch_ > 0 ? Duration(0) : longest_; }
  // Work came during a spin.
  void paid();
  // No work came during a spin.
  void in_vain();
  // Work came after a sleep, and there had been no spin.
  void slept(Duration gap);
  // Somebody else wants the core: what the spins brought does not count.
  void give_way();

 private:
  void watch();

  const Duration longest_;
  int misses_ = 0;
  int watch_ = kShortestWatch;     // the length of the next one
  int to_watch_ = kShortestWatch;  // what is left of the current one; 0: it spins
};

// What the threads of a node share: how long they may spin, how many at a time, and what came of it. Thread-safe.
class SpinPlaces {
 public:
  enum class Thread { io, writer };
  static constexpr int kThreads = 2;
  struct Counts {
    std::uint64_t paid = 0;
    std::uint64_t in_vain = 0;
  };

  // Of more cores than one, one is left to others: clients and the writer may be here as well.
  SpinPlaces(std::chrono::microseconds longest, int cores);

  std::chrono::microseconds longest() const { return longest_; }  // 0: nobody spins
  bool take();
  void leave() { free_.fetch_add(1, std::memory_order_relaxed); }
  void count(Thread thread, bool paid) {
    (paid ? tally(thread).paid : tally(thread).in_vain).fetch_add(1, std::memory_order_relaxed);
  }
  Counts counts(Thread thread) const;

 private:
  struct Tally {
    std::atomic<std::uint64_t> paid{0};
    std::atomic<std::uint64_t> in_vain{0};
  };

  Tally& tally(Thread thread) { return tallies_[static_cast<int>(thread)]; }

  const std::chrono::microseconds longest_;
  std::atomic<int> free_;
  Tally tallies_[kThreads];
};

// Of one thread.
class Spinner {
 public:
  // `places`: nullptr for a thread that never spins. They must outlive the spinner.
  Spinner(SpinPlaces* places, SpinPlaces::Thread thread);

  bool spins() const { return places_ != nullptr; }

  // Calls `look` once at least, until it returns true or it is time to sleep. False: the thread sleeps now, and calls
  // woken() afterwards.
  template <class Look>
  bool finds(Look look) {
    if (look()) return true;
    if (places_ == nullptr) return false;
    idle_since_ = Clock::now();
    spun_ = budget_.next().count() > 0 && places_->take();
    return spun_ && spin(look);
  }

  void woken() {
    if (places_ != nullptr && !spun_) budget_.slept(Clock::now() - idle_since_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Place {
    SpinPlaces& places;
    ~Place() { places.leave(); }
  };

  template <class Look>
  bool spin(Look& look) {
    const Place place{*places_};
    const Clock::time_point end = idle_since_ + budget_.next();
    bool found = false;
    do {
      pause();
      found = look();
    } while (!found && Clock::now() < end);
    note(found);
    return found;
  }

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void note(bool paid);

  SpinPlaces* const places_;
  const SpinPlaces::Thread thread_;
  SpinBudget budget_;
  Clock::time_point idle_since_{};
  bool spun_ = false;
  int spins_ = 0;                    // since the thread looked how often it was preempted
  std::optional<long> preemptions_;  // until then
};

}  // namespace karma
