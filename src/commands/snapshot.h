// snapshot.*: all on the snapshot worker, since they wait for the disk.
#pragma once

#include <string>

#include "commands/op.h"
#include "commands/snapshot_replies.h"

namespace karma::commands {

inline void reply_saved(Buffer& out, std::string_view series, std::string_view verb) {
  json::append_string(out, "Tree \"" + std::string(series) + "\" " + std::string(verb));
}

struct SnapshotCreate : OfSeries {
  static constexpr Spec kSpec{.name = "snapshot.create", .command = "dump"};

  Status run(Services& services, Buffer& out) const {
    Status status = services.create_snapshot(std::string(series.text));
    if (status) reply_saved(out, series.text, "saved");
    return status;
  }
};

struct SnapshotCreateAll : NoFields {
  static constexpr Spec kSpec{.name = "snapshot.create_all", .command = "dump_all"};

  Status run(Services& services, Buffer& out) const {
    Status status = services.create_all_snapshots();
    if (status) reply_ok(out);
    return status;
  }
};

struct SnapshotList : NoFields {
  static constexpr Spec kSpec{.name = "snapshot.list", .command = "dumps", .access = Access::read};

  Status run(Services& services, Buffer& out) const {
    Result<std::vector<snapshot::Meta>> files = services.snapshots().list();
    if (!files) return files.error();
    append_list(out, files->size(),
                [&](std::size_t i) { json::append_string(out, services.snapshot_path((*files)[i].file)); });
    return {};
  }
};

struct SnapshotInfo : NoFields {
  static constexpr Spec kSpec{.name = "snapshot.info", .command = "snapshot_info", .access = Access::read};

  Status run(Services& services, Buffer& out) const {
    Result<std::vector<snapshot::Meta>> files = services.snapshots().list();
    if (!files) return files.error();
    Result<CurrentSnapshots> current = current_snapshots(services.snapshots());
    if (!current) return current.error();
    out.append('{');
    append_field(out, "dump_count", files->size());
    json::append_name(out, "latest_by_tree");
    append_list(out, current->latest.size(), [&](std::size_t i) { append_meta(out, current->latest[i]); });
    json::append_name(out, "idempotency_snapshot");
    if (current->exactly_once) {
      append_meta(out, *current->exactly_once);
    } else {
      out.append("null");
    }
    const LogState log = services.log_state();
    append_field(out, "last_snapshot_lsn", current->last_lsn.value);
    append_truth_field(out, "wal_enabled", log.enabled);
    append_field(out, "wal_bytes", log.bytes);
    append_field(out, "wal_current_lsn", log.current.value);
    append_field(out, "dump_retention_per_tree", services.snapshot_retention());
    out.append('}');
    return {};
  }
};

// Replaces the series through the log, so that it holds after a restart and on slaves.
struct SnapshotLoad {
  static constexpr Spec kSpec{.name = "snapshot.load", .command = "load", .deletes = true};
  std::string_view file;

  static void describe(auto& self, auto& fields) { fields.file(self.file); }
  Status run(Services& services, Buffer& out) const {
    Result<std::string> series = services.load_snapshot(std::string(file));
    if (!series) return series.error();
    reply_saved(out, *series, "loaded");
    return {};
  }
};

struct SnapshotFetch {
  static constexpr Spec kSpec{.name = "snapshot.fetch", .command = "snapshot_fetch", .access = Access::read};
  std::string_view file;

  static void describe(auto& self, auto& fields) { fields.file(self.file); }
  Status run(Services& services, Buffer& out) const {
    Result<snapshot::Meta> meta = services.snapshots().meta(std::string(file));
    if (!meta) return meta.error();
    // Base64 takes four bytes for three: refused before the file is read.
    if (meta->bytes > snapshot::kMaxReadBytes || services.over_response_limit(meta->bytes / 3 * 4))
      return Error{ErrorCode::response_too_large, "Snapshot is too large for one response; use snapshot.fetch_chunk"};
    Result<std::string> bytes = services.snapshots().read(std::string(file), 0, meta->bytes);
    if (!bytes) return bytes.error();
    if (bytes->size() != meta->bytes)
      return internal_error(meta->file + " has " + std::to_string(bytes->size()) + " bytes instead of " +
                            std::to_string(meta->bytes));
    out.append(R"({"metadata":)");
    append_meta(out, *meta);
    append_data(out, *bytes);
    return {};
  }
};

// A piece of a file.
struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t limit = 0;

