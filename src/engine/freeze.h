// The whole state as a snapshot takes it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <karma/types.h>

#include "snapshot/manager.h"
#include "store/store.h"

namespace karma::engine {

// All series by name, ascending. On the thread that changes the store: costs one reference count for each series.
std::vector<std::pair<std::string, store::SeriesView>> pin_series(const store::Store& store);

// Likewise, with the exactly-once state.
snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn);

}  // namespace karma::engine
