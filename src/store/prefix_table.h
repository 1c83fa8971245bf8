// Extendible hashing: children by the highest bits of a hash that lie after the first `base` ones.
//
// The index has 2^depth entries; a child whose own depth is d is in 2^(base+depth-d) neighbouring ones. Splitting a
// child gives it a sibling and one more bit of depth, and doubles the index only if the child had all its bits already.
//
// Copy-on-write: a copy shares all children. A child knows which hashes belong to it: those whose `depth` highest bits
// are `prefix`.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/ref.h"

namespace karma::store {

template <class Child>
class PrefixTable {
 public:
  // With one child for all hashes, whose depth is `base`.
  PrefixTable(std::uint32_t base, Ref<Child> only) : base_(base) {
    set_index({only.get()});
    children_.push_back(std::move(only));
  }

  Child* const* place(std::uint64_t hash) const { return &index_[(hash >> shift_) & mask_]; }
  Child& at(std::uint64_t hash) const { return **place(hash); }
  // In the order of their hashes.
  const std::vector<Ref<Child>>& children() const { return children_; }

  // Puts the child in the place of the one with the same prefix.
  void replace(Ref<Child> child) {
    enter(*child);
    Ref<Child>& place = *find(*child);  // before the move, which may otherwise come first
    place = std::move(child);
  }

  // Whether the index is fine enough for two children in place of this one, or may become so: it stays at most
  // kMaxEntriesPerChild times as fine as the children need. Keys that collide in many bits must not buy memory.
  bool may_split(const Child& child) const {
    if (child.depth < base_ + depth()) return true;
    return base_ + depth() < kMaxDepth && index_.size() * 2 <= kMaxEntriesPerChild * (children_.size() + 4);
  }
  // Puts `low` and `high`, which have one bit more, in the place of `child`, which goes.
  void split(const Child& child, Ref<Child> low, Ref<Child> high) {
    if (child.depth == base_ + depth()) {
      std::vector<Child*> doubled(index_.size() * 2);
      for (std::size_t i = 0; i < doubled.size(); ++i) doubled[i] = index_[i / 2];
      set_index(std::move(doubled));
    }
    enter(*low);
    enter(*high);
    const auto at = children_.insert(find(child) + 1, std::move(high)) - 1;
    *at = std::move(low);
  }

  // One half of the table, as a table of its own. Precondition: no child belongs to both halves.
  PrefixTable half(bool high) const {
    PrefixTable half;
    half.base_ = base_ + 1;
    const auto middle = index_.begin() + static_cast<std::ptrdiff_t>(index_.size() / 2);
    half.set_index(high ? std::vector<Child*>(middle, index_.end()) : std::vector<Child*>(index_.begin(), middle));
    const auto border = std::find_if(children_.begin(), children_.end(),
                                     [&](const Ref<Child>& child) { return child.get() == index_[index_.size() / 2]; });
    half.children_.assign(high ? border : children_.begin(), high ? children_.end() : border);
    return half;
  }

  // Takes one out, for the end of the table: it is of no use afterwards except for more of this.
  Ref<Child> take_last() {
    Ref<Child> last = std::move(children_.back());
    children_.pop_back();
    return last;
  }

  void check_invariants() const {
    KARMA_CHECK(index_.size() == std::size_t{1} << depth());
    std::size_t entries = 0;
    for (const Ref<Child>& child : children_) {
      KARMA_CHECK(child->depth >= base_ && child->depth <= base_ + depth());
      KARMA_CHECK(first_entry(*child) == entries);
      for (std::size_t i = 0; i < width(*child); ++i) KARMA_CHECK(index_[entries + i] == child.get());
      entries += width(*child);
    }
    KARMA_CHECK(entries == index_.size());
  }

 private:
  static constexpr std::uint32_t kMaxDepth = 28;
  static constexpr std::size_t kMaxEntriesPerChild = 16;

  PrefixTable() = default;
  std::uint32_t depth() const { return static_cast<std::uint32_t>(std::bit_width(mask_)); }
  void set_index(std::vector<Child*> index) {
    index_ = std::move(index);
    mask_ = index_.size() - 1;
    // A shift by all 64 bits would be undefined; without a bit the mask leaves nothing anyway.
    shift_ = std::min(63u, 64 - base_ - depth());
  }
  std::size_t width(const Child& child) const { return std::size_t{1} << (base_ + depth() - child.depth); }
  std::size_t first_entry(const Child& child) const {
    return static_cast<std::size_t>(child.prefix & ((std::uint64_t{1} << (child.depth - base_)) - 1)) * width(child);
  }
  void enter(Child& child) {
    std::fill_n(index_.begin() + static_cast<std::ptrdiff_t>(first_entry(child)), width(child), &child);
  }
  // The child that is there for the first of these hashes.
  typename std::vector<Ref<Child>>::iterator find(const Child& child) {
    const std::size_t entry = first_entry(child);
    return std::partition_point(children_.begin(), children_.end(),
                                [&](const Ref<Child>& other) { return first_entry(*other) + width(*other) <= entry; });
  }

  std::uint32_t base_ = 0;
  // One shift by a variable and a mask find the place: such shifts are slow, and each read takes two of these steps.
  std::uint32_t shift_ = 63;
  std::uint64_t mask_ = 0;
  std::vector<Child*> index_;
  std::vector<Ref<Child>> children_;  // ascending by hash
};

}  // namespace karma::store
