// How a read looks at the state: briefly under the lock for points, on a frozen view for everything long.
#pragma once

#include <chrono>
#include <mutex>
#include <string_view>

#include <karma/clock.h>
#include <karma/error.h>

#include "core/arena.h"
#include "store/store.h"

namespace karma::commands {

class Services;

inline Error no_such_series(std::string_view name) {
  return {ErrorCode::not_found, "Tree \"" + std::string(name) + "\" not found"};
}

// For one request on one thread.
class Reads {
 public:
  Reads(const store::Store& store, store::StoreLock::Reader& reader, Services& services, Arena& arena)
      : store_(store), reader_(reader), services_(services), arena_(arena) {}

  // 0: no limit. For ops that may take long; the time begins now.
  void set_query_timeout(const Clock& clock, int milliseconds) {
    clock_ = &clock;
    timeout_ms_ = milliseconds;
    if (milliseconds > 0) deadline_ = clock.steady() + std::chrono::milliseconds(milliseconds);
  }
  bool expired() const { return timeout_ms_ > 0 && clock_->steady() > deadline_; }
  store::Interrupt interrupt() const {
    return [this] { return expired(); };
  }
  Error timeout_error() const {
    return {ErrorCode::query_timeout, "Query exceeded " + std::to_string(timeout_ms_) + " ms"};
  }

  // Calls look(series) under the lock; not_found if there is no such series.
  template <class Look>
  Status series(std::string_view name, Look&& look) {
    {
      std::lock_guard lock(reader_);
      if (const store::Series* found = store_.find(name)) {
        look(*found);
        return {};
      }
    }
    return no_such_series(name);
  }

  // Calls look(store) under the lock.
  template <class Look>
  void store(Look&& look) {
    std::lock_guard lock(reader_);
    look(store_);
  }

  // What the series is now, to be read at leisure.
  Result<store::SeriesView> view(std::string_view name) {
    std::lock_guard lock(reader_);
    const store::Series* found = store_.find(name);
    if (found == nullptr) return no_such_series(name);
    return found->view();
  }

  store::KeyWindows& key_windows() const { return store_.key_windows(); }
  Services& services() { return services_; }
  Arena& arena() { return arena_; }

 private:
  const store::Store& store_;
  store::StoreLock::Reader& reader_;
  Services& services_;
  Arena& arena_;
  const Clock* clock_ = nullptr;
  int timeout_ms_ = 0;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace karma::commands
