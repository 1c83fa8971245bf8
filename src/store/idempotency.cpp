// A record, packed, padded to a multiple of 8 bytes:
//
//   1   operation; kGone is added when the record is forgotten. 0: no more records in this chunk, and another after it
//   1   length of the key - 1
//   1   length of the record / 8
//   1   length of the content; 0: it is a fingerprint
//   1   how many bytes first and second take, four bits each
//   8   created_at
//   …   content
//   …   key
//   …   first, second
//
// Positions count bytes since the beginning, over all chunks; the first 8 bytes of a chunk are never used, so that one
// at its end is told from one at the beginning of the next. A slot of the index has room for 32 bits of position / 8:
// enough to tell apart what lies in 32 GiB, which is more than the records take and those slots are old that still
// point before them.
#include "store/idempotency.h"

#include <emmintrin.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/prefetch.h"
#include "store/short_number.h"

namespace karma::store {
namespace {

constexpr std::uint8_t kGone = 0x80;
constexpr std::size_t kUnit = 8;
constexpr std::size_t kChunkStart = kUnit;
constexpr std::size_t kChunkBytes = 256 * 1024;
constexpr std::size_t kTimeOffset = 1 + 1 + 1 + 1 + 1;
constexpr std::size_t kContentOffset = kTimeOffset + 8;
constexpr std::size_t kMaxRecordUnits =
    (kContentOffset + RequestContent::kMaxBytes + kMaxIdempotencyKeyBytes + 2 * sizeof(std::uint64_t) + kUnit - 1) /
    kUnit;
static_assert(kMaxRecordUnits <= UINT8_MAX && RequestContent::kMaxBytes <= UINT8_MAX);

// Of all records together; beyond, the oldest go, whatever their number may be.
constexpr std::uint64_t kMaxSpan = std::uint64_t{8} << 30;
// All tables are swept each time the queue has grown by so much: no slot is ever further behind the oldest record than
// this and kMaxSpan together, and 32 bits tell it from all that is there.
constexpr std::uint64_t kSweepBytes = std::uint64_t{4} << 30;
static_assert(2 * kMaxSpan + kSweepBytes < (std::uint64_t{1} << 32) * kUnit);

// Records too old that one registration forgets: more than one, so that they go faster than they come, and few, so that
// a pause of a week is not paid for by one write. find() does not depend on it.
constexpr int kAgedPerRecord = 16;
constexpr std::uint64_t kGoneWorthCompacting = 4096;

std::uint8_t tag(const char* record) { return static_cast<std::uint8_t>(record[0]); }
bool is_gone(const char* record) { return (tag(record) & kGone) != 0; }
std::size_t record_bytes(const char* record) { return static_cast<std::uint8_t>(record[2]) * kUnit; }
bool has_fingerprint(const char* record) { return record[3] == 0; }
std::string_view content_of(const char* record) {
  const std::size_t bytes = static_cast<std::uint8_t>(record[3]);
  return {record + kContentOffset, bytes == 0 ? sizeof(Fingerprint) : bytes};
}
std::string_view key_of(const char* record) {
  const std::string_view content = content_of(record);
  return {content.data() + content.size(), static_cast<std::uint8_t>(record[1]) + std::size_t{1}};
}
std::int64_t created_at(const char* record) {
  std::int64_t time;
  std::memcpy(&time, record + kTimeOffset, sizeof(time));
  return time;
}

// Where the records of the next chunk begin; of this one for a position between two chunks.
std::uint64_t next_chunk(std::uint64_t position) {
  return (position + kChunkBytes - 1) / kChunkBytes * kChunkBytes + kChunkStart;
}

// Never 0. Its lowest bits select the bucket.
std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash) | 0x80000000; }
std::uint32_t unit_of(std::uint64_t position) { return static_cast<std::uint32_t>(position / kUnit); }

}  // namespace

IdempotencyRecords::Chunk::Chunk() : bytes(static_cast<char*>(std::malloc(kChunkBytes + kShortNumberRoom))) {
  if (!bytes) throw std::bad_alloc();
}

