// A page of counters: an open-addressing table with linear probing, part of a series' directory.
//
// Thread safety: none. A page that is referenced once may be changed; one that several directories share may only be
// read, and whoever wants to change it clones it first, days included.
//
// Invariants: slots() is a power of two; at most kMaxLoad of them are taken; between the slot a key's hash selects and
// the slot it is in (upwards, around the end) no slot is empty.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "core/ref.h"
#include "store/counter.h"

namespace karma::store {

class Page : public RefCounted {
 public:
  static constexpr std::uint32_t kFirstSlots = 8;
  static constexpr std::uint32_t kUsualSlots = 128;  // a page that needs more is split, if it can be

  static Ref<Page> create(std::uint32_t slots);
  // A copy with `slots` slots, which must be enough. Leaves `page` without counters if `take`, so that its memory
  // moves.
  static Ref<Page> copy(Page& page, std::uint64_t seed, std::uint32_t slots, bool take);
  ~Page();
  static void operator delete(Page* page, std::destroying_delete_t);

  std::uint32_t slots() const { return slots_; }
  std::uint32_t count() const { return count_; }
  static std::uint32_t capacity(std::uint32_t slots) { return slots - slots / 4; }
  bool full() const { return count_ >= capacity(slots_); }

  Counter* find(Key key, std::uint64_t hash) {
    for (std::uint32_t at = home(hash);; at = next(at)) {
      Counter& counter = counters()[at];
      if (counter.empty()) return nullptr;
      if (counter.key == key.value) return &counter;
    }
  }
  const Counter* find(Key key, std::uint64_t hash) const { return const_cast<Page*>(this)->find(key, hash); }
  // The same with a look at the slot where the key was before, whatever has changed since.
  Counter* find(Key key, std::uint64_t hash, std::uint32_t slot) {
    if (slot < slots_ && counters()[slot].key == key.value && !counters()[slot].empty()) return &counters()[slot];
    return find(key, hash);
  }
  std::uint32_t slot_of(const Counter& counter) const { return static_cast<std::uint32_t>(&counter - begin()); }

  // The empty slot for a key that is not there; the caller fills it and then reports it. Precondition: not full.
  Counter& empty_slot(std::uint64_t hash);
  void slot_filled() { ++count_; }
  // Closes the gap that an emptied counter leaves; counters after it may move one or more slots down.
  void slot_emptied(Counter& counter, std::uint64_t seed);

  Counter* begin() { return counters(); }
  Counter* end() { return counters() + slots_; }
  const Counter* begin() const { return const_cast<Page*>(this)->begin(); }
  const Counter* end() const { return const_cast<Page*>(this)->end(); }
  void prefetch_days() const;
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(begin() + home(hash)); }

  // Which hashes belong here: those whose `depth` highest bits are `prefix`.
  std::uint32_t depth = 0;
  std::uint64_t prefix = 0;
  std::uint64_t first_hash() const { return depth == 0 ? 0 : prefix << (64 - depth); }
  // The first hash after those; 0 if there is none.
  std::uint64_t end_hash() const { return depth == 0 ? 0 : (prefix + 1) << (64 - depth); }

  // Of the newest of the series' removals (removals.h) that this page has seen. One that found nothing here may be
  // noted in a page that views have, too: they do not mind.
  std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
  void set_generation(std::uint64_t generation) { generation_.store(generation, std::memory_order_relaxed); }

 private:
  explicit Page(std::uint32_t slots) : slots_(slots) {}
  std::uint32_t home(std::uint64_t hash) const { return static_cast<std::uint32_t>(hash) & (slots_ - 1); }
  std::uint32_t next(std::uint32_t at) const { return (at + 1) & (slots_ - 1); }
  // The counters follow the page in the same allocation.
  static constexpr std::size_t header_size() {
    return (sizeof(Page) + sizeof(Counter) - 1) / sizeof(Counter) * sizeof(Counter);
  }
  Counter* counters() { return reinterpret_cast<Counter*>(reinterpret_cast<std::byte*>(this) + header_size()); }

  std::uint32_t slots_;
  std::uint32_t count_ = 0;
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace karma::store
