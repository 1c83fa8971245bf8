// Statistics of requests, counted by each I/O thread for itself and added up on demand.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/decode.h"
#include "ops/stats.h"

namespace karma::engine {

// A number that one thread writes and others read.
class Tally {
 public:
  void add(std::uint64_t count) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(64) RequestStats {
  Tally commands;
  Tally errors;
  Tally query_timeouts;
  Tally batch_reads;
  Tally batch_read_keys;
  Tally batch_writes;
  Tally batch_write_items;
  Tally retentions;
  Tally compactions;
  // Every sixteenth request is timed: reading the clock twice for each would cost more than many of them do.
  Tally timed_requests;
  Tally timed_nanoseconds;
  Tally last_nanoseconds;

  void count_success(const Decoded& request);
  void count_error(ErrorCode code);
  void add_to(ops::Stats& stats) const;  // the caller adds the latencies
};

}  // namespace karma::engine
