// Reads a .tree file, from whatever source: every byte may be hostile.
//
// What Karma 1.0 loads is loaded: any order of fields, further fields, bytes after the end, another number of
// branches, keys in a wrong branch, buckets in any order and buckets that are no dates. Values of 0 are left out. The
// sum of the buckets counts, not the stored total. What no writer makes is damage: anything cut off, of another type or
// beyond 64 bits, a key twice, a bucket twice, a sum above 2^64-1.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>

#include "store/digest.h"
#include "store/series.h"

namespace karma::snapshot {

struct TreeFacts {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  store::Digest digest;
  std::uint64_t key_count = 0;  // empty counters included
  std::uint64_t wrong_totals = 0;
  std::uint64_t misplaced_keys = 0;  // in a branch where Karma 1.0 does not look for them
  std::uint64_t zero_values = 0;
  bool wrong_branch_count = false;  // branches_num is missing or not the number of branches

  // What is odd about the content, for people; empty if nothing is.
  std::string oddities() const;
};

// Points ascend and are above 0; the span is valid during the call only. False: the key is there already.
using TakeCounter = std::function<bool(Key, std::span<const store::Point>)>;
using BytesDone = std::function<void(std::uint64_t)>;  // bytes read so far, about once a MiB

// Error: what is wrong, without the file's name. Memory: a MiB and one counter.
Result<TreeFacts> decode_tree(const File& file, const TakeCounter& take, const BytesDone& done = {});

}  // namespace karma::snapshot
