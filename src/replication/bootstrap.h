// Fetches a master's data into a subdirectory of the slave's (snapshot/adoption.h), for Engine::adopt_bootstrap().
//
// The newest snapshot of each series, the exactly-once state, and the part of the log that brings all of them to one
// LSN. From this version the manifest comes first: it lists the files, with it every byte is checked, keyed writes keep
// their first answers, and the set is known to be whole. A Karma 1.0 lists its files in one reply; its set is that of
// the exactly-once state's moment. A node that goes on writing snapshots meanwhile may change the set, or its history:
// then all of it is fetched again, by the caller's next attempt.
#pragma once

#include <functional>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>

#include "replication/source.h"

namespace karma::replication {

struct BootstrapOptions {
  int page_entries = 1000;
  // Of a master with that history: what is fetched ends there or later, which only the log may do. Error: nothing is
  // fetched.
  std::function<Result<Lsn>(const engine::History& history)> reach = [](const auto&) { return Lsn{}; };
  std::function<void(const std::string& text)> on_progress;  // for people, about every second
  std::function<bool()> stopped = [] { return false; };      // gives up, with an Error
};

// False: the master has no snapshots, its log is all there is.
Result<bool> bootstrap(Source& source, FileSystem& files, const std::string& directory,
                       const BootstrapOptions& options);

}  // namespace karma::replication
