// Many small files synced at a time: each waits for the disk by itself, and a disk takes many syncs as one.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <thread>
#include <vector>

#include <karma/error.h>

#include "core/mutex.h"

namespace karma::snapshot {

// Threads that sync files at a time, each one file: together they stay within kFileDescriptorReserve.
inline constexpr std::size_t kFilesAtATime = 16;

// Runs job(0) to job(count - 1), several at a time, on the calling thread too. After an Error, which is returned, no
// more are begun; all that were have ended. Fewer than kFilesAtATime run one after the other.
inline Status run_side_by_side(std::size_t count, const std::function<Status(std::size_t)>& job) {
  std::atomic<std::size_t> next{0};
  struct {
    Mutex mutex;
    Status status KARMA_GUARDED_BY(mutex);
  } first;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      Status status;
      try {
        status = job(i);
      } catch (const std::bad_alloc&) {
        status = internal_error("Out of memory");
      }
      if (status) continue;
      next = count;
      const MutexLock lock(first.mutex);
      if (first.status) first.status = status;
    }
  };
  std::vector<std::thread> threads;
  try {
    const std::size_t wanted = count < kFilesAtATime ? 0 : kFilesAtATime - 1;
    threads.reserve(wanted);
    while (threads.size() < wanted) threads.emplace_back(work);
  } catch (const std::exception&) {
    // No more threads to be had, or no memory for them: those that are there do it.
  }
  work();
  for (std::thread& thread : threads) thread.join();
  const MutexLock lock(first.mutex);
  return first.status;
}

}  // namespace karma::snapshot