IdempotencyRecords::Chunk::Chunk(const Chunk& other)
    : RefCounted(other), oldest(other.oldest), newest(other.newest), count(other.count), gone(other.gone) {
  bytes.reset(static_cast<char*>(std::malloc(kChunkBytes + kShortNumberRoom)));
  if (!bytes) throw std::bad_alloc();
  std::memcpy(bytes.get(), other.bytes.get(), kChunkBytes);
}

IdempotencyRecords::IdempotencyRecords(std::uint64_t hash_seed, Limits limits) : seed_(hash_seed), limits_(limits) {}

std::uint64_t IdempotencyRecords::position_of(std::uint32_t unit) const {
  return front_ + static_cast<std::uint64_t>(unit - unit_of(front_)) * kUnit;
}

const IdempotencyRecords::Chunk& IdempotencyRecords::chunk_of(std::uint64_t position) const {
  return *chunks_[static_cast<std::size_t>(position / kChunkBytes - first_chunk_)];
}

const char* IdempotencyRecords::record_at(std::uint64_t position) const {
  return chunk_of(position).bytes.get() + position % kChunkBytes;
}

unsigned IdempotencyRecords::Bucket::matching(std::uint32_t tag) const {
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag));  // SSE2 is part of x86-64
  const auto four = [&](std::size_t first) {
    const __m128i held = _mm_load_si128(reinterpret_cast<const __m128i*>(&tags[first]));
    return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(held, wanted))));
  };
  return four(0) | four(4) << 4;
}

void IdempotencyRecords::prefetch(const IdempotencyKey& key) const {
  fetches_ahead();
  const std::uintptr_t place = places_[key.hash >> 56].load(std::memory_order_relaxed);
  const std::uintptr_t buckets = std::uintptr_t{1} << place % sizeof(Bucket);
  const std::uintptr_t bucket = tag_of(key.hash) & (buckets - 1);
  __builtin_prefetch(reinterpret_cast<const void*>((place / sizeof(Bucket) + bucket) * sizeof(Bucket)));
}

std::optional<std::uint64_t> IdempotencyRecords::find_position(const IdempotencyKey& key) const {
  const Table& table = tables_[key.hash >> 56];
  if (table.buckets.empty()) return std::nullopt;
  const std::size_t mask = table.buckets.size() - 1;
  const std::uint32_t wanted = tag_of(key.hash);
  for (std::size_t i = wanted & mask;; i = (i + 1) & mask) {
    const Bucket& bucket = table.buckets[i];
    for (unsigned found = bucket.matching(wanted); found != 0; found &= found - 1) {
      const std::uint64_t position = position_of(bucket.units[static_cast<std::size_t>(std::countr_zero(found))]);
      if (position >= end_) continue;
      const char* const record = record_at(position);
      if (key_of(record) == key.text && !is_gone(record)) return position;
    }
    if (!bucket.full()) return std::nullopt;
  }
}

void IdempotencyRecords::insert(const IdempotencyKey& key, std::uint64_t position) {
  Table& table = tables_[key.hash >> 56];
  if ((table.used + 1) * 4 > table.buckets.size() * Bucket::kSlots * 3) sweep(table);
  const Slot slot = {tag_of(key.hash), unit_of(position)};
  const std::size_t mask = table.buckets.size() - 1;
  std::size_t i = slot.tag & mask;
  while (table.buckets[i].full()) i = (i + 1) & mask;
  table.buckets[i].put(static_cast<std::size_t>(std::countr_zero(table.buckets[i].matching(0))), slot);
  ++table.used;
}

