#include "store/page.h"

#include <array>
#include <cstdlib>

#include "core/check.h"
#include "core/prefetch.h"
#include "store/block.h"
#include "store/hash.h"

namespace karma::store {

namespace {

// Pages of 8, 16, … 512 slots; larger ones, which only keys that collide need, are malloc's.
constexpr std::size_t kPooledSizes = 7;
constinit std::array<SlabPool, kPooledSizes> pools;

SlabPool* pool_of(std::uint32_t slots) {
  const auto size = static_cast<std::size_t>(std::countr_zero(slots / Page::kFirstSlots));
  return kPooled && size < kPooledSizes ? &pools[size] : nullptr;
}

}  // namespace

Ref<Page> Page::create(std::uint32_t slots) {
  KARMA_CHECK(std::has_single_bit(slots) && slots >= kFirstSlots);
  // Pieces of a pool, too, are aligned so that no counter lies in two cache lines.
  const std::size_t bytes = header_size() + slots * sizeof(Counter);
  SlabPool* const pool = pool_of(slots);
  void* memory = pool != nullptr ? pool->take(bytes) : std::aligned_alloc(sizeof(Counter), bytes);
  if (!memory) throw std::bad_alloc();
  Page* page = new (memory) Page(slots);
  for (Counter* counter = page->begin(); counter != page->end(); ++counter) new (counter) Counter();
  return Ref<Page>(page);
}

Page::~Page() {
  prefetch_days();
  for (Counter& counter : *this) counter.release();
}

void Page::operator delete(Page* page, std::destroying_delete_t) {
  SlabPool* const pool = pool_of(page->slots_);
  page->~Page();
  pool != nullptr ? pool->give_back(page) : std::free(page);
}

Ref<Page> Page::copy(Page& page, std::uint64_t seed, std::uint32_t slots, bool take) {
  Ref<Page> copy = create(slots);
  copy->depth = page.depth;
  copy->prefix = page.prefix;
  copy->set_generation(page.generation());
  // Days lie anywhere: all are on their way while the first are copied.
  if (!take) page.prefetch_days();
  for (Counter& counter : page) {
    if (counter.empty()) continue;
    KARMA_CHECK(!copy->full());
    copy->empty_slot(hash_key({counter.key}, seed)) = take ? counter : counter.clone();
    copy->slot_filled();
    if (take) counter = Counter();
  }
  if (take) page.count_ = 0;
  return copy;
}

void Page::prefetch_days() const {
  fetches_ahead();
  for (const Counter& counter : *this) counter.prefetch();
}

Counter& Page::empty_slot(std::uint64_t hash) {
  std::uint32_t at = home(hash);
  while (!counters()[at].empty()) at = next(at);
  return counters()[at];
}

void Page::slot_emptied(Counter& counter, std::uint64_t seed) {
  --count_;
  auto gap = static_cast<std::uint32_t>(&counter - counters());
  for (std::uint32_t at = next(gap); !counters()[at].empty(); at = next(at)) {
    // A counter may move into the gap unless its home lies behind the gap: (gap, at] around the end.
    std::uint32_t from_home = (at - home(hash_key({counters()[at].key}, seed))) & (slots_ - 1);
    std::uint32_t from_gap = (at - gap) & (slots_ - 1);
    if (from_home < from_gap) continue;
    counters()[gap] = counters()[at];
    counters()[at] = Counter();
    gap = at;
  }
  counters()[gap] = Counter();
}

}  // namespace karma::store
