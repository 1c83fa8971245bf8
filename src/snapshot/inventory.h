// What is in the directory, and which of it is the current state.
//
//   manifest            files of a series                              its current file
//   none                any                                            the newest
//   none                any, one of them with an unreadable sidecar    the one with the latest timestamp
//   none, renumbered    any                                            the one with the latest timestamp
//   good                listed, nothing newer                          the listed one
//   good                listed; unlisted ones, newer than it           the newest unlisted one
//   good                not listed; unlisted ones, newer than the set  the newest unlisted one
//   good                not listed, nothing newer than the set         none: the series was dropped
//   damaged             any                                            none: refused, or set aside and as without
//
// Newer means a larger LSN, or the same LSN and a later timestamp: a clock that steps back selects no older state.
// Unlisted is what Karma 1.0 wrote after the manifest; it trims the log after its snapshots, so they must be taken.
// Our own files are either listed (as part of the set or as older) or still called `.new`. A listed name with another
// content and a sidecar of a larger LSN was written again by Karma 1.0 within the same second, and counts as unlisted.
//
// Renumbered: a slave of Karma 1.0 that was promoted begins its log at LSN 1 again, so that its later snapshots have
// smaller LSNs than its earlier ones. karma.replication.lsn tells that it was a slave, and a karma.wal.lsn below the
// snapshots that it has trimmed a log since.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <karma/file_system.h>

#include "snapshot/file_name.h"
#include "snapshot/manager.h"
#include "snapshot/manifest.h"

namespace karma::snapshot {

// What is wrong with a file that should be there, and what is told of a file with a fault: people look for one that is
// missing, and not for what has damaged it.
inline constexpr std::string_view kMissing = "it is missing";
inline std::string damage_of(const std::string& file, std::string_view fault) {
  return fault == kMissing ? file + " is missing" : (file + " is damaged: ").append(fault);
}

enum class Origin {
  set,       // the manifest's current file of its series
  older,     // another file that the manifest knows
  unlisted,  // not in the manifest, or there is none
};

// A snapshot file that may be the current one of its series.
struct Candidate {
  ManifestFile file;
  Origin origin = Origin::unlisted;
  std::string disk_name;  // what it is called now: file.meta.file, or that with .new
  bool present = true;
  std::string sidecar_fault;  // why the sidecar tells nothing, if so; the manifest's word counts, else LSN 0
};

struct Inventory {
  std::set<std::string, std::less<>> names;  // of all regular files
  std::optional<Manifest> manifest;
  std::string manifest_fault;         // the manifest is there, but this is wrong with it
  bool manifest_newer = false;        // a newer Karma wrote it, and that is what is wrong
  std::vector<Candidate> candidates;  // of every snapshot with a readable name, and every listed one of the set
  std::optional<std::uint64_t> replication_lsn;
  std::vector<std::string> warnings;

  bool has(std::string_view name) const { return names.contains(name); }
  // For people, with the name of the file.
  std::string manifest_trouble() const {
    return std::string(kManifestName) + (manifest_newer ? " was " : " is damaged: ") + manifest_fault;
  }
};

// `without_manifest`: as if it was not there. A directory that does not exist is empty.
Result<Inventory> take_inventory(FileSystem& files, const std::string& directory, bool without_manifest = false);

// One file of the directory by its name, as if nothing listed it. Nothing if it is not there or has no name of a
// snapshot.
std::optional<Candidate> take_candidate(FileSystem& files, const std::string& directory, const std::string& name);

struct Choice {
  bool renumbered = false;
  // Per series of the state: the current file first, then what might stand in for it, best first.
  std::map<std::string, std::vector<const Candidate*>, std::less<>> series;

  bool is_current(const Candidate& candidate) const {
    const auto found = series.find(candidate.file.meta.series);
    return found != series.end() && found->second.front() == &candidate;
  }
};

Choice choose(const Inventory& inventory, const LogReach& log);

std::optional<std::uint64_t> size_of_file(FileSystem& files, const std::string& path);

struct Sum {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
};
// Of a file that may be too large for the memory.
Result<Sum> checksum(FileSystem& files, const std::string& path);

}  // namespace karma::snapshot
