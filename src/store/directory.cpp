#include "store/directory.h"

#include <bit>
#include <utility>

#include "core/check.h"

namespace karma::store {

Directory::Directory(std::uint64_t seed) : seed_(seed), index_(1) { put(Page::create(Page::kFirstSlots)); }

// Puts the page in its place: instead of the one with its number, or at the end.
void Directory::put(Ref<Page> page) {
  std::size_t entries = std::size_t{1} << (depth() - page->depth);
  Page** first = index_.data() + page->prefix * entries;
  for (std::size_t i = 0; i < entries; ++i) first[i] = page.get();
  if (page->number == pages_.size()) {
    pages_.push_back(std::move(page));
  } else {
    Ref<Page>& place = pages_[page->number];  // before the move, which may otherwise come first
    place = std::move(page);
  }
}

Page& Directory::own(std::uint32_t number) {
  Ref<Page>& page = pages_[number];
  if (!page.unique()) put(Page::copy(*page, seed_, page->slots(), false));
  return *page;
}

bool Directory::may_split(const Page& page) const {
  if (page.slots() < Page::kUsualSlots) return false;
  if (page.depth < depth()) return true;
  return depth() < kMaxDepth && index_.size() * 2 <= kMaxEntriesPerPage * (pages_.size() + 4);
}

void Directory::split(Page& page) {
  if (page.depth == depth()) {
    std::vector<Page*> doubled(index_.size() * 2);
    for (std::size_t i = 0; i < doubled.size(); ++i) doubled[i] = index_[i / 2];
    index_.swap(doubled);
    --shift_;
  }
  Ref<Page> halves[2] = {Page::create(page.slots()), Page::create(page.slots())};
  for (std::uint32_t i = 0; i < 2; ++i) {
    halves[i]->number = i == 0 ? page.number : static_cast<std::uint32_t>(pages_.size());
    halves[i]->depth = page.depth + 1;
    halves[i]->prefix = page.prefix * 2 + i;
  }
  std::uint32_t bit = 63 - page.depth;
  for (Counter& counter : page) {
    if (counter.empty()) continue;
    std::uint64_t hash = this->hash({counter.key});
    Page& half = *halves[hash >> bit & 1];
    half.empty_slot(hash) = std::exchange(counter, Counter());
    half.slot_filled();
  }
  put(std::move(halves[1]));
  put(std::move(halves[0]));  // frees `page`
}

Page& Directory::own_page_with_room(std::uint64_t hash) {
  while (true) {
    Page& page = own_page(hash);
    if (!page.full()) return page;
    if (may_split(page)) {
      split(page);
    } else {
      put(Page::copy(page, seed_, page.slots() * 2, true));
    }
  }
}

void Directory::shrink(std::uint32_t number) {
  Page& page = *pages_[number];
  std::uint32_t slots = Page::kFirstSlots;
  while (page.count() * 2 > slots) slots *= 2;
  if (slots * 4 <= page.slots()) put(Page::copy(page, seed_, slots, true));
}

void Directory::check_invariants() const {
  KARMA_CHECK(index_.size() == std::size_t{1} << depth());
  std::size_t entries = 0;
  for (std::size_t number = 0; number < pages_.size(); ++number) {
    const Page& page = *pages_[number];
    KARMA_CHECK(page.number == number && page.depth <= depth());
    std::size_t spread = std::size_t{1} << (depth() - page.depth);
    for (std::size_t i = 0; i < spread; ++i) KARMA_CHECK(index_[page.prefix * spread + i] == &page);
    entries += spread;
    std::uint32_t count = 0;
    for (const Counter& counter : page) {
      counter.check_invariants();
      if (counter.empty()) continue;
      ++count;
      KARMA_CHECK(&this->page(hash({counter.key})) == &page);
      KARMA_CHECK(page.find({counter.key}, hash({counter.key})) == &counter);  // reachable, and there once
    }
    KARMA_CHECK(count == page.count() && count <= Page::capacity(page.slots()));
  }
  KARMA_CHECK(entries == index_.size());
}

}  // namespace karma::store
