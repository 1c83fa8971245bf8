#include "wal/recent_entries.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace karma::wal {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::uint32_t kBlockEntries = 4096;

}  // namespace

void RecentEntries::add(Lsn first, std::span<const std::string_view> entries) {
  const bool wanted = first.value <= wanted_until_.load(std::memory_order_relaxed);
  if (!wanted && !keeps_) return;
  const MutexLock lock(mutex_);
  keeps_ = wanted;
  if (!wanted) return clear();
  if (!blocks_.empty() && first.value != blocks_.back().block->first.value + blocks_.back().count) clear();
  try {
    for (const std::string_view entry : entries) {
      append(entry, first);
      first = first.next();
    }
  } catch (const std::bad_alloc&) {
    clear();  // the files have all of it
  }
}

void RecentEntries::append(std::string_view entry, Lsn lsn) {
  std::uint32_t begin = 0;
  if (!blocks_.empty() && blocks_.back().count != 0) begin = blocks_.back().block->ends[blocks_.back().count - 1];
  const bool fits =
      !blocks_.empty() && blocks_.back().count < kBlockEntries && entry.size() <= blocks_.back().block->bytes - begin;
  if (!fits) {
    auto block = std::make_shared<Block>();
    block->first = lsn;
    block->bytes = std::max(kBlockBytes, entry.size());
    block->text = std::make_unique_for_overwrite<char[]>(block->bytes);
    block->ends = std::make_unique_for_overwrite<std::uint32_t[]>(kBlockEntries);
    begin = 0;
    bytes_ += block->bytes;
    blocks_.push_back({std::move(block)});
    while (bytes_ > kMaxBytes && blocks_.size() > 1) {
      bytes_ -= blocks_.front().block->bytes;
      blocks_.pop_front();
    }
  }
  Kept& kept = blocks_.back();
  std::memcpy(kept.block->text.get() + begin, entry.data(), entry.size());
  kept.block->ends[kept.count] = begin + static_cast<std::uint32_t>(entry.size());
  ++kept.count;
}

void RecentEntries::clear() {
  blocks_.clear();
  bytes_ = 0;
}

Lsn RecentEntries::read(Lsn next, Lsn to, const std::function<bool(Lsn, std::string_view)>& visit, bool& wanted) const {
  while (wanted && next <= to) {
    Kept found;
    {
      const MutexLock lock(mutex_);
      const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), next,
                                          [](Lsn lsn, const Kept& kept) { return lsn < kept.block->first; });
      if (after == blocks_.begin()) return next;
      found = *std::prev(after);
    }
    const Block& block = *found.block;
    const std::uint64_t index = next.value - block.first.value;
    if (index >= found.count) return next;
    for (std::uint64_t i = index; wanted && i < found.count && next <= to; ++i) {
      const std::uint32_t begin = i == 0 ? 0 : block.ends[i - 1];
      wanted = visit(next, {block.text.get() + begin, block.ends[i] - begin});
      next = next.next();
    }
  }
  return next;
}

}  // namespace karma::wal
