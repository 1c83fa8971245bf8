// replication.*: what replicas ask of their master.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "commands/entry_chain.h"
#include "commands/op.h"
#include "commands/recovery.h"
#include "commands/snapshot_replies.h"
#include "core/utf8.h"

namespace karma::commands {

// Entries with commas between them, of which the last ones may have to go again.
class EntryPage {
 public:
  // {"lsn":…,"entry":{…}}. False if it does not fit any more into `byte_limit`, commas included; the first one always
  // does.
  bool add(Lsn lsn, std::string_view entry, std::uint64_t byte_limit) {
    const std::size_t before = text_.size();
    if (!ends_.empty()) text_.append(',');
    text_.append('{');
    append_field(text_, "lsn", lsn.value);
    text_.append(R"(,"entry":)");
    append_entry(entry);
    text_.append('}');
    if (!ends_.empty() && byte_limit != 0 && text_.size() > byte_limit) {
      text_.truncate(before);
      return false;
    }
    ends_.push_back({text_.size(), lsn});
    return true;
  }
  void drop_last() {
    ends_.pop_back();
    text_.truncate(ends_.empty() ? 0 : ends_.back().end);
  }

  std::size_t count() const { return ends_.size(); }
  Lsn last() const { return ends_.back().lsn; }
  std::string_view text() const { return text_.view(); }
  std::uint64_t entries_bytes() const { return ends_.empty() ? 0 : text_.size() - (ends_.size() - 1); }

 private:
  // Old logs may hold bytes that no reply may: these become U+FFFD, and the entry as it is stands beside them.
  void append_entry(std::string_view entry) {
    json::append_valid(text_, entry);
    if (valid_utf8(entry)) return;
    text_.append(R"(,"entry_base64":")");
    append_base64(text_, entry);
    text_.append('"');
  }

  struct End {
    std::size_t end;  // in the text
    Lsn lsn;
  };
  Buffer text_;
  std::vector<End> ends_;
};

// A page of the log. It ends before the response limit, and has at least one entry: a single one is delivered whatever
// its size within that limit.
struct ReplicationEntries {
  static constexpr Spec kSpec{.name = "replication.entries", .command = "replication_entries"};
  // Of a response, what its envelope and the fields around the entries may take: as in 1.0.
  static constexpr std::uint64_t kOverheadBytes = 2048;
  Lsn after;
  std::uint64_t limit = 0;
  std::uint64_t wait_ms = 0;  // for an entry, where there is none
  // Of a slave that says who it is.
  std::string_view replica;
  std::string_view replica_epoch;
  std::optional<std::uint64_t> durable;

  static void describe(auto& self, auto& fields) {
    fields.number(Field::after_lsn, self.after.value);
    fields.limit(self.limit, protocol::kDefaultEntriesLimit, protocol::kMaxEntriesLimit);
    fields.number_or_0(Field::wait_ms, self.wait_ms);
    fields.id(Field::replica, self.replica);
    fields.id(Field::replica_epoch, self.replica_epoch);
    fields.number(Field::durable_lsn, self.durable);
  }
  void arrived(Services& services) const {
    if (replica.empty()) return;
    std::optional<Lsn> on_disk;
    if (durable) on_disk = Lsn{*durable};
    services.replica_asks({.id = replica, .after = after, .durable = on_disk, .epoch = replica_epoch});
  }
  Awaited awaited() const { return {after, std::chrono::milliseconds(std::min(wait_ms, protocol::kMaxWaitMs))}; }
  bool is_long(Reads&) const { return true; }  // it reads files
  Status answer(Reads& reads, Buffer& out) const {
    Services& services = reads.services();
    const std::uint64_t most = services.response_limit();
    const std::uint64_t byte_limit = most > kOverheadBytes ? most - kOverheadBytes : most;
    EntryPage page;
    bool truncated = false;
    Status status = services.read_log(after, [&](Lsn lsn, std::string_view entry) {
      if (page.count() == limit) return false;
      truncated = !page.add(lsn, entry, byte_limit);
      return !truncated;
    });
    if (!status) return status;
    const std::size_t start = out.size();
    bool with_epochs = true;
    while (true) {
      out.append('{');
      append_field(out, "after_lsn", after.value);
      append_field(out, "limit", limit);
      json::append_name(out, "byte_limit");
      byte_limit != 0 ? json::append_number(out, byte_limit) : out.append("null");
      append_field(out, "entries_bytes", page.entries_bytes());
      append_truth_field(out, "truncated_by_bytes", truncated);
      append_field(out, "count", page.count());
      append_field(out, "source_lsn", services.log_state().current.value);
      out.append(R"(,"entries":[)");
      out.append(page.text());
      out.append(']');
      const Lsn next = page.count() == 0 ? after : page.last();
      append_field(out, "next_lsn", next.value);
      if (with_epochs) append_additions(services, next, out);
      out.append('}');
      if (page.count() == 0 || !services.over_response_limit(out.size() - start + protocol::kReplyEnvelopeBytes))
        return {};
      // Only where the limit is so small that what surrounds the entries counts, or for a single large entry.
      if (page.count() == 1 && !with_epochs) break;
      out.truncate(start);
      if (page.count() == 1) {
        with_epochs = false;
        continue;
      }
      page.drop_last();
      truncated = true;
    }
    return Error{ErrorCode::response_too_large,
                 "Single WAL entry " + std::to_string(page.last().value) + " exceeds replication response byte budget"};
  }

