// The manifest and the sidecars.
//
// The manifest: which files make up the current state. A set of files counts once the manifest that lists it has been
// renamed into place; its checksums are what damage to any file of the set is noticed by.
//
// One line of JSON. Its last field, crc32c, is the CRC-32C of all bytes before `,"crc32c":`.
//
// A sidecar: one line of JSON beside each snapshot file, with exactly the fields of Karma 1.0 in its order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>
#include <karma/types.h>

#include "snapshot/manager.h"
#include "store/digest.h"

namespace karma::snapshot {

struct ManifestFile {
  Meta meta;
  // Unknown for files of Karma 1.0 that were never read.
  std::optional<std::uint32_t> crc;
  std::optional<std::uint32_t> sidecar_crc;  // also none if there was no sidecar
  std::optional<store::Digest> digest;       // of the series when it was written; likewise
};

struct ManifestExactlyOnce {
  ExactlyOnceMeta meta;
  std::uint32_t crc = 0;
  std::optional<std::uint32_t> sidecar_crc;
};

struct Manifest {
  std::uint64_t generation = 1;  // one more than the one before
  std::int64_t timestamp = 0;    // not below that of any file known then
  Lsn lsn;                       // of the last whole set; series that are not listed did not exist there
  // No snapshot existed when the log began: entries from 1 on are all there is to know about any series.
  bool log_complete = false;
  // The last set that held changes which no log has. Nothing at or below it can be brought forward by the log.
  std::optional<Lsn> unlogged_lsn;
  std::vector<ManifestFile> series;  // the set: one file a series, names ascending
  std::vector<ManifestFile> older;   // other snapshot files that were there; they may have been pruned since
  std::optional<ManifestExactlyOnce> exactly_once;
  std::vector<KnownOutcome> outcomes;  // of entries above the exactly-once state's LSN, LSNs ascending

  bool has_set() const { return lsn != Lsn{} || log_complete; }
  // The last moment at which all series are known. Without a set of this version the exactly-once state tells: a Karma
  // 1.0 writes it beside all series. Snapshots of single series tell nothing of the others.
  Lsn all_known() const { return has_set() ? lsn : exactly_once ? exactly_once->meta.last_lsn : Lsn{}; }
};

struct CurrentSet;  // current_set.h
std::string encode_manifest(const CurrentSet& set);
std::string encode_manifest_file(const ManifestFile& file);
// Error: what is wrong with it, without the name of the file. `newer`: a newer Karma wrote it, its checksum is right,
// and this one cannot read it.
Result<Manifest> decode_manifest(std::string_view text, bool* newer = nullptr);

std::string encode_sidecar(const Meta& meta);
std::string encode_sidecar(const ExactlyOnceMeta& meta);
// Nothing if the text is not a JSON object or lacks a field. More fields than these are fine.
std::optional<Meta> decode_sidecar(std::string_view text);
std::optional<ExactlyOnceMeta> decode_exactly_once_sidecar(std::string_view text);

}  // namespace karma::snapshot
