// The whole state as a snapshot takes it.
#pragma once

#include <karma/types.h>

#include "snapshot/manager.h"
#include "store/store.h"

namespace karma::engine {

// On the thread that changes the store: costs one reference count for each series.
snapshot::Frozen freeze_store(const store::Store& store, Lsn lsn);

}  // namespace karma::engine