 private:
  // What Karma 1.0 does not have. Epochs where they are known.
  void append_additions(Services& services, Lsn next, Buffer& out) const {
    append_field(out, "checkpoint_revision", services.checkpoints().revision());
    // So long the replica will have been behind when it has applied this page.
    if (!replica.empty())
      if (const auto age = services.entry_age(next.next()))
        append_field(out, "next_age_ms", static_cast<std::uint64_t>(age->count()));
    if (const std::string epoch = services.epoch_at(after); !epoch.empty()) append_field(out, "epoch_after", epoch);
    if (const std::string epoch = services.epoch_at(next); !epoch.empty()) append_field(out, "epoch_last", epoch);
  }
};

// Of at most `limit` entries after `after`, as a slave compares them with its own.
struct ReplicationChain {
  static constexpr Spec kSpec{.name = "replication.chain", .command = "replication_chain"};
  Lsn after;
  std::uint64_t limit = 0;

  static void describe(auto& self, auto& fields) {
    fields.number(Field::after_lsn, self.after.value);
    fields.limit(self.limit, protocol::kDefaultEntriesLimit, protocol::kMaxEntriesLimit);
  }
  bool is_long(Reads&) const { return true; }  // it reads files
  Status answer(Reads& reads, Buffer& out) const {
    EntryChain chain;
    std::uint64_t count = 0;
    const Status read = reads.services().read_log(after, [&](Lsn, std::string_view entry) {
      if (count == limit) return false;
      chain.add(entry);
      ++count;
      return true;
    });
    if (!read) return read;
    out.append('{');
    append_field(out, "after_lsn", after.value);
    append_field(out, "count", count);
    append_field(out, "chain", chain.value().text());
    out.append('}');
    return {};
  }
};

struct ReplicationStatus : NoFields {
  static constexpr Spec kSpec{.name = "replication.status",
                              .command = "replication_status",
                              .access = Access::read,
                              .quick = true,
                              .of_node = true};
  // Kept free for checkpoints where snapshots are listed.
  static constexpr std::size_t kMaxCheckpointsShownBytes = 65536;

