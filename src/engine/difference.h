// What a slave has to remember of a comparison of state digests that came out different, until it has a new copy: a
// restart must not let it follow on from data that is known to be wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma::engine {

inline constexpr std::string_view kDifferenceName = "karma.difference.json";

struct Difference {
  std::string what;  // for people
  // The subdirectory for the old data, once there is a copy; empty: it is removed. Nothing: not known any more.
  std::optional<std::string> keep_as;
};

// Nothing if there is no file. A damaged one tells that there was a difference, and no more.
std::optional<Difference> read_difference(FileSystem& files, const std::string& directory);
Status write_difference(FileSystem& files, const std::string& directory, const Difference& difference);
// Of a node that follows nobody any more; a copy takes the file away with the old data.
Status forget_difference(FileSystem& files, const std::string& directory);

}  // namespace karma::engine
