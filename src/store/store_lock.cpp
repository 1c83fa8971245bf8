#include "store/store_lock.h"

#include "core/check.h"

namespace karma::store {

StoreLock::StoreLock() : readers_(std::make_unique<Reader[]>(kMaxReaders)) {
  for (std::size_t i = 0; i < kMaxReaders; ++i) readers_[i].owner_ = this;
}

StoreLock::~StoreLock() = default;

StoreLock::Reader& StoreLock::add_reader() {
  // Under turn_, so that the number stands still while a writer is inside: it unlocks what it locked, and nobody it
  // does not know of can be reading.
  std::lock_guard turn(turn_);
  std::size_t count = reader_count_.load(std::memory_order_relaxed);
  KARMA_CHECK(count < kMaxReaders);
  reader_count_.store(count + 1, std::memory_order_relaxed);
  return readers_[count];
}

void StoreLock::Reader::lock() {
  // Only the writer can have this mutex. Not to wait for it here: held_up_ must tell the next writer first.
  if (!owner_->writer_wants_.load(std::memory_order_acquire) && mutex_.try_lock()) return;
  held_up_.store(true, std::memory_order_release);
  { std::lock_guard turn(owner_->turn_); }
  mutex_.lock();
  held_up_.store(false, std::memory_order_release);
  held_up_.notify_all();
}

void StoreLock::Reader::unlock() { mutex_.unlock(); }

// Nothing that these readers wait for is held here, so each of them gets in, and soon.
void StoreLock::let_held_up_readers_in() {
  std::size_t count = reader_count_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) readers_[i].held_up_.wait(true, std::memory_order_acquire);
}

void StoreLock::lock() {
  let_held_up_readers_in();
  turn_.lock();
  writer_wants_.store(true, std::memory_order_release);
  std::size_t count = reader_count_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) readers_[i].mutex_.lock();
}

void StoreLock::unlock() {
  std::size_t count = reader_count_.load(std::memory_order_relaxed);
  writer_wants_.store(false, std::memory_order_release);
  for (std::size_t i = 0; i < count; ++i) readers_[i].mutex_.unlock();
  turn_.unlock();
}

void StoreLock::let_readers_in() {
  if (!writer_wants_.load(std::memory_order_relaxed)) return;
  unlock();
  lock();
}

}  // namespace karma::store
