// The fingerprints of a stream's chunks, by chunk number from 1; grows without ever moving what is in it.
//
// Block b has room for 4 * 2^b fingerprints, so that a million of them are 18 blocks: copying the list (which shares
// the blocks) is cheap, and a stream of one chunk stays small. An owner appends after the end of its copies, who never
// look there; so only one of all copies may go on growing.
#pragma once

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
  const Fingerprint& operator[](std::uint64_t number) const;
  void push_back(const Fingerprint& fingerprint);

 private:
  static constexpr std::uint64_t kFirstBlock = 4;
  struct Block : RefCounted {
    explicit Block(std::uint64_t capacity) : fingerprints(new Fingerprint[capacity]) {}
    std::unique_ptr<Fingerprint[]> fingerprints;
  };

  std::vector<Ref<Block>> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace karma::store
