// What only this node had before it took over its master's data: the log of the copy that was put aside
// (snapshot/adoption.h), from where the two histories part, as lines that `karma import` counts.
//
//   only-here.ndjson        {"series":"links","key":42,"bucket":20260505,"value":10,"lsn":7}: an addition each, for
//                           `karma import FILE`, which counts each line once, however often it is run
//   only-here-rest.ndjson   {"lsn":8,"why":"…","entry":{…}}: entries that are no additions, or that the present data
//                           may have, too: for people. Also what is in the snapshots of the copy only
//
// Both are written anew from the copy until only-here.ndjson is there, which comes last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

#include "engine/history.h"
#include "snapshot/manager.h"
#include "store/store.h"
#include "store/store_lock.h"

namespace karma::engine {

inline constexpr std::string_view kOnlyHereName = "only-here.ndjson";
inline constexpr std::string_view kOnlyHereRestName = "only-here-rest.ndjson";

// The data of now. It should have caught up with its master: keys and streams that it knows are not counted again.
struct Present {
  const History& history;
  const store::Store& store;
  store::StoreLock::Reader& reader;
  std::int64_t now = 0;  // as in decode_entry()
};

struct OnlyHere {
  Lsn fork;                                              // the last entry that both have
  Lsn last;                                              // the last one of the copy
  std::uint64_t points = 0;                              // in the one file
  std::uint64_t rest = 0;                                // lines in the other
  std::string to_string(const std::string& copy) const;  // for people
};

// Of the copy of that name in the directory. Nothing: it is there already. An Error says why it cannot be known, or
// written.
Result<std::optional<OnlyHere>> write_only_here(FileSystem& files, const std::string& directory,
                                                const std::string& copy, const Present& present,
                                                const snapshot::Manager::Stopped& stopped);

}  // namespace karma::engine
