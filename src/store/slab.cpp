#include "store/slab.h"

#include <sys/mman.h>

#include <new>
#include <utility>

#include "core/check.h"

namespace karma::store {

// Stands at the beginning of its own memory.
struct Slab {
  struct Free {
    Free* next;
  };
  Slab* next = nullptr;  // in a list of its pool, or of the empty ones
  Slab* previous = nullptr;
  Free* free = nullptr;        // pieces that were given back
  std::uint32_t piece = 0;     // bytes
  std::uint32_t capacity = 0;  // in pieces
  std::uint32_t cut = 0;       // pieces that have been used; those after them are untouched
  std::uint32_t in_use = 0;
};

namespace {

static_assert(sizeof(Slab) <= SlabPool::kHeaderBytes);

constexpr std::size_t kSlabBytes = SlabPool::kSlabBytes;
constexpr std::size_t kSlabsPerRegion = 128;
constexpr std::size_t kPageBytes = 4096;

// Empty slabs, for all pools. Some keep their memory, as what has just become empty is often wanted again.
class EmptySlabs {
 public:
  Slab* take() {
    const MutexLock lock(mutex_);
    if (Slab* slab = pop(warm_)) {
      --warm_count_;
      return slab;
    }
    if (Slab* slab = pop(cold_)) return slab;
    if (region_ == region_end_) map_region();
    Slab* const slab = reinterpret_cast<Slab*>(region_);
    region_ += kSlabBytes;
    return slab;
  }

  void give_back(Slab* slab) noexcept {
    {
      const MutexLock lock(mutex_);
      if (warm_count_ < kMostWarm) {
        ++warm_count_;
        return push(warm_, slab);
      }
    }
    // The address stays ours: unmapping pieces would leave more mappings than the kernel allows.
    (void)::madvise(reinterpret_cast<std::byte*>(slab) + kPageBytes, kSlabBytes - kPageBytes, MADV_DONTNEED);
    const MutexLock lock(mutex_);
    push(cold_, slab);
  }

 private:
  static constexpr std::size_t kMostWarm = 64;

  static void push(Slab*& list, Slab* slab) noexcept { slab->next = std::exchange(list, slab); }
  static Slab* pop(Slab*& list) noexcept { return list == nullptr ? nullptr : std::exchange(list, list->next); }

  void map_region() KARMA_REQUIRES(mutex_) {
    constexpr std::size_t kBytes = kSlabsPerRegion * kSlabBytes;
    void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::size_t before = (kSlabBytes - address % kSlabBytes) % kSlabBytes;
    region_ = static_cast<std::byte*>(memory) + before;
    region_end_ = region_ + (kSlabsPerRegion - (before == 0 ? 0 : 1)) * kSlabBytes;
  }

  Mutex mutex_;
  Slab* warm_ KARMA_GUARDED_BY(mutex_) = nullptr;
  Slab* cold_ KARMA_GUARDED_BY(mutex_) = nullptr;  // only the first memory page of these is there
  std::size_t warm_count_ KARMA_GUARDED_BY(mutex_) = 0;
  std::byte* region_ KARMA_GUARDED_BY(mutex_) = nullptr;
  std::byte* region_end_ KARMA_GUARDED_BY(mutex_) = nullptr;
};

constinit EmptySlabs empty_slabs;

Slab* slab_of(void* piece) {
  return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(piece) & ~std::uintptr_t{kSlabBytes - 1});
}

std::byte* piece_at(Slab* slab, std::size_t index) {
  return reinterpret_cast<std::byte*>(slab) + SlabPool::kHeaderBytes + index * slab->piece;
}

}  // namespace

void SlabPool::open(Slab* slab) noexcept {
  slab->previous = nullptr;
  slab->next = open_;
  if (open_ != nullptr) open_->previous = slab;
  open_ = slab;
}

void SlabPool::close(Slab* slab) noexcept {
  (slab->previous == nullptr ? open_ : slab->previous->next) = slab->next;
  if (slab->next != nullptr) slab->next->previous = slab->previous;
}

void* SlabPool::take(std::size_t bytes) {
  const MutexLock lock(mutex_);
  if (open_ == nullptr) {
    Slab* const fresh = new (empty_slabs.take()) Slab;
    fresh->piece = static_cast<std::uint32_t>(bytes);
    fresh->capacity = static_cast<std::uint32_t>((kSlabBytes - kHeaderBytes) / bytes);
    open(fresh);
    ++slabs_;
  }
  Slab* const slab = open_;
  void* piece;
  if (slab->free != nullptr) {
    piece = std::exchange(slab->free, slab->free->next);
  } else {
    piece = piece_at(slab, slab->cut++);
  }
  if (++slab->in_use == slab->capacity) close(slab);
  return piece;
}

void SlabPool::give_back(void* piece) noexcept {
  Slab* const slab = slab_of(piece);
  {
    const MutexLock lock(mutex_);
    slab->free = new (piece) Slab::Free{slab->free};
    if (slab->in_use-- == slab->capacity) open(slab);
    // The last one with room stays.
    if (slab->in_use != 0 || (slab->next == nullptr && slab->previous == nullptr)) return;
    close(slab);
    --slabs_;
  }
  empty_slabs.give_back(slab);
}

std::size_t SlabPool::slab_count() const {
  const MutexLock lock(mutex_);
  return slabs_;
}

}  // namespace karma::store
