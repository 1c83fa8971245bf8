#include "commands/replication.h"

#include "commands/recovery.h"
#include "commands/replies.h"
#include "commands/services.h"
#include "commands/snapshot_replies.h"

namespace karma::commands {
namespace {

// Of a response, what its envelope and the fields around the entries may take: as in 1.0.
constexpr std::uint64_t kPageOverheadBytes = 2048;

std::uint64_t page_bytes(std::uint64_t response_limit) {
  return response_limit > kPageOverheadBytes ? response_limit - kPageOverheadBytes : response_limit;
}

}  // namespace

Status ReplicationEntries::answer(Reads& reads, Buffer& out) const {
  const std::uint64_t byte_limit = page_bytes(reads.services().response_limit());
  Buffer entries;
  Buffer entry;
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  Lsn next = after;
  bool truncated = false;
  Status status = reads.services().read_log(after, [&](Lsn lsn, std::string_view text) {
    if (count == limit) return false;
    entry.clear();
    entry.append(R"({"lsn":)");
    json::append_number(entry, lsn.value);
    entry.append(R"(,"entry":)");
    entry.append(text);
    entry.append('}');
    truncated = byte_limit != 0 && bytes + entry.size() > byte_limit;
    if (truncated) {
      if (count == 0) next = lsn;
      return false;
    }
    if (count != 0) entries.append(',');
    entries.append(entry.view());
    bytes += entry.size();
    ++count;
    next = lsn;
    return true;
  });
  if (!status) return status;
  if (truncated && count == 0) {
    return Error{ErrorCode::response_too_large,
                 "Single WAL entry " + std::to_string(next.value) + " exceeds replication response byte budget"};
  }
  out.append(R"({"after_lsn":)");
  json::append_number(out, after.value);
  append_field(out, "limit", limit);
  out.append(R"(,"byte_limit":)");
  byte_limit != 0 ? json::append_number(out, byte_limit) : out.append("null");
  append_field(out, "entries_bytes", bytes);
  out.append(truncated ? R"(,"truncated_by_bytes":true)" : R"(,"truncated_by_bytes":false)");
  append_field(out, "count", count);
  append_field(out, "source_lsn", reads.services().log_state().current.value);
  out.append(R"(,"entries":[)");
  out.append(entries.view());
  out.append(']');
  append_field(out, "next_lsn", next.value);
  out.append('}');
  return {};
}

Status ReplicationStatus::run(Services& services, Buffer& out) const {
  Result<CurrentSnapshots> current = current_snapshots(services.snapshots());
  if (!current) return current.error();
  const ops::Stats stats = services.stats();
  out.append(R"({"role":)");
  json::append_string(out, stats.role);
  out.append(stats.wal_enabled ? R"(,"wal_enabled":true)" : R"(,"wal_enabled":false)");
  append_field(out, "wal_current_lsn", stats.wal_current_lsn);
  append_field(out, "wal_bytes", stats.wal_bytes);
  append_field(out, "replayed_lsn", stats.replication_replayed_lsn);
  ops::append_replication(stats, out);
  append_field(out, "last_snapshot_lsn", current->last_lsn.value);
  out.append(R"(,"latest_snapshots":)");
  append_metas(out, current->latest);
  out.append(R"(,"recovery":)");
  append_checkpoints(out, services.checkpoints().list({}));
  append_field(out, "recovery_checkpoint_count", services.checkpoints().count());
  out.append('}');
  return {};
}

}  // namespace karma::commands
