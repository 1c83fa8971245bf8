// Many readers, one writer, cheap for the readers.
//
// Each reader thread has a mutex of its own, so that a read costs one uncontended lock and readers never share a cache
// line. The writer takes all of them. Mutexes are not fair, so fairness is ours to give: a reader that comes while the
// writer waits or is inside lets it go first, and the writer enters again only when the readers that it held up have
// had their turn. So neither can starve the other.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

namespace karma::store {

class StoreLock {
 public:
  static constexpr std::size_t kMaxReaders = 256;

  // One reader thread's side. Not to be shared by threads at the same time, never nested.
  class alignas(64) Reader {
   public:
    void lock();
    void unlock();

   private:
    friend class StoreLock;
    StoreLock* owner_ = nullptr;
    std::mutex mutex_;
    std::atomic<bool> held_up_{false};  // waits for a writer to leave; the next writer lets it go first
  };

  StoreLock();
  ~StoreLock();

  // A side for a new reader thread; lives as long as the StoreLock. Thread-safe, waits while a writer is inside. At
  // most kMaxReaders (asserted).
  Reader& add_reader();

  // The writer's side: waits for all readers that are inside, keeps new ones out. Satisfies BasicLockable. One writer
  // at a time, whichever thread it is.
  void lock();
  void unlock();
  // In the middle of a change that no reader can see: those that wait have their turn. Nothing if no writer is inside,
  // as at the start.
  void let_readers_in();

 private:
  void let_held_up_readers_in();

  std::mutex turn_;  // held by the writer; readers queue here while it is inside or waiting
  std::atomic<bool> writer_wants_{false};
  std::atomic<std::size_t> reader_count_{0};  // changes under turn_ only
  std::unique_ptr<Reader[]> readers_;
};

}  // namespace karma::store
