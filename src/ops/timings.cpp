#include "ops/timings.h"

#include <nlohmann/json.hpp>

#include "core/json_text.h"

namespace karma::ops {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNanosecondsInMs = 1e6;

Json milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / kNanosecondsInMs; }

Json bounds_in_ms() {
  Json bounds = Json::array();
  for (const std::uint64_t bound : kDurationBounds) bounds.push_back(milliseconds(bound));
  return bounds;
}

Json durations(const HistogramFigures& figures) {
  return {{"count", figures.count()}, {"sum_ms", milliseconds(figures.sum)}, {"counts", figures.counts}};
}

}  // namespace

void write_timings(const Timings& timings, Buffer& out) {
  Json requests = Json::object();
  for (const Timings::OfOp& of : timings.requests) requests[std::string(of.op)] = durations(of.durations);
  const HistogramFigures& batch = timings.log_batch;
  json::append_value(out, {{"measured", timings.measured},
                           {"bounds_ms", bounds_in_ms()},
                           {"requests", std::move(requests)},
                           {"log_queue", durations(timings.log_queue)},
                           {"log_sync", durations(timings.log_sync)},
                           {"log_batch_bounds", kSizeBounds},
                           {"log_batch", {{"count", batch.count()}, {"sum", batch.sum}, {"counts", batch.counts}}}});
}

}  // namespace karma::ops
