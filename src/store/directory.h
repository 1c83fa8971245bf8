// All pages of a series, by the highest bits of the hash, in two levels: a directory has segments, a segment has pages.
//
// Copy-on-write at each level: a copy shares all segments. Whoever changes a page owns it, its segment and the
// directory, cloning those that others have, too. So the first change after a copy costs a few hundred references,
// however many counters there are: a segment has at most kPagesPerSegment pages, unless hashes collide.
#pragma once

#include <cstdint>

#include "core/ref.h"
#include "store/hash.h"
#include "store/page.h"
#include "store/prefix_table.h"

namespace karma::store {

class Segment : public RefCounted {
 public:
  Segment(std::uint32_t its_depth, std::uint64_t its_prefix, PrefixTable<Page> its_pages)
      : depth(its_depth), prefix(its_prefix), pages(std::move(its_pages)) {}

  // Which hashes belong here, as for a page.
  std::uint32_t depth;
  std::uint64_t prefix;
  PrefixTable<Page> pages;

  std::uint64_t first_hash() const { return depth == 0 ? 0 : prefix << (64 - depth); }
};

class Directory : public RefCounted {
 public:
  static constexpr std::size_t kPagesPerSegment = 256;

  explicit Directory(std::uint64_t seed);
  Directory(const Directory&) = default;
  // Waits a little after each segment that goes with it: memory is given back under a lock of malloc's, and a thread
  // that frees millions of blocks in a row would keep the writer from it.
  ~Directory();

  std::uint64_t seed() const { return seed_; }
  std::uint64_t hash(Key key) const { return hash_key(key, seed_); }

  const Page& page(std::uint64_t hash) const { return **place(hash); }
  // Where the page stands, to be fetched ahead.
  Page* const* place(std::uint64_t hash) const { return segments_.at(hash).pages.place(hash); }

  // Calls visit(page) for all pages until it returns false; returns whether it never did.
  template <class Visit>
  bool for_each_page(Visit&& visit) const {
    for (const Ref<Segment>& segment : segments_.children()) {
      for (const Ref<Page>& page : segment->pages.children()) {
        if (!visit(static_cast<const Page&>(*page))) return false;
      }
    }
    return true;
  }
  const std::vector<Ref<Segment>>& segments() const { return segments_.children(); }
  std::size_t page_count() const;

  // Notes it in the page of this hash, whoever else has it.
  void set_generation(std::uint64_t hash, std::uint64_t generation) { (*place(hash))->set_generation(generation); }

  // Whether own_page() would have to clone something of this directory.
  bool shares(std::uint64_t hash) const {
    const Segment& segment = segments_.at(hash);
    return !segment.has_one_owner() || !segment.pages.at(hash).has_one_owner();
  }
  // A clone as own_page() makes it, to be put in its place by put_clone(), if that is still needed.
  Ref<Page> clone_page(std::uint64_t hash) const;
  // For the only owner.
  void put_clone(Ref<Page> clone);
  // By this thread, so far; the segments count for a few.
  static std::size_t pages_cloned() { return cloned_; }
  // Counts other work as so many.
  static void count_as_cloned(std::size_t pages) { cloned_ += pages; }

  // For the only owner of the directory: a page that it may change, cloned if other directories have it too.
  Page& own_page(std::uint64_t hash) {
    Segment& segment = segments_.at(hash);
    Page& page = segment.pages.at(hash);
    return segment.has_one_owner() && page.has_one_owner() ? page : own_shared_page(hash);
  }
  // The same, with room for one more counter of this hash.
  Page& own_page_with_room(std::uint64_t hash);
  // Gives memory back if the page of this hash, which must be owned, has become much too large.
  void shrink(std::uint64_t hash);

  void check_invariants() const;

 private:
  Segment& own_segment(std::uint64_t hash);
  Page& own_shared_page(std::uint64_t hash);
  bool may_split(const Segment& segment, const Page& page) const;
  void split(Segment& segment, Page& page);
  void split_if_large(Segment& segment);

  static constexpr std::size_t kPagesPerClonedSegment = 2;  // in what it costs
  static inline thread_local std::size_t cloned_ = 0;

  std::uint64_t seed_;
  PrefixTable<Segment> segments_;
};

}  // namespace karma::store
