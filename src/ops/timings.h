// How long things took, and how many at a time: what the histograms of a node hold.
#pragma once

#include <string_view>
#include <vector>

#include "core/buffer.h"
#include "core/histogram.h"

namespace karma::ops {

struct Timings {
  struct OfOp {
    std::string_view op;
    HistogramFigures durations;
  };
  bool measured = true;        // otherwise nothing is counted here
  std::vector<OfOp> requests;  // of ops that were asked for
  HistogramFigures log_queue;
  HistogramFigures log_batch;  // entries
  HistogramFigures log_sync;
};

// The response of system.histograms, a JSON object.
void write_timings(const Timings& timings, Buffer& out);

}  // namespace karma::ops
