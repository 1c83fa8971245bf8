// A record, packed, padded with zeros to a multiple of 8 bytes:
//
//   1   operation; kGone is added when the record is forgotten. 0: no more records in this chunk
//   1   length of the key - 1
//   1   length of the record / 8
//   8   created_at
//   32  fingerprint
//   …   key
//   …   first, second: seven bits a byte, lowest first, the highest bit set on all but the last
//
// Positions count bytes since the beginning, over all chunks; the first 8 bytes of a chunk are never used, so that no
// slot of the index is 0. A slot has room for 32 bits of position / 8: enough to tell apart what lies in 32 GiB.
#include "store/idempotency.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace karma::store {
namespace {

constexpr std::uint8_t kGone = 0x80;
constexpr std::size_t kUnit = 8;
constexpr std::size_t kChunkStart = kUnit;
constexpr std::size_t kChunkBytes = 256 * 1024;
constexpr std::size_t kKeyOffset = 1 + 1 + 1 + 8 + 32;
constexpr std::size_t kMaxVarintBytes = 10;
constexpr std::size_t kMaxRecordBytes =
    (kKeyOffset + kMaxIdempotencyKeyBytes + 2 * kMaxVarintBytes + kUnit - 1) & ~(kUnit - 1);
static_assert(kMaxRecordBytes / kUnit <= UINT8_MAX);

// Positions must stay distinguishable by 32 bits of units, with a chunk to spare at either end.
constexpr std::uint64_t kMaxSpan = (std::uint64_t{1} << 32) * kUnit - 4 * kChunkBytes;

// Records too old that one registration forgets: more than one, so that they go faster than they come, and few, so that
// a pause of a week is not paid for by one write. find() does not depend on it.
constexpr int kAgedPerRecord = 16;
constexpr std::uint64_t kGoneWorthCompacting = 4096;

constexpr std::string_view kOperations[] = {"",      "increment",   "decrement", "batch_add",         "batch_set",
                                            "reset", "batch_reset", "delete",    "batch_delete_range"};

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

char* put_varint(char* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

const char* get_varint(const char* from, std::uint64_t& value) {
  value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*from++);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return from;
  }
}

std::uint8_t tag(const char* record) { return static_cast<std::uint8_t>(record[0]); }
bool is_gone(const char* record) { return (tag(record) & kGone) != 0; }
std::size_t record_bytes(const char* record) { return static_cast<std::uint8_t>(record[2]) * kUnit; }
std::string_view key_of(const char* record) {
  return {record + kKeyOffset, static_cast<std::uint8_t>(record[1]) + std::size_t{1}};
}
std::int64_t created_at(const char* record) {
  std::int64_t time;
  std::memcpy(&time, record + 3, sizeof(time));
  return time;
}

// Where the records of the chunk behind begin; of this one for a position between two chunks.
std::uint64_t next_chunk(std::uint64_t position) {
  return (position + kChunkBytes - 1) / kChunkBytes * kChunkBytes + kChunkStart;
}

std::uint32_t half(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
std::uint32_t unit_of(std::uint64_t position) { return static_cast<std::uint32_t>(position / kUnit); }

}  // namespace

std::string_view to_string(Operation operation) { return kOperations[static_cast<std::size_t>(operation)]; }

std::optional<Operation> operation_of(std::string_view command) {
  const auto* found = std::find(std::begin(kOperations) + 1, std::end(kOperations), command);
  if (found == std::end(kOperations)) return std::nullopt;
  return static_cast<Operation>(found - std::begin(kOperations));
}

IdempotencyRecords::Chunk::Chunk() : bytes(static_cast<char*>(std::calloc(kChunkBytes, 1))) {
  if (!bytes) throw std::bad_alloc();
}

IdempotencyRecords::Chunk::Chunk(const Chunk& other) : RefCounted(other), oldest(other.oldest) {
  bytes.reset(static_cast<char*>(std::malloc(kChunkBytes)));
  if (!bytes) throw std::bad_alloc();
  std::memcpy(bytes.get(), other.bytes.get(), kChunkBytes);
}

IdempotencyRecords::IdempotencyRecords(std::uint64_t hash_seed, Limits limits) : seed_(hash_seed), limits_(limits) {}

std::uint64_t IdempotencyRecords::hash(std::string_view text) const {
  constexpr std::uint64_t kOdd = 0xA0761D6478BD642F;
  std::uint64_t state = mix(seed_ ^ kOdd, (text.size() + 1) ^ 0xE7037ED1A0B428DB);
  const std::uint64_t secret = (seed_ * 0xD1342543DE82EF95) | 1;
  const char* from = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, from += 8) {
    std::uint64_t word;
    std::memcpy(&word, from, 8);
    state = mix(state ^ word, secret);
  }
  std::uint64_t word = 0;
  if (left != 0) std::memcpy(&word, from, left);
  return mix(mix(state ^ word, secret) ^ seed_, kOdd);
}

