// Statistics of requests, counted by each I/O thread for itself and added up on demand.
#pragma once

#include <memory>

#include "core/tally.h"
#include "engine/decode.h"
#include "engine/request_times.h"
#include "ops/stats.h"

namespace karma::engine {

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
  std::unique_ptr<RequestTimes> times;  // nullptr: nobody asks for them

  void count_success(const Decoded& request);
  void count_error(ErrorCode code);
  void add_to(ops::Stats& stats) const;  // the caller adds the latencies
};

}  // namespace karma::engine
