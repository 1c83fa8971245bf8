#include "commands/snapshot.h"

#include "commands/replies.h"
#include "commands/services.h"
#include "commands/snapshot_replies.h"
#include "core/base64.h"

namespace karma::commands {
namespace {

void reply_saved(Buffer& out, std::string_view series, std::string_view verb) {
  json::append_string(out, "Tree \"" + std::string(series) + "\" " + std::string(verb));
}

}  // namespace

Status SnapshotCreate::run(Services& services, Buffer& out) const {
  Status status = services.create_snapshot(std::string(series.text));
  if (status) reply_saved(out, series.text, "saved");
  return status;
}

Status SnapshotCreateAll::run(Services& services, Buffer& out) const {
  Status status = services.create_all_snapshots();
  if (status) reply_ok(out);
  return status;
}

Status SnapshotList::run(Services& services, Buffer& out) const {
  Result<std::vector<snapshot::Meta>> files = services.snapshots().list();
  if (!files) return files.error();
  out.append('[');
  for (std::size_t i = 0; i < files->size(); ++i) {
    if (i != 0) out.append(',');
    json::append_string(out, services.snapshot_path((*files)[i].file));
  }
  out.append(']');
  return {};
}

Status SnapshotInfo::run(Services& services, Buffer& out) const {
  Result<std::vector<snapshot::Meta>> files = services.snapshots().list();
  if (!files) return files.error();
  Result<CurrentSnapshots> current = current_snapshots(services.snapshots());
  if (!current) return current.error();
  out.append('{');
  json::append_field(out, "dump_count", files->size());
  out.append(R"(,"latest_by_tree":)");
  append_metas(out, current->latest);
  out.append(R"(,"idempotency_snapshot":)");
  if (current->exactly_once) {
    append_exactly_once_meta(out, *current->exactly_once);
  } else {
    out.append("null");
  }
  const LogState log = services.log_state();
  append_field(out, "last_snapshot_lsn", current->last_lsn.value);
  out.append(log.enabled ? R"(,"wal_enabled":true)" : R"(,"wal_enabled":false)");
  append_field(out, "wal_bytes", log.bytes);
  append_field(out, "wal_current_lsn", log.current.value);
  append_field(out, "dump_retention_per_tree", services.snapshot_retention());
  out.append('}');
  return {};
}

Status SnapshotLoad::run(Services& services, Buffer& out) const {
  Result<std::string> series = services.load_snapshot(std::string(file));
  if (!series) return series.error();
  reply_saved(out, *series, "loaded");
  return {};
}

Status SnapshotFetch::run(Services& services, Buffer& out) const {
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
  out.append(R"(,"data_base64":")");
  append_base64(out, *bytes);
  out.append(R"("})");
  return {};
}

Status SnapshotFetchChunk::run(Services& services, Buffer& out) const {
  Result<snapshot::Meta> meta = services.snapshots().meta(std::string(file));
  if (!meta) return meta.error();
  if (offset > meta->bytes) return validation_error("Field offset exceeds snapshot size");
  Result<std::string> bytes = services.snapshots().read(std::string(file), offset, limit);
  if (!bytes) return bytes.error();
  reply_chunk(
      out, [&] { append_meta(out, *meta); }, offset, limit, meta->bytes, *bytes);
  return {};
}

Status SnapshotVerify::run(Services& services, Buffer& out) const {
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

}  // namespace karma::commands
