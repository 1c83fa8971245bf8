// A slave's name for itself, which it tells its master: chosen once, and kept when its data is copied anew. Without the
// file a node would count as two slaves after a restart. A copy of the data directory counts as the same slave.
//
// karma.replica.json: {"format":1,"replica":"<32 hex digits>","crc32c":…}
#pragma once

#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma::engine {

inline constexpr std::string_view kReplicaIdName = "karma.replica.json";

// Empty if there is no file. Error: it is damaged.
Result<std::string> read_replica_id(FileSystem& files, const std::string& directory);
// Chooses one and writes it down if there is none.
Result<std::string> own_replica_id(FileSystem& files, const std::string& directory);

}  // namespace karma::engine
