#include "engine/request_times.h"

#include <utility>

#include "commands/catalog.h"
#include "core/check.h"

namespace karma::engine {

RequestTimes::RequestTimes(const Clock& clock) : clock_(clock), first_op_(commands::catalog().data()) {
  KARMA_CHECK(commands::catalog().size() <= kMaxOps);
  ops_.reserve(kMaxOps);
}

void RequestTimes::end_wake_up() {
  if (!ops_.empty()) {
    const auto took = clock_.steady() - wake_up_;
    for (const std::size_t op : ops_) durations_[op].add(took, std::exchange(answered_[op], 0));
    ops_.clear();
  }
  wake_up_ = Time();
}

void RequestTimes::add_to(std::vector<HistogramFigures>& figures) const {
  figures.resize(commands::catalog().size());
  for (std::size_t i = 0; i < figures.size(); ++i) durations_[i].add_to(figures[i]);
}

}  // namespace karma::engine