  Status run(Services& services, Buffer& out) const {
    Result<CurrentSnapshots> current = current_snapshots(services.snapshots());
    if (!current) return current.error();
    const ops::Stats stats = services.stats();
    const std::size_t start = out.size();
    out.append('{');
    append_field(out, "role", stats.role);
    append_truth_field(out, "wal_enabled", stats.wal_enabled);
    append_field(out, "wal_current_lsn", stats.wal_current_lsn);
    append_field(out, "wal_bytes", stats.wal_bytes);
    append_field(out, "replayed_lsn", stats.replication_replayed_lsn);
    ops::append_replication(stats, out);
    append_field(out, "last_snapshot_lsn", current->last_lsn.value);
    // Both lists as far as there is room: snapshot.info and recovery.status have the rest.
    const std::string history = services.history_json();
    Buffer more;
    ops::append_more_replication(stats, more);
    const std::size_t room_for_the_rest = 256 + history.size() + more.size();
    const std::vector<ops::Checkpoint> checkpoints = services.checkpoints().list_behind({}, protocol::kMaxListLimit);
    const std::size_t checkpoint_bytes =
        std::min<std::size_t>(services.response_limit() / 4, kMaxCheckpointsShownBytes);
    out.append(R"(,"latest_snapshots":[)");
    const std::size_t shown = append_page(
        out, {services, start, room_for_the_rest + checkpoint_bytes}, current->latest.size(),
        [&](std::size_t i) { append_meta(out, current->latest[i]); }, [](std::size_t) {});
    out.append(']');
    if (shown < current->latest.size()) append_field(out, "latest_snapshots_left_off", current->latest.size() - shown);
    json::append_name(out, "recovery");
    const std::size_t count = services.checkpoints().count();
    append_checkpoints(out, checkpoints, count, checkpoints.size() == count, {services, start, room_for_the_rest});
    append_field(out, "recovery_checkpoint_count", count);
    json::append_name(out, "history");
    out.append(history);
    out.append(more.view());
    out.append('}');
    return {};
  }
};

// For append_text().
inline std::optional<std::string_view> text_or_none(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// A slave asks first for any digest from its position on, and then again for that of the LSN it was told, until it has
// been counted.
struct ReplicationDigest {
  static constexpr Spec kSpec{
      .name = "replication.digest", .command = "replication_digest", .access = Access::read, .quick = true};
  Lsn after;

  static void describe(auto& self, auto& fields) { fields.number(Field::after_lsn, self.after.value); }

  Status run(Services& services, Buffer& out) const {
    const Result<DigestAt> at = services.state_digest(after);
    if (!at) return at.error();
    const std::size_t start = out.size();
    out.append('{');
    append_field(out, "lsn", at->lsn.value);
    append_truth_field(out, "ready", at->digest != nullptr);
    if (at->digest != nullptr) append_digest(*at->digest, {services, start, kLeftOffBytes}, out);
    out.append('}');
    return {};
  }

 private:
  static constexpr std::size_t kLeftOffBytes = 48;

  static void append_digest(const StateDigest& digest, const ResponseRoom& room, Buffer& out) {
    append_text(out, "epoch", text_or_none(digest.epoch));
    append_field(out, "digest", digest.all.text());
    out.append(R"(,"series":[)");
    const auto append_series = [&](std::size_t i) {
      out.append('{');
      append_field(out, "tree", digest.series[i].first);
      append_field(out, "digest", digest.series[i].second.text());
      out.append('}');
    };
    const std::size_t shown = append_page(out, room, digest.series.size(), append_series, [](std::size_t) {});
    out.append(']');
    if (shown < digest.series.size()) append_field(out, "series_left_off", digest.series.size() - shown);
  }
};

struct ReplicationPromote : NoFields {
  static constexpr Spec kSpec{
      .name = "replication.promote", .command = "replication_promote", .quick = true, .on_slave = true};

  Status run(Services& services, Buffer& out) const {
    const Result<Promotion> promotion = services.promote();
    if (!promotion) return promotion.error();
    out.append('{');
    append_field(out, "role", std::string_view("master"));
    append_truth_field(out, "promoted", promotion->done_now);
    append_field(out, "wal_current_lsn", promotion->position.value);
    json::append_name(out, "history");
    out.append(promotion->history);
    out.append('}');
    return {};
  }
};

// The slaves that ask this node for entries. Its peers learn from it whether there is a later master.
struct ReplicationReplicas : NoFields {
  static constexpr Spec kSpec{.name = "replication.replicas",
                              .command = "replication_replicas",
                              .access = Access::read,
                              .quick = true,
                              .of_node = true};

  Status run(Services& services, Buffer& out) const {
    const ReplicaReport report = services.replicas();
    const Lsn source = services.log_state().current;
    const std::size_t start = out.size();
    out.append('{');
    append_field(out, "source_lsn", source.value);
    append_field(out, "min_replicas_ack", report.wanted);
    append_number_or_null(out, "confirmed_lsn", report.wanted != 0, report.confirmed.value);
    append_truth_field(out, "degraded", report.degraded);
    append_field(out, "role", report.role);
    append_field(out, "term", report.term);
    append_text(out, "epoch", text_or_none(report.epoch));
    append_field(out, "count", report.replicas.size());
    out.append(R"(,"replicas":[)");
    append_page(
        out, {services, start, 2}, report.replicas.size(),
        [&](std::size_t i) { append_replica(out, report.replicas[i], source); }, [](std::size_t) {});
    out.append("]}");
    return {};
  }

 private:
  static void append_number_or_null(Buffer& out, std::string_view name, bool known, std::uint64_t number) {
    json::append_name(out, name);
    known ? json::append_number(out, number) : out.append("null");
  }
  static void append_replica(Buffer& out, const Replica& replica, Lsn source) {
    out.append('{');
    append_field(out, "replica", replica.id);
    append_field(out, "position", replica.position.value);
    append_number_or_null(out, "durable_lsn", replica.durable.has_value(), replica.durable.value_or(Lsn{}).value);
    const bool behind = replica.position <= source;
    append_number_or_null(out, "lag_entries", behind, source.value - replica.position.value);
    append_field(out, "last_contact_unix",
                 static_cast<std::uint64_t>(std::max<std::int64_t>(replica.last_contact_unix, 0)));
    append_field(out, "last_contact_ms", static_cast<std::uint64_t>(replica.silent.count()));
    append_text(out, "epoch", text_or_none(replica.epoch));
    if (replica.of_history) {
      append_truth_field(out, "same_history", *replica.of_history);
    } else {
      append_text(out, "same_history", std::nullopt);
    }
    out.append('}');
  }
};

}  // namespace karma::commands
