// What was answered to requests with an idempotency key.
//
// Layout. Records lie one after the other in a queue of chunks, oldest first, packed (idempotency.cpp shows the
// bytes); an open-addressing index, cut into 256 tables that grow one at a time, finds them: 8 bytes a slot, half the
// key's hash and where the record lies, eight slots to a cache line, which are compared at once. A record that is
// forgotten leaves its slot behind, which shows by pointing before the oldest one (or to a record marked as gone), and
// is swept out when its table is full: so that forgetting one record for each that comes touches nothing but the end of
// the queue. So a record costs 50 to 70 bytes and its key, a lookup two cache misses, that of a new key one. With
// std::unordered_map in place of the index, an increment with a key takes 8 % more instructions, logged 7 %, and
// allocates.
//
// Time is an argument, always: it comes from the log entry, so that a replay forgets what was forgotten.
//
// Copy-on-write. A view shares the chunks; records are appended after its end. Only marking a record in the middle as
// gone clones its chunk if a view holds it.
//
// Invariants (check_invariants): each live record is found by its key; size() counts the live ones.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/ref.h"
#include "store/hash.h"
#include "store/operation.h"
#include "store/request_content.h"

namespace karma::store {

inline constexpr std::size_t kMaxIdempotencyKeyBytes = 256;

// A key and its hash, which the I/O threads compute. A view into the request.
struct IdempotencyKey {
  std::string_view text;  // 1 to 256 bytes
  std::uint64_t hash = 0;
};

// Key and content are views.
struct IdempotencyRecord {
  IdempotencyKey key;
  OperationId operation{1};
  RequestContent content;
  std::uint64_t first = 0;  // the outcome, of which the operation's reply is made
  std::uint64_t second = 0;
  std::int64_t created_at = 0;  // Unix seconds
};

class IdempotencyView;

// Changed by one thread at a time. key() and prefetch() may be called from any.
class IdempotencyRecords {
 public:
  struct Limits {
    std::uint64_t max_records = 1000000;
    std::int64_t max_age_seconds = 604800;  // 0: no limit
  };

  IdempotencyRecords(std::uint64_t hash_seed, Limits limits);
  IdempotencyRecords(const IdempotencyRecords&) = delete;
  IdempotencyRecords& operator=(const IdempotencyRecords&) = delete;

  void set_limits(Limits limits) { limits_ = limits; }

  IdempotencyKey key(std::string_view text) const { return {text, hash_text(text, seed_)}; }
  // Fetches ahead what find() will touch.
  void prefetch(const IdempotencyKey& key) const;

  // The record of the key, valid until the next change. Whoever asks for an answer asks also whether it is_too_old().
  std::optional<IdempotencyRecord> find(const IdempotencyKey& key) const;
  bool is_too_old(const IdempotencyRecord& record, std::int64_t now) const {
    return limits_.max_age_seconds != 0 && record.created_at < now - limits_.max_age_seconds;
  }

  // Registers, in place of an earlier record of the key if there is one (whoever logged the entry knew that it had
  // gone), then forgets from the front what exceeds the count, and a few of those that are too old at
  // record.created_at. `is_new`: there is no earlier one, so that it need not be looked for.
  void remember(const IdempotencyRecord& record, bool is_new = false);
  // The same without a look at ages: puts back what a snapshot held, in the same order.
  void load(const IdempotencyRecord& record, bool is_new = false);

  // Forgets records created before `before`, oldest registrations first, at most `limit`. Returns how many.
  std::uint64_t prune(std::int64_t before, std::uint64_t limit);

  // Changes content with another one of the same seed; limits stay. Thread-safe against prefetch().
  void swap(IdempotencyRecords& other);

  std::uint64_t size() const { return size_; }
  // A statistic, not part of the state: records forgotten by count, age and prune().
  std::uint64_t pruned() const { return pruned_; }
  std::size_t memory_bytes() const;

  IdempotencyView view() const;
  void check_invariants() const;

 private:
  friend class IdempotencyView;
  struct Chunk : RefCounted {
    Chunk();
    Chunk(const Chunk& other);
    struct Free {
      void operator()(char* memory) const { std::free(memory); }
    };
    std::unique_ptr<char, Free> bytes;
    std::int64_t oldest = INT64_MAX;  // no record in it was created before
    std::int64_t newest = INT64_MIN;  // or after
    std::uint32_t count = 0;          // of records
    std::uint32_t gone = 0;           // of these, marked as such
  };
  // The index, one of kTables. Slots are filled in their order, so that a bucket is full if its last slot is, and only
  // then is the next bucket looked at.
  struct Slot {
    std::uint32_t tag;   // 0: empty; else of the hash
    std::uint32_t unit;  // of the record's position
  };
  struct alignas(64) Bucket {
    static constexpr std::size_t kSlots = 8;
    std::array<std::uint32_t, kSlots> tags{};
    std::array<std::uint32_t, kSlots> units{};

    bool full() const { return tags.back() != 0; }
    unsigned matching(std::uint32_t tag) const;  // a bit for each slot
    void put(std::size_t place, Slot slot) {
      tags[place] = slot.tag;
      units[place] = slot.unit;
    }
  };
  struct Table {
    std::vector<Bucket> buckets;
    std::uint32_t used = 0;
  };
  static constexpr std::size_t kTables = 256;

  void sweep(Table& table);
  // Where the slot's record lies; end_ or beyond if it is forgotten.
  std::uint64_t position_of(std::uint32_t unit) const;
  const Chunk& chunk_of(std::uint64_t position) const;
  const char* record_at(std::uint64_t position) const;
  // Where the record of the key lies, if there is one.
  std::optional<std::uint64_t> find_position(const IdempotencyKey& key) const;
  void insert(const IdempotencyKey& key, std::uint64_t position);
  std::uint64_t append(const IdempotencyRecord& record);
  void mark_gone(std::uint64_t position);
  void drop_front();
  void drop_front_chunk();
  void prune_front(std::int64_t before, std::uint64_t limit);
  void skip_gone();
  void compact_if_worthwhile();
  void compact();

  std::uint64_t seed_;
  Limits limits_;
  std::deque<Ref<Chunk>> chunks_;
  Ref<Chunk> spare_;               // one that the front has left, for the end: its memory is at hand
  std::uint64_t first_chunk_ = 0;  // number of chunks_.front()
  std::uint64_t front_ = 0;        // position of the oldest record
  std::uint64_t end_ = 0;          // where the next one goes
  std::uint64_t size_ = 0;
  std::uint64_t gone_ = 0;  // records that lie after the front and are forgotten
  std::uint64_t pruned_ = 0;
  std::array<Table, kTables> tables_;
  // For prefetch(): where the buckets of each table are, and the logarithm of their number in the bits that are free.
  // May be outdated, or 0: fetching what is not there does nothing.
  std::array<std::atomic<std::uintptr_t>, kTables> places_{};
};

// The records of one moment, oldest registration first. Thread-safe to read.
class IdempotencyView {
 public:
  std::uint64_t size() const { return size_; }

  // Visits all in order until it returns false. The record is valid during the call; its key's hash is not set.
  template <class Visit>
  void for_each(Visit&& visit) const {
    std::uint64_t position = front_;
    while (const char* bytes = next(position)) {
      if (!visit(decode(bytes))) return;
    }
  }

 private:
  friend class IdempotencyRecords;
  // The live record at or after `position`, which moves after it; nullptr at the end.
  const char* next(std::uint64_t& position) const;
  static IdempotencyRecord decode(const char* bytes);

  std::vector<Ref<IdempotencyRecords::Chunk>> chunks_;
  std::uint64_t front_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace karma::store