// Drops the slots of what was forgotten at the front. What remains fills at most a third of the table, so that this
// comes rarely.
[[gnu::noinline]] void IdempotencyRecords::sweep(Table& table) {
  std::vector<Slot> kept(table.used + 1);
  std::size_t count = 0;
  for (const Bucket& bucket : table.buckets) {
    for (std::size_t i = 0; i < Bucket::kSlots; ++i) {  // without a branch, since about as many go as stay
      kept[count] = {bucket.tags[i], bucket.units[i]};
      count +=
          static_cast<std::size_t>(bucket.tags[i] != 0) & static_cast<std::size_t>(position_of(bucket.units[i]) < end_);
    }
  }
  table.buckets = std::vector<Bucket>(std::bit_ceil(count * 3 / Bucket::kSlots + 1));  // gives back what is too much
  // Counted, as looking for the first empty slot right after the store to the one before would wait for that.
  std::vector<std::uint8_t> filled(table.buckets.size());
  const std::size_t mask = table.buckets.size() - 1;
  for (const Slot& slot : std::span(kept.data(), count)) {
    std::size_t i = slot.tag & mask;
    while (filled[i] == Bucket::kSlots) i = (i + 1) & mask;
    table.buckets[i].put(filled[i]++, slot);
  }
  table.used = static_cast<std::uint32_t>(count);
  places_[static_cast<std::size_t>(&table - tables_.data())].store(
      reinterpret_cast<std::uintptr_t>(table.buckets.data()) + static_cast<unsigned>(std::countr_zero(mask + 1)),
      std::memory_order_relaxed);
}

std::optional<IdempotencyRecord> IdempotencyRecords::find(const IdempotencyKey& key) const {
  const std::optional<std::uint64_t> position = find_position(key);
  if (!position) return std::nullopt;
  IdempotencyRecord record = IdempotencyView::decode(record_at(*position));
  record.key = key;
  return record;
}

std::uint64_t IdempotencyRecords::append(const IdempotencyRecord& record) {
  const std::string_view content = record.content.bytes();
  const std::string_view key = record.key.text;
  const unsigned first = short_number_bytes(record.first);
  const unsigned second = short_number_bytes(record.second);
  const std::size_t bytes = kContentOffset + content.size() + key.size() + first + second;
  const std::size_t units = (bytes + kUnit - 1) / kUnit;

  const bool chunk_is_full = end_ % kChunkBytes == 0 || end_ % kChunkBytes + units * kUnit > kChunkBytes;
  if (chunk_is_full) {
    if (end_ % kChunkBytes != 0) chunks_.back()->bytes.get()[end_ % kChunkBytes] = 0;  // there are no more
    const bool was_empty = front_ == end_;
    if (was_empty) chunks_.clear();
    end_ = next_chunk(end_);
    if (was_empty) front_ = end_;
    if (was_empty) first_chunk_ = end_ / kChunkBytes;
    chunks_.push_back(spare_ ? std::move(spare_) : Ref<Chunk>(new Chunk));
  }
  Chunk& chunk = *chunks_.back();
  char* const packed = chunk.bytes.get() + end_ % kChunkBytes;
  packed[0] = static_cast<char>(record.operation);
  packed[1] = static_cast<char>(key.size() - 1);
  packed[2] = static_cast<char>(units);
  packed[3] = static_cast<char>(record.content.is_fingerprint() ? 0 : content.size());
  packed[4] = static_cast<char>(first | second << 4);
  std::memcpy(packed + kTimeOffset, &record.created_at, sizeof(record.created_at));
  char* to = packed + kContentOffset;
  std::memcpy(to, content.data(), content.size());
  std::memcpy(to += content.size(), key.data(), key.size());
  put_short_number(put_short_number(to + key.size(), record.first, first), record.second, second);
  chunk.oldest = std::min(chunk.oldest, record.created_at);
  chunk.newest = std::max(chunk.newest, record.created_at);
  ++chunk.count;
  return std::exchange(end_, end_ + units * kUnit);
}

