// What responses tell of snapshot files.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands/replies.h"
#include "core/base64.h"
#include "snapshot/manager.h"

namespace karma::commands {

inline void append_meta(Buffer& out, const snapshot::Meta& meta) {
  out.append('{');
  append_field(out, "tree", meta.series);
  append_field(out, "file", meta.file);
  json::append_signed_field(out, "timestamp", meta.timestamp);
  append_field(out, "bytes", meta.bytes);
  append_field(out, "last_lsn", meta.last_lsn.value);
  append_field(out, "metadata_file", meta.file + ".meta.json");
  out.append('}');
}

inline void append_meta(Buffer& out, const snapshot::ExactlyOnceMeta& meta) {
  out.append('{');
  append_field(out, "file", snapshot::kExactlyOnceName);
  json::append_signed_field(out, "timestamp", meta.timestamp);
  append_field(out, "bytes", meta.bytes);
  append_field(out, "last_lsn", meta.last_lsn.value);
  append_field(out, "record_count", meta.record_count);
  append_field(out, "committed_stream_count", meta.committed_stream_count);
  out.append('}');
}

// The newest snapshots as a replica would take them.
struct CurrentSnapshots {
  std::vector<snapshot::Meta> latest;  // of each series
  std::optional<snapshot::ExactlyOnceMeta> exactly_once;
  // From which the replica would go on, as in 1.0: the least of the series'; without series the exactly-once state's.
  Lsn last_lsn;
};

inline Result<CurrentSnapshots> current_snapshots(snapshot::Manager& snapshots) {
  Result<std::vector<snapshot::Meta>> latest = snapshots.latest();
  if (!latest) return latest.error();
  Result<std::optional<snapshot::ExactlyOnceMeta>> exactly_once = snapshots.exactly_once_meta();
  if (!exactly_once) return exactly_once.error();
  CurrentSnapshots current{std::move(*latest), *exactly_once, {}};
  if (current.exactly_once) current.last_lsn = current.exactly_once->last_lsn;
  for (std::size_t i = 0; i < current.latest.size(); ++i) {
    const Lsn lsn = current.latest[i].last_lsn;
    current.last_lsn = i == 0 ? lsn : std::min(current.last_lsn, lsn);
  }
  return current;
}

// The last field of a response.
inline void append_data(Buffer& out, std::string_view bytes) {
  out.append(R"(,"data_base64":")");
  append_base64(out, bytes);
  out.append(R"("})");
}

inline std::string name_of_file(const snapshot::Meta& meta) { return meta.file; }
inline std::string name_of_file(const snapshot::ExactlyOnceMeta&) { return std::string(snapshot::kExactlyOnceName); }

struct ManifestMeta {
  std::uint64_t bytes = 0;
};

inline std::string name_of_file(const ManifestMeta&) { return std::string(snapshot::kManifestName); }

inline void append_meta(Buffer& out, const ManifestMeta& meta) {
  out.append('{');
  json::append_field(out, "file", snapshot::kManifestName);
  append_field(out, "bytes", meta.bytes);
  out.append('}');
}

// How much of a file fits into a reply: Base64 takes four bytes for three.
inline std::uint64_t piece_bytes(const Services& services, std::uint64_t limit) {
  constexpr std::uint64_t kOverheadBytes = 2048;  // envelope, metadata and numbers
  const std::uint64_t most = services.response_limit();
  if (most == 0) return limit;
  const std::uint64_t room = most > kOverheadBytes ? (most - kOverheadBytes) / 4 * 3 : 0;
  return std::min(limit, std::max<std::uint64_t>(room, 1));
}

// {"metadata":…,"offset":…,…,"data_base64":"…"}: a piece of a snapshot file, shorter than `limit` where a reply cannot
// hold more.
template <class FileMeta>
Status reply_chunk(Buffer& out, Services& services, const FileMeta& meta, std::uint64_t offset, std::uint64_t limit) {
  const Result<std::string> bytes = services.snapshots().read(name_of_file(meta), offset, piece_bytes(services, limit));
  if (!bytes) return bytes.error();
  const std::uint64_t next = offset + bytes->size();
  out.append(R"({"metadata":)");
  append_meta(out, meta);
  append_field(out, "offset", offset);
  append_field(out, "limit", limit);
  append_field(out, "bytes", bytes->size());
  append_field(out, "total_bytes", meta.bytes);
  append_field(out, "next_offset", next);
  append_truth_field(out, "done", next >= meta.bytes);
  append_data(out, *bytes);
  return {};
}

}  // namespace karma::commands
