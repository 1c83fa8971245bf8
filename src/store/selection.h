// The first few of many values in some order, without sorting the many; and sorting that can be interrupted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "store/series.h"

namespace karma::store {

// Sorts; false, leaving any order, if interrupted. `interrupt` is asked every few thousand values.
template <class Value, class Before>
bool sort_interruptibly(std::vector<Value>& values, Before before, const Interrupt& interrupt) {
  constexpr std::size_t kRun = 8192;
  auto at = [&](std::size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(std::min(i, values.size())); };
  for (std::size_t i = 0; i < values.size(); i += kRun) {
    std::sort(at(i), at(i + kRun), before);
    if (interrupt && interrupt()) return false;
  }
  std::vector<Value> merged(values.size() > kRun ? values.size() : 0);
  for (std::size_t run = kRun; run < values.size(); run *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * run) {
      std::merge(at(i), at(i + run), at(i + run), at(i + 2 * run), merged.begin() + static_cast<std::ptrdiff_t>(i),
                 before);
      if (interrupt && interrupt()) return false;
    }
    values.swap(merged);
  }
  return true;
}

// Keeps the first `limit` of all values offered, in the order given by `before`, which must be total. Holds at most
// twice that many; an offer costs constant time on average.
template <class Value, class Before>
class Selection {
 public:
  Selection(std::size_t limit, std::vector<Value>& result, Before before)
      : limit_(limit), result_(result), before_(before) {
    result_.clear();
  }

  void offer(const Value& value) {
    if (last_ && !before_(value, *last_)) return;
    result_.push_back(value);
    if (result_.size() > limit_ && result_.size() - limit_ >= std::max(limit_, kSlack)) cut();
  }

  // Leaves the selected values in the result, in order. False if interrupted.
  bool finish(const Interrupt& interrupt) {
    if (result_.size() > limit_) cut();
    return sort_interruptibly(result_, before_, interrupt);
  }

 private:
  static constexpr std::size_t kSlack = 64;

  void cut() {
    auto end = result_.begin() + static_cast<std::ptrdiff_t>(limit_);
    if (limit_ > 0) {
      std::nth_element(result_.begin(), end - 1, result_.end(), before_);
      last_ = *(end - 1);
    }
    result_.erase(end, result_.end());
  }

  std::size_t limit_;
  std::vector<Value>& result_;
  Before before_;
  std::optional<Value> last_;  // the last of the first `limit`, so far
};

}  // namespace karma::store
