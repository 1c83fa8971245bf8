// Ranges of days that are to go from all counters of a series: the pages are gone through later, a few at a time.
//
// From the moment on in which a range is entered, whoever reads a page that has not seen it yet applies it to what is
// read, and whoever changes a page applies it first. So the series is at once what it will be.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ref.h"
#include "store/day_range.h"
#include "store/page.h"

namespace karma::store {

// Never changed: views share them.
struct Removals : RefCounted {
  struct Entry {
    std::uint64_t generation;
    DayRange range;
  };
  std::vector<Entry> entries;  // ascending by generation, at least one

  std::uint64_t newest() const { return entries.back().generation; }
  bool seen_by(const Page& page) const { return page.generation() >= newest(); }
};

// What a counter is after the removals that its page has not seen.
class Purged {
 public:
  explicit Purged(const Removals& removals) : removals_(removals) {}
  ~Purged() { copy_.release(); }
  Purged(const Purged&) = delete;
  Purged& operator=(const Purged&) = delete;

  // The counter, or a copy that is valid until the next call; nullptr if nothing is left, or `counter` is null.
  const Counter* operator()(const Page& page, const Counter* counter) {
    if (counter == nullptr || removals_.seen_by(page)) return counter;
    copy_.release();
    copy_ = counter->clone();
    for (const Removals::Entry& entry : removals_.entries) {
      if (entry.generation > page.generation() && !copy_.empty()) copy_.remove(entry.range);
    }
    return copy_.empty() ? nullptr : &copy_;
  }

 private:
  const Removals& removals_;
  Counter copy_;
};

}  // namespace karma::store
