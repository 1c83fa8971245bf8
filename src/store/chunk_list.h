// The fingerprints of a stream's chunks, by chunk number from 1; grows without ever moving what is in it.
//
// Block b has room for 4 * 2^b fingerprints, so that a million of them are 18 blocks: copying the list (which shares
// the blocks) is cheap, and a stream of one chunk stays small. An owner appends after the end of its copies, who never
// look there; so only one of all copies may go on growing.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/ref.h"
#include "store/fingerprint.h"

namespace karma::store {

// Copies are independent to read, from any thread.
class ChunkList {
 public:
  std::uint64_t size() const { return size_; }
  // 1 <= number <= size().
  const Fingerprint& operator[](std::uint64_t number) const {
    const Place place = place_of(number);
    return blocks_[place.block]->fingerprints[place.index];
  }
  void push_back(const Fingerprint& fingerprint) {
    const Place place = place_of(size_ + 1);
    if (place.block == blocks_.size()) blocks_.push_back(Ref<Block>(new Block(kFirstBlock << place.block)));
    blocks_[place.block]->fingerprints[place.index] = fingerprint;
    ++size_;
  }

 private:
  static constexpr std::uint64_t kFirstBlock = 4;
  // Chunk number n is the (n + 4)th if four places are added in front: then block b holds those with 3 + b bits.
  struct Place {
    std::size_t block;
    std::uint64_t index;
  };
  static Place place_of(std::uint64_t number) {
    const std::uint64_t shifted = number - 1 + kFirstBlock;
    const int top = std::bit_width(shifted) - 1;
    return {static_cast<std::size_t>(top - std::bit_width(kFirstBlock) + 1), shifted - (std::uint64_t{1} << top)};
  }
  struct Block : RefCounted {
    explicit Block(std::uint64_t capacity) : fingerprints(new Fingerprint[capacity]) {}
    std::unique_ptr<Fingerprint[]> fingerprints;
  };

  std::vector<Ref<Block>> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace karma::store
