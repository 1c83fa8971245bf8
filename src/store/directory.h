// All pages of a series, by the highest bits of the hash (extendible hashing).
//
// The index has 2^depth entries; a page whose own depth is d is in 2^(depth-d) neighbouring ones. Splitting a page
// gives it a sibling and one more bit of depth, and doubles the index only if the page had the index's depth already.
//
// Copy-on-write: a copy shares all pages. A page keeps its number for life, in every directory that it is part of.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ref.h"
#include "store/hash.h"
#include "store/page.h"

namespace karma::store {

class Directory : public RefCounted {
 public:
  explicit Directory(std::uint64_t seed);

  std::uint64_t seed() const { return seed_; }
  std::uint64_t hash(Key key) const { return hash_key(key, seed_); }

  const Page& page(std::uint64_t hash) const { return *index_[slot(hash)]; }
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&index_[slot(hash)]); }
  const std::vector<Ref<Page>>& pages() const { return pages_; }

  // For the only owner of the directory: a page that it may change, cloned if other directories have it too.
  Page& own_page(std::uint64_t hash) { return own(index_[slot(hash)]->number); }
  Page& own(std::uint32_t number);
  // The same, with room for one more counter of this hash.
  Page& own_page_with_room(std::uint64_t hash);
  // Gives memory back if the page, which must be owned, has become much too large.
  void shrink(std::uint32_t number);

  void check_invariants() const;

 private:
  // The index is at least this much finer than the pages need before a page grows instead of being split: keys that
  // collide in many bits must not buy index memory.
  static constexpr std::uint32_t kMaxDepth = 28;
  static constexpr std::size_t kMaxEntriesPerPage = 16;

  std::size_t slot(std::uint64_t hash) const { return hash >> 1 >> shift_; }
  std::uint32_t depth() const { return 63 - shift_; }
  bool may_split(const Page& page) const;
  void split(Page& page);
  void put(Ref<Page> page);

  std::uint64_t seed_;
  std::uint32_t shift_ = 63;  // 63 - depth; a shift by all 64 bits, for depth 0, would be undefined, hence the >> 1
  std::vector<Page*> index_;
  std::vector<Ref<Page>> pages_;  // by number
};

}  // namespace karma::store