void IdempotencyRecords::swap(IdempotencyRecords& other) {
  KARMA_CHECK(seed_ == other.seed_);
  chunks_.swap(other.chunks_);
  std::swap(spare_, other.spare_);
  std::swap(first_chunk_, other.first_chunk_);
  std::swap(front_, other.front_);
  std::swap(end_, other.end_);
  std::swap(size_, other.size_);
  std::swap(gone_, other.gone_);
  std::swap(pruned_, other.pruned_);
  tables_.swap(other.tables_);
  for (std::size_t i = 0; i < places_.size(); ++i)
    places_[i].store(other.places_[i].exchange(places_[i].load(std::memory_order_relaxed), std::memory_order_relaxed),
                     std::memory_order_relaxed);
}

void IdempotencyRecords::load(const IdempotencyRecord& record, bool is_new) {
  KARMA_CHECK(!record.key.text.empty() && record.key.text.size() <= kMaxIdempotencyKeyBytes);
  if (!is_new) {
    if (const std::optional<std::uint64_t> earlier = find_position(record.key)) {
      mark_gone(*earlier);
      skip_gone();
    }
  }
  const std::uint64_t end = end_;
  const std::uint64_t position = append(record);
  if (end / kSweepBytes != end_ / kSweepBytes) {
    for (Table& table : tables_) sweep(table);
  }
  insert(record.key, position);
  ++size_;

  while (size_ > limits_.max_records || end_ - front_ > kMaxSpan) drop_front();
}

// All in one piece: for a new key, a step is a few instructions.
[[gnu::flatten]] void IdempotencyRecords::remember(const IdempotencyRecord& record, bool is_new) {
  load(record, is_new);
  if (limits_.max_age_seconds != 0) {
    const std::int64_t oldest = record.created_at - limits_.max_age_seconds;
    for (int i = 0; i < kAgedPerRecord && size_ != 0 && created_at(record_at(front_)) < oldest; ++i) drop_front();
  }
  compact_if_worthwhile();
}

[[gnu::noinline]] void IdempotencyRecords::mark_gone(std::uint64_t position) {
  Ref<Chunk>& chunk = chunks_[static_cast<std::size_t>(position / kChunkBytes - first_chunk_)];
  if (!chunk.unique()) chunk = Ref<Chunk>(new Chunk(*chunk));
  chunk->bytes.get()[position % kChunkBytes] |= static_cast<char>(kGone);
  ++chunk->gone;
  --size_;
  ++gone_;
  ++pruned_;
}

void IdempotencyRecords::drop_front() {
  front_ += record_bytes(record_at(front_));
  --size_;
  ++pruned_;
  skip_gone();
}

// Afterwards the front is a live record, or the end.
void IdempotencyRecords::skip_gone() {
  while (front_ != end_) {
    const std::size_t offset = front_ % kChunkBytes;
    if (offset == 0 || tag(record_at(front_)) == 0) {
      drop_front_chunk();
      continue;
    }
    if (!is_gone(record_at(front_))) return;
    front_ += record_bytes(record_at(front_));
    --gone_;
  }
}

// The front moves to the next chunk.
void IdempotencyRecords::drop_front_chunk() {
  front_ = next_chunk(front_);
  if (chunks_.front().unique()) {
    spare_ = std::move(chunks_.front());
    spare_->oldest = INT64_MAX;
    spare_->newest = INT64_MIN;
    spare_->count = spare_->gone = 0;
  }
  chunks_.pop_front();
  ++first_chunk_;
}

// Chunks all of whose records are to go, oldest first: each in one step, so that a million records take a few hundred.
void IdempotencyRecords::prune_front(std::int64_t before, std::uint64_t limit) {
  while (size_ != 0 && limit != 0 && chunks_.front()->newest < before) {
    const Chunk& chunk = *chunks_.front();
    const std::uint64_t live = chunk.count - chunk.gone;
    const bool untouched = front_ % kChunkBytes == kChunkStart;
    if (untouched && chunks_.size() > 1 && live <= limit) {
      size_ -= live;
      pruned_ += live;
      gone_ -= chunk.gone;
      limit -= live;
      drop_front_chunk();
      skip_gone();
    } else {
      drop_front();
      --limit;
    }
  }
}

