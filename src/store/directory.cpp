#include "store/directory.h"

#include <chrono>
#include <thread>
#include <utility>

#include "core/check.h"

namespace karma::store {
namespace {

constexpr std::chrono::microseconds kPause{50};

Ref<Segment> first_segment() {
  return Ref<Segment>(new Segment(0, 0, PrefixTable<Page>(0, Page::create(Page::kFirstSlots))));
}

}  // namespace

Directory::Directory(std::uint64_t seed) : seed_(seed), segments_(0, first_segment()) {}

Directory::~Directory() {
  while (segments_.children().size() > 1) {
    const Ref<Segment> segment = segments_.take_last();
    if (segment->has_one_owner()) std::this_thread::sleep_for(kPause);
  }
}

std::size_t Directory::page_count() const {
  std::size_t count = 0;
  for (const Ref<Segment>& segment : segments_.children()) count += segment->pages.children().size();
  return count;
}

Segment& Directory::own_segment(std::uint64_t hash) {
  Segment& segment = segments_.at(hash);
  if (segment.has_one_owner()) return segment;
  Ref<Segment> copy(new Segment(segment));
  Segment& own = *copy;
  segments_.replace(std::move(copy));
  cloned_ += kPagesPerClonedSegment;
  return own;
}

Page& Directory::own_shared_page(std::uint64_t hash) {
  Segment& segment = own_segment(hash);
  Page& page = segment.pages.at(hash);
  if (page.has_one_owner()) return page;
  Ref<Page> copy = Page::copy(page, seed_, page.slots(), false);
  Page& own = *copy;
  segment.pages.replace(std::move(copy));
  ++cloned_;
  return own;
}

Ref<Page> Directory::clone_page(std::uint64_t hash) const {
  Page& page = **place(hash);
  return Page::copy(page, seed_, page.slots(), false);
}

void Directory::put_clone(Ref<Page> clone) {
  const std::uint64_t hash = clone->first_hash();
  Segment& segment = own_segment(hash);
  if (!segment.pages.at(hash).has_one_owner()) segment.pages.replace(std::move(clone));
}

bool Directory::may_split(const Segment& segment, const Page& page) const {
  return page.slots() >= Page::kUsualSlots && segment.pages.may_split(page);
}

void Directory::split(Segment& segment, Page& page) {
  Ref<Page> halves[2] = {Page::create(page.slots()), Page::create(page.slots())};
  for (std::uint32_t i = 0; i < 2; ++i) {
    halves[i]->depth = page.depth + 1;
    halves[i]->prefix = page.prefix * 2 + i;
    halves[i]->set_generation(page.generation());
  }
  const std::uint32_t bit = 63 - page.depth;
  for (Counter& counter : page) {
    if (counter.empty()) continue;
    const std::uint64_t hash = this->hash({counter.key});
    Page& half = *halves[hash >> bit & 1];
    half.empty_slot(hash) = std::exchange(counter, Counter());
    half.slot_filled();
  }
  segment.pages.split(page, std::move(halves[0]), std::move(halves[1]));  // frees `page`
  split_if_large(segment);
}

void Directory::split_if_large(Segment& segment) {
  if (segment.pages.children().size() <= kPagesPerSegment || !segments_.may_split(segment)) return;
  const auto half = [&](bool high) {
    return Ref<Segment>(new Segment(segment.depth + 1, segment.prefix * 2 + (high ? 1 : 0), segment.pages.half(high)));
  };
  segments_.split(segment, half(false), half(true));  // frees `segment`
}

Page& Directory::own_page_with_room(std::uint64_t hash) {
  while (true) {
    Page& page = own_page(hash);
    if (!page.full()) return page;
    Segment& segment = segments_.at(hash);
    if (may_split(segment, page)) {
      split(segment, page);
    } else {
      segment.pages.replace(Page::copy(page, seed_, page.slots() * 2, true));
    }
  }
}

void Directory::shrink(std::uint64_t hash) {
  Segment& segment = segments_.at(hash);
  Page& page = segment.pages.at(hash);
  std::uint32_t slots = Page::kFirstSlots;
  while (page.count() * 2 > slots) slots *= 2;
  if (slots * 4 <= page.slots()) segment.pages.replace(Page::copy(page, seed_, slots, true));
}

void Directory::check_invariants() const {
  segments_.check_invariants();
  for (const Ref<Segment>& segment : segments_.children()) segment->pages.check_invariants();
  for_each_page([this](const Page& page) {
    std::uint32_t count = 0;
    for (const Counter& counter : page) {
      counter.check_invariants();
      if (counter.empty()) continue;
      ++count;
      KARMA_CHECK(&this->page(hash({counter.key})) == &page);
      KARMA_CHECK(page.find({counter.key}, hash({counter.key})) == &counter);  // reachable, and there once
    }
    KARMA_CHECK(count == page.count() && count <= Page::capacity(page.slots()));
    return true;
  });
}

}  // namespace karma::store
