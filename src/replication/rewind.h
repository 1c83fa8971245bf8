// How an old master becomes a slave of the new one without copying its data: it goes back to the fork, the last entry
// that both have, and follows from there.
//
// What it had then is put together in the staging subdirectory (snapshot/adoption.h), for Engine::adopt_bootstrap():
//
//   the last whole set is not above the fork     its exactly-once state; of each series the newest file that is neither
//                                                above the fork nor older than the set; the log from the set on
//   it is above, and no snapshot existed when    the log, from its first entry on
//     the log began, which still has all
//   anything else                                impossible: the exactly-once state of earlier sets is not kept
//
// Entries after the fork are nowhere, nor are outcomes and checkpoints of their time: checkpoints come from the master,
// as after any copy. The directory is only read, and no snapshot is written or removed meanwhile.
#pragma once

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "engine/engine.h"
#include "engine/history.h"
#include "replication/bootstrap.h"

namespace karma::replication {

// An Error says why it cannot be done: the data is to be copied. `master`: its history.
Status rewind(engine::Engine& engine, FileSystem& files, const engine::History& master, Lsn fork,
              const BootstrapOptions& options);

}  // namespace karma::replication