  static void describe(auto& self, auto& fields) {
    fields.number_or_0(Field::offset, self.offset);
    fields.limit(self.limit, protocol::kDefaultChunkBytes, protocol::kMaxChunkBytes);
  }
};

struct SnapshotFetchChunk : Piece {
  static constexpr Spec kSpec{
      .name = "snapshot.fetch_chunk", .command = "snapshot_fetch_chunk", .access = Access::read, .quick = true};
  std::string_view file;

  static void describe(auto& self, auto& fields) {
    fields.file(self.file);
    Piece::describe(self, fields);
  }
  Status run(Services& services, Buffer& out) const {
    Result<snapshot::Meta> meta = services.snapshots().meta(std::string(file));
    if (!meta) return meta.error();
    if (offset > meta->bytes) return validation_error("Field offset exceeds snapshot size");
    services.piece_fetched(meta->last_lsn);
    return reply_chunk(out, services, *meta, offset, limit);
  }
};

// The exactly-once state's snapshot in pieces, as replicas fetch it.
struct IdempotencySnapshotFetchChunk : Piece {
  static constexpr Spec kSpec{.name = "idempotency.snapshot_fetch_chunk",
                              .command = "idempotency_snapshot_fetch_chunk",
                              .access = Access::read,
                              .quick = true};

  Status run(Services& services, Buffer& out) const {
    Result<std::optional<snapshot::ExactlyOnceMeta>> meta = services.snapshots().exactly_once_meta();
    if (!meta) return meta.error();
    if (!*meta) return Error{ErrorCode::not_found, "Idempotency snapshot not found"};
    if (offset > (*meta)->bytes) return validation_error("Field offset exceeds idempotency snapshot size");
    services.piece_fetched((*meta)->last_lsn);
    return reply_chunk(out, services, **meta, offset, limit);
  }
};

// The manifest in pieces: a replica that has it knows which files are one set, and their checksums.
struct SnapshotManifestFetchChunk : Piece {
  static constexpr Spec kSpec{.name = "snapshot.manifest_fetch_chunk",
                              .command = "snapshot_manifest_fetch_chunk",
                              .access = Access::read,
                              .quick = true};

  // It may be replaced between two pieces: a replica checks the checksum of the whole.
  Status run(Services& services, Buffer& out) const {
    const Result<std::uint64_t> bytes = services.snapshots().manifest_bytes();
    if (!bytes) return bytes.error();
    if (offset > *bytes) return validation_error("Field offset exceeds manifest size");
    if (offset == 0) {
      const Result<Lsn> wanted_after = services.snapshots().log_wanted_after();
      if (!wanted_after) return wanted_after.error();
      services.list_fetched(*wanted_after);
    } else {
      services.piece_fetched(services.log_state().current);
    }
    return reply_chunk(out, services, ManifestMeta{*bytes}, offset, limit);
  }
};

struct SnapshotVerify : NoFields {
  static constexpr Spec kSpec{.name = "snapshot.verify", .command = "verify", .access = Access::read, .heavy = true};

  Status run(Services& services, Buffer& out) const {
    Result<Verified> verified = services.verify();
    if (!verified) return verified.error();
    out.append(R"({"status":"ok")");
    append_field(out, "dump_count", verified->dump_count);
    append_field(out, "trees", verified->trees);
    append_field(out, "keys", verified->keys);
    append_field(out, "snapshot_metadata_checked", verified->metadata_checked);
    append_field(out, "snapshot_missing_metadata", verified->missing_metadata);
    append_field(out, "restore_snapshot_lsn", verified->snapshot_lsn.value);
    append_field(out, "wal_entries_checked", verified->wal_entries);
    append_field(out, "wal_first_lsn", verified->wal_first.value);
    append_field(out, "wal_last_lsn", verified->wal_last.value);
    append_field(out, "wal_lsn_file", verified->wal_lsn_file.value);
    out.append('}');
    return {};
  }
};

}  // namespace karma::commands
