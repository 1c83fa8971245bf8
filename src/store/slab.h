// Memory for pages and days: pieces of one size each, cut from slabs.
//
// malloc keeps what was freed in one list, and sorts that list in the middle of a later allocation: after millions of
// counters had been freed, a write spent 80 ms there, with the store's lock held. Here taking a piece and giving it
// back cost the same, whatever happened before. A slab that becomes empty goes back to the system; the thread that
// gave back its last piece sees to that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/mutex.h"

namespace karma::store {

struct Slab;

// Pieces of one size. Thread-safe. Lives until the process ends: it owns no piece that is in use.
class SlabPool {
 public:
  static constexpr std::size_t kSlabBytes = std::size_t{128} << 10;
  static constexpr std::size_t kHeaderBytes = 64;  // pieces are aligned as their size is, up to this

  constexpr SlabPool() = default;
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  // `bytes`: a multiple of 8, at least 8, far less than a slab, and always the same. Throws std::bad_alloc.
  void* take(std::size_t bytes);
  void give_back(void* piece) noexcept;

  std::size_t slab_count() const;  // that have pieces of this pool; for tests

 private:
  void open(Slab* slab) noexcept KARMA_REQUIRES(mutex_);
  void close(Slab* slab) noexcept KARMA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Slab* open_ KARMA_GUARDED_BY(mutex_) = nullptr;  // slabs with room
  std::size_t slabs_ KARMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace karma::store
