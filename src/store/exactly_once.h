// Everything besides the series that the log rebuilds: what was answered to idempotent requests, and ingest streams.
//
// As text it is karma.idempotency.json of Karma 1.0, with active streams in a field that 1.0 passes over:
//
//   {"records":[{"key":…,"operation":…,"fingerprint":…,"response":…,"created_at_unix":…},…],
//    "committed_streams":[{"stream_id":…,"mode":…,"granularity":…,"series_name":…,"last_chunk_seq":…,
//                          "begin_fingerprint":…,"chunk_fingerprints":{"1":…},"committed_at_unix":…},…],
//    "active_streams":[{…the same without committed_at_unix…,"staged":[[key,bucket,value],…]},…]}
//
// Records are in the order of their registration; granularity, series_name and staged are left out where there are
// none.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include <karma/error.h>

#include "store/idempotency.h"
#include "store/ingest.h"

namespace karma::store {

// Statistics, not state: what clients did here since the start. Any thread.
struct ExactlyOnceCounters {
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> conflicts{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> chunks_applied{0};
  std::atomic<std::uint64_t> chunks_skipped{0};
  std::atomic<std::uint64_t> chunks_rejected{0};
  std::atomic<std::uint64_t> items_applied{0};
  std::atomic<std::uint64_t> chunk_nanoseconds{0};  // of those applied, from decoded to applied
  std::atomic<std::uint64_t> last_chunk_nanoseconds{0};
};

// The exactly-once state of one moment. Copyable; thread-safe to read.
class ExactlyOnceView {
 public:
  std::uint64_t record_count() const { return records_.size(); }
  std::uint64_t committed_stream_count() const { return streams_.committed_count(); }

  // The text above, without a line feed, in pieces of about 64 KiB. An Error of `sink` ends it and is returned.
  Status write_json(Operations operations, const std::function<Status(std::string_view)>& sink) const;

  const IdempotencyView& records() const { return records_; }
  const IngestView& streams() const { return streams_; }

 private:
  friend class ExactlyOnceState;
  ExactlyOnceView(IdempotencyView records, IngestView streams)
      : records_(std::move(records)), streams_(std::move(streams)) {}
  IdempotencyView records_;
  IngestView streams_;
};

// Changed by whoever has the writer's place alone, with the store's lock held, as for the series.
class ExactlyOnceState {
 public:
  struct Limits {
    IdempotencyRecords::Limits records;
    IngestStreams::Limits streams;
  };

  explicit ExactlyOnceState(std::uint64_t hash_seed);
  ExactlyOnceState(std::uint64_t hash_seed, const Limits& limits);

  // Before anything is in it.
  void set_limits(const Limits& limits);

  IdempotencyRecords& records() { return records_; }
  const IdempotencyRecords& records() const { return records_; }
  IngestStreams& streams() { return streams_; }
  const IngestStreams& streams() const { return streams_; }
  ExactlyOnceCounters& counters() const { return counters_; }

  // Changes content with another one of the same seed; limits and counters stay.
  void swap(ExactlyOnceState& other) {
    records_.swap(other.records_);
    const IngestStreams::Limits limits = streams_.limits();
    std::swap(streams_, other.streams_);
    streams_.set_limits(limits);
  }

  // What it is now, in microseconds, to be written at leisure.
  ExactlyOnceView view() const;

  // Fills an empty exactly-once state from the text. Fields that it does not know are passed over. An Error says what
  // is wrong and where; the exactly-once state is then to be thrown away.
  Status load(std::string_view json, Operations operations);

  // Aborts with a message if an invariant is broken. For tests.
  void check_invariants() const;

 private:
  std::uint64_t hash_seed_;
  IdempotencyRecords records_;
  IngestStreams streams_;
  mutable ExactlyOnceCounters counters_;
};

}  // namespace karma::store
