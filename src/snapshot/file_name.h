// Names of snapshot files: `<unix seconds>_<series>.tree`, the series' bytes as they are, as Karma 1.0 writes them.
//
// Series of old data may have names that no file can have. Their files are called `<unix seconds>_%karma%<name>.tree`
// with %XX for bytes that cannot stand there, or, where that is too long, `<unix seconds>_%karma-long%<hash>%<start>`.
// No other series' file begins with these words (a series that does so itself is escaped too), so the name of the file
// alone tells the series; only of the last form the sidecar or the manifest must tell it. Karma 1.0 takes the escaped
// name for the series' name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace karma::snapshot {

inline constexpr std::string_view kTreeSuffix = ".tree";
inline constexpr std::string_view kSidecarSuffix = ".meta.json";
// A file that is complete but not committed yet (see manager.h); Karma 1.0 does not see it.
inline constexpr std::string_view kStagedSuffix = ".new";

struct FileName {
  std::int64_t timestamp = 0;
  std::string series;
  bool abridged = false;  // `series` is only the file's word for it
};

// Nothing if it is no snapshot's name. Hidden files are none.
std::optional<FileName> parse_file_name(std::string_view file);

std::string make_file_name(std::int64_t timestamp, std::string_view series);

inline std::string sidecar_name(std::string_view file) { return std::string(file) += kSidecarSuffix; }
inline std::string staged_name(std::string_view file) { return std::string(file) += kStagedSuffix; }

// The name without what says that the file is staged, or a sidecar: a snapshot's, if it is a part of one.
inline std::string_view without_suffixes(std::string_view name) {
  for (const std::string_view suffix : {kStagedSuffix, kSidecarSuffix})
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

}  // namespace karma::snapshot