std::uint64_t IdempotencyRecords::prune(std::int64_t before, std::uint64_t limit) {
  const std::uint64_t size = size_;
  prune_front(before, limit);
  for (std::uint64_t position = front_; position < end_ && size - size_ < limit;) {
    const bool at_end_of_chunk = position % kChunkBytes == 0 || tag(record_at(position)) == 0;
    if (at_end_of_chunk || chunk_of(position).oldest >= before) {
      position = next_chunk(position);
      continue;
    }
    const char* record = record_at(position);
    const std::size_t bytes = record_bytes(record);
    if (!is_gone(record) && created_at(record) < before) mark_gone(position);
    position += bytes;
  }
  const std::uint64_t pruned = size - size_;
  skip_gone();
  compact_if_worthwhile();
  return pruned;
}

// Records in the middle that are gone give their memory back when the front passes them. If the front stands still (a
// clock was set back), they would pile up.
void IdempotencyRecords::compact_if_worthwhile() {
  if (gone_ >= size_ + kGoneWorthCompacting) compact();
}

[[gnu::noinline]] void IdempotencyRecords::compact() {
  const IdempotencyView all = view();
  for (Table& table : tables_) table = Table();
  gone_ = 0;
  chunks_.clear();
  front_ = end_ = next_chunk(end_) - kChunkStart;  // nothing, and so the next record opens a chunk
  all.for_each([this](IdempotencyRecord record) {
    record.key = key(record.key.text);
    insert(record.key, append(record));
    return true;
  });
}

std::size_t IdempotencyRecords::memory_bytes() const {
  std::size_t bytes = (chunks_.size() + (spare_ ? 1 : 0)) * (kChunkBytes + sizeof(Chunk)) + sizeof(*this);
  for (const Table& table : tables_) bytes += table.buckets.capacity() * sizeof(Bucket);
  return bytes;
}

IdempotencyView IdempotencyRecords::view() const {
  IdempotencyView view;
  view.chunks_.assign(chunks_.begin(), chunks_.end());
  view.front_ = front_;
  view.end_ = end_;
  view.size_ = size_;
  return view;
}

const char* IdempotencyView::next(std::uint64_t& position) const {
  while (position < end_) {
    const char* record = chunks_[static_cast<std::size_t>(position / kChunkBytes - front_ / kChunkBytes)]->bytes.get() +
                         position % kChunkBytes;
    if (position % kChunkBytes == 0 || tag(record) == 0) {
      position = next_chunk(position);
      continue;
    }
    position += record_bytes(record);
    if (!is_gone(record)) return record;
  }
  return nullptr;
}

IdempotencyRecord IdempotencyView::decode(const char* bytes) {
  IdempotencyRecord record;
  record.key.text = key_of(bytes);
  record.operation = static_cast<OperationId>(tag(bytes) & ~kGone);
  record.created_at = created_at(bytes);
  record.content = RequestContent::of_bytes(content_of(bytes), has_fingerprint(bytes));
  const auto lengths = static_cast<unsigned char>(bytes[4]);
  const char* const numbers = record.key.text.data() + record.key.text.size();
  get_short_number(get_short_number(numbers, lengths & 0xFu, record.first), lengths >> 4u, record.second);
  return record;
}

void IdempotencyRecords::check_invariants() const {
  std::uint64_t count = 0;
  view().for_each([&](const IdempotencyRecord& record) {
    const std::optional<std::uint64_t> position = find_position(key(record.key.text));
    KARMA_CHECK(position.has_value());
    KARMA_CHECK(key_of(record_at(*position)).data() == record.key.text.data());
    ++count;
    return true;
  });
  KARMA_CHECK(count == size_);
  std::uint64_t used = 0;
  for (const Table& table : tables_) {
    used += table.used;
    std::uint64_t filled = 0;
    for (const Bucket& bucket : table.buckets)
      filled += Bucket::kSlots - static_cast<std::size_t>(std::popcount(bucket.matching(0)));
    KARMA_CHECK(filled == table.used);
  }
  KARMA_CHECK(used >= size_);
}

}  // namespace karma::store
