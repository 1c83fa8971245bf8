#include "store/store_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "store/series.h"

namespace karma::store {
namespace {

Bucket date(std::int32_t offset) { return Bucket::of_day(20000 + offset); }

TEST(StoreLock, ReadersSeeAllOfABatchOrNothing) {
  StoreLock store_lock;
  Series series(1);
  constexpr std::uint64_t kKeys = 200;
  constexpr int kBatches = 300;
  std::vector<Item> items;
  std::vector<Key> keys;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    items.push_back({{key}, date(0), 1});
    keys.push_back({key});
  }
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  auto read = [&] {
    StoreLock::Reader& side = store_lock.add_reader();
    std::vector<std::uint64_t> totals(kKeys);
    while (!done) {
      std::unique_lock lock(side);
      series.totals(keys, totals);
      SeriesView view = series.view();
      lock.unlock();
      for (std::uint64_t total : totals) torn += total != totals[0];
      RangeSummary summary;
      view.summary({date(0), date(9)}, summary, {});
      torn += summary.total != Total{totals[0]} * kKeys;
    }
  };
  std::thread first(read);
  std::thread second(read);
  for (int i = 0; i < kBatches; ++i) {
    for (Item& item : items) item.bucket = date(i % 10);
    std::lock_guard lock(store_lock);
    series.add(items);
  }
  done = true;
  first.join();
  second.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(series.total({7}), std::uint64_t{kBatches});
  series.check_invariants();
}

TEST(StoreLock, ReadersGetInInTheMiddleOfAChangeIfTheWriterLetsThem) {
  StoreLock store_lock;
  store_lock.let_readers_in();  // no writer is inside
  StoreLock::Reader& side = store_lock.add_reader();
  store_lock.lock();
  std::atomic<bool> read{false};
  std::thread reader([&] {
    const std::lock_guard lock(side);
    read = true;
  });
  while (!read) store_lock.let_readers_in();
  reader.join();
  store_lock.unlock();
}

TEST(StoreLock, TheWriterWaitsForAReaderThatIsInside) {
  StoreLock lock;
  StoreLock::Reader& side = lock.add_reader();
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> entered{false};
    side.lock();
    std::thread writer([&] {
      std::lock_guard guard(lock);
      entered = true;
    });
    for (int i = 0; i < 100; ++i) {
      std::this_thread::yield();
      EXPECT_FALSE(entered);
    }
    side.unlock();
    writer.join();
    EXPECT_TRUE(entered);
  }
}

TEST(StoreLock, ASaturatingReaderDoesNotKeepTheWriterOut) {
  StoreLock lock;
  StoreLock::Reader& side = lock.add_reader();
  std::atomic<bool> done{false};
  std::atomic<bool> reading{false};
  std::thread reader([&] {
    while (!done) {
      std::lock_guard guard(side);
      reading = true;
    }
  });
  while (!reading) std::this_thread::yield();
  for (int i = 0; i < 2000; ++i) std::lock_guard guard(lock);  // ends only if the writer gets in each time
  done = true;
  reader.join();
}

TEST(StoreLock, ASaturatingWriterDoesNotKeepReadersOut) {
  StoreLock lock;
  StoreLock::Reader& side = lock.add_reader();
  std::atomic<bool> done{false};
  std::atomic<bool> writing{false};
  std::thread writer([&] {
    while (!done) {
      std::lock_guard guard(lock);
      writing = true;
    }
  });
  while (!writing) std::this_thread::yield();
  for (int i = 0; i < 2000; ++i) std::lock_guard guard(side);
  done = true;
  writer.join();
}

TEST(StoreLock, AReaderThatIsAddedWhileTheWriterIsInsideStaysOut) {
  StoreLock lock;
  std::atomic<bool> inside{false};
  std::atomic<int> seen{0};
  std::vector<std::thread> threads;
  for (int round = 0; round < 50; ++round) {
    lock.lock();
    inside = true;
    threads.emplace_back([&] {
      StoreLock::Reader& side = lock.add_reader();
      std::lock_guard guard(side);
      seen += inside;
    });
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
    inside = false;
    lock.unlock();
  }
  for (std::thread& thread : threads) thread.join();
  std::lock_guard guard(lock);  // takes every side that was added
  EXPECT_EQ(seen, 0);
}

}  // namespace
}  // namespace karma::store