std::uint64_t IdempotencyRecords::position_of(std::uint64_t slot) const {
  const std::uint32_t units = static_cast<std::uint32_t>(slot) - unit_of(front_);
  return front_ + static_cast<std::uint64_t>(units) * kUnit;
}

const IdempotencyRecords::Chunk& IdempotencyRecords::chunk_of(std::uint64_t position) const {
  return *chunks_[static_cast<std::size_t>(position / kChunkBytes - first_chunk_)];
}

const char* IdempotencyRecords::record_at(std::uint64_t position) const {
  return chunk_of(position).bytes.get() + position % kChunkBytes;
}

void IdempotencyRecords::prefetch(const IdempotencyKey& key) const {
  const Table& table = tables_[key.hash >> 56];
  if (!table.slots.empty()) __builtin_prefetch(&table.slots[half(key.hash) & (table.slots.size() - 1)]);
}

std::uint64_t* IdempotencyRecords::find_slot(const IdempotencyKey& key) const {
  Table& table = tables_[key.hash >> 56];
  if (table.slots.empty()) return nullptr;
  const std::size_t mask = table.slots.size() - 1;
  for (std::size_t i = half(key.hash) & mask; table.slots[i] != 0; i = (i + 1) & mask) {
    if (table.slots[i] >> 32 != half(key.hash)) continue;
    if (key_of(record_at(position_of(table.slots[i]))) == key.text) return &table.slots[i];
  }
  return nullptr;
}

std::uint64_t* IdempotencyRecords::slot_of(Table& table, std::uint64_t hash, std::uint32_t unit) {
  const std::uint64_t wanted = static_cast<std::uint64_t>(half(hash)) << 32 | unit;
  const std::size_t mask = table.slots.size() - 1;
  std::size_t i = half(hash) & mask;
  while (table.slots[i] != wanted) i = (i + 1) & mask;
  return &table.slots[i];
}

void IdempotencyRecords::put(Table& table, std::uint64_t slot) {
  const std::size_t mask = table.slots.size() - 1;
  std::size_t i = (slot >> 32) & mask;
  while (table.slots[i] != 0) i = (i + 1) & mask;
  table.slots[i] = slot;
}

void IdempotencyRecords::insert(const IdempotencyKey& key, std::uint64_t position) {
  Table& table = tables_[key.hash >> 56];
  if ((table.used + 1) * 4 > table.slots.size() * 3) {
    std::vector<std::uint64_t> old(table.slots.empty() ? 16 : table.slots.size() * 2);
    old.swap(table.slots);
    for (const std::uint64_t slot : old)
      if (slot != 0) put(table, slot);
  }
  put(table, static_cast<std::uint64_t>(half(key.hash)) << 32 | unit_of(position));
  ++table.used;
}

// Moves what follows one place forward where it may, so that no search ends too early.
void IdempotencyRecords::erase(Table& table, std::uint64_t* slot) {
  const std::size_t mask = table.slots.size() - 1;
  std::size_t hole = static_cast<std::size_t>(slot - table.slots.data());
  for (std::size_t i = (hole + 1) & mask; table.slots[i] != 0; i = (i + 1) & mask) {
    const std::size_t home = (table.slots[i] >> 32) & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    table.slots[hole] = table.slots[i];
    hole = i;
  }
  table.slots[hole] = 0;
  --table.used;
}

void IdempotencyRecords::remove_from_index(std::uint64_t position) {
  const std::uint64_t key_hash = hash(key_of(record_at(position)));
  Table& table = tables_[key_hash >> 56];
  erase(table, slot_of(table, key_hash, unit_of(position)));
}

std::optional<IdempotencyRecord> IdempotencyRecords::find(const IdempotencyKey& key, std::int64_t now) const {
  const std::uint64_t* slot = find_slot(key);
  if (slot == nullptr) return std::nullopt;
  const char* bytes = record_at(position_of(*slot));
  if (limits_.max_age_seconds != 0 && created_at(bytes) < now - limits_.max_age_seconds) return std::nullopt;
  IdempotencyRecord record = IdempotencyView::decode(bytes);
  record.key = key;
  return record;
}

