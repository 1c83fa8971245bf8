#include "store/chunk_list.h"

#include <bit>

namespace karma::store {
namespace {

// Chunk number n is the (n + 4)th if four places are added in front: then block b holds those with 3 + b bits.
struct Place {
  std::size_t block;
  std::uint64_t index;
};

Place place_of(std::uint64_t number, std::uint64_t first_block) {
  const std::uint64_t shifted = number - 1 + first_block;
  const int top = std::bit_width(shifted) - 1;
  return {static_cast<std::size_t>(top - std::bit_width(first_block) + 1), shifted - (std::uint64_t{1} << top)};
}

}  // namespace

const Fingerprint& ChunkList::operator[](std::uint64_t number) const {
  const Place place = place_of(number, kFirstBlock);
  return blocks_[place.block]->fingerprints[place.index];
}

void ChunkList::push_back(const Fingerprint& fingerprint) {
  const Place place = place_of(size_ + 1, kFirstBlock);
  if (place.block == blocks_.size()) blocks_.push_back(Ref<Block>(new Block(kFirstBlock << place.block)));
  blocks_[place.block]->fingerprints[place.index] = fingerprint;
  ++size_;
}

}  // namespace karma::store