std::uint64_t IdempotencyRecords::append(const IdempotencyRecord& record) {
  char packed[kMaxRecordBytes] = {};
  packed[0] = static_cast<char>(record.operation);
  packed[1] = static_cast<char>(record.key.text.size() - 1);
  std::memcpy(packed + 3, &record.created_at, 8);
  std::memcpy(packed + 11, record.fingerprint.data(), record.fingerprint.size());
  std::memcpy(packed + kKeyOffset, record.key.text.data(), record.key.text.size());
  const char* end = put_varint(put_varint(packed + kKeyOffset + record.key.text.size(), record.first), record.second);
  const std::size_t units = (static_cast<std::size_t>(end - packed) + kUnit - 1) / kUnit;
  packed[2] = static_cast<char>(units);

  const bool chunk_is_full = end_ % kChunkBytes == 0 || end_ % kChunkBytes + units * kUnit > kChunkBytes;
  if (chunk_is_full) {
    const bool was_empty = front_ == end_;
    if (was_empty) chunks_.clear();
    end_ = next_chunk(end_);
    if (was_empty) front_ = end_;
    if (was_empty) first_chunk_ = end_ / kChunkBytes;
    chunks_.push_back(Ref<Chunk>(new Chunk));
  }
  Chunk& chunk = *chunks_.back();
  std::memcpy(chunk.bytes.get() + end_ % kChunkBytes, packed, units * kUnit);
  chunk.oldest = std::min(chunk.oldest, record.created_at);
  return std::exchange(end_, end_ + units * kUnit);
}

void IdempotencyRecords::load(const IdempotencyRecord& record) {
  KARMA_CHECK(!record.key.text.empty() && record.key.text.size() <= kMaxIdempotencyKeyBytes);
  if (std::uint64_t* slot = find_slot(record.key)) {
    const std::uint64_t position = position_of(*slot);
    erase(tables_[record.key.hash >> 56], slot);
    mark_gone(position);
    skip_gone();
  }
  const std::uint64_t position = append(record);
  insert(record.key, position);
  ++size_;

  while (size_ > limits_.max_records || end_ - front_ > kMaxSpan) drop_front();
}

void IdempotencyRecords::remember(const IdempotencyRecord& record) {
  load(record);
  if (limits_.max_age_seconds != 0) {
    const std::int64_t oldest = record.created_at - limits_.max_age_seconds;
    for (int i = 0; i < kAgedPerRecord && size_ != 0 && created_at(record_at(front_)) < oldest; ++i) drop_front();
  }
  compact_if_worthwhile();
}

// Of a record that is out of the index already.
void IdempotencyRecords::mark_gone(std::uint64_t position) {
  Ref<Chunk>& chunk = chunks_[static_cast<std::size_t>(position / kChunkBytes - first_chunk_)];
  if (!chunk.unique()) chunk = Ref<Chunk>(new Chunk(*chunk));
  chunk->bytes.get()[position % kChunkBytes] |= static_cast<char>(kGone);
  --size_;
  ++gone_;
  ++pruned_;
}

void IdempotencyRecords::drop_front() {
  remove_from_index(front_);
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
      front_ = next_chunk(front_);
      chunks_.pop_front();
      ++first_chunk_;
      continue;
    }
    if (!is_gone(record_at(front_))) return;
    front_ += record_bytes(record_at(front_));
    --gone_;
  }
}

std::uint64_t IdempotencyRecords::prune(std::int64_t before, std::uint64_t limit) {
  const std::uint64_t size = size_;
  for (std::uint64_t position = front_; position < end_ && size - size_ < limit;) {
    const bool at_end_of_chunk = position % kChunkBytes == 0 || tag(record_at(position)) == 0;
    if (at_end_of_chunk || chunk_of(position).oldest >= before) {
      position = next_chunk(position);
      continue;
    }
    const char* record = record_at(position);
    const std::size_t bytes = record_bytes(record);
    if (!is_gone(record) && created_at(record) < before) {
      remove_from_index(position);
      mark_gone(position);
    }
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
  if (gone_ < size_ + kGoneWorthCompacting) return;
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
  std::size_t bytes = chunks_.size() * (kChunkBytes + sizeof(Chunk)) + sizeof(*this);
  for (const Table& table : tables_) bytes += table.slots.capacity() * sizeof(std::uint64_t);
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
  record.operation = static_cast<Operation>(tag(bytes) & ~kGone);
  record.created_at = created_at(bytes);
  std::memcpy(record.fingerprint.data(), bytes + 11, record.fingerprint.size());
  get_varint(get_varint(bytes + kKeyOffset + record.key.text.size(), record.first), record.second);
  return record;
}

void IdempotencyRecords::check_invariants() const {
  std::uint64_t count = 0;
  view().for_each([&](const IdempotencyRecord& record) {
    const std::uint64_t* slot = find_slot(key(record.key.text));
    KARMA_CHECK(slot != nullptr);
    KARMA_CHECK(key_of(record_at(position_of(*slot))).data() == record.key.text.data());
    ++count;
    return true;
  });
  KARMA_CHECK(count == size_);
  std::uint64_t used = 0;
  for (const Table& table : tables_) {
    used += table.used;
    std::size_t filled = 0;
    for (const std::uint64_t slot : table.slots) filled += slot != 0;
    KARMA_CHECK(filled == table.used);
  }
  KARMA_CHECK(used == size_);
}

}  // namespace karma::store
