// recovery.* and reconciliation.report: what producers and checking programs note down here for themselves.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/op.h"
#include "commands/replies.h"
#include "ops/checkpoints.h"

namespace karma::commands {

inline void append_checkpoint(Buffer& out, const ops::Checkpoint& checkpoint) {
  out.append('{');
  append_field(out, "source", checkpoint.source);
  append_text(out, "offset", checkpoint.offset);
  append_text(out, "event_id", checkpoint.event_id);
  append_field(out, "updated_at_unix", static_cast<std::uint64_t>(checkpoint.updated_at));
  out.append('}');
}

// {"checkpoint_count":n,"checkpoints":[…]}; with "next_cursor" beside them where there was no room for all. `count` is
// that of all.
inline void append_checkpoints(Buffer& out, const std::vector<ops::Checkpoint>& checkpoints, std::size_t count,
                               bool whole, const ResponseRoom& room) {
  out.append('{');
  append_field(out, "checkpoint_count", count);
  out.append(R"(,"checkpoints":[)");
  const auto append_end = [&](std::size_t last) {
    out.append(']');
    append_field(out, "next_cursor", checkpoints[last].source);
    out.append('}');
  };
  const std::size_t shown = append_page(
      out, room, checkpoints.size(), [&](std::size_t i) { append_checkpoint(out, checkpoints[i]); }, append_end);
  whole&& shown == checkpoints.size() ? out.append("]}") : append_end(shown - 1);
}

struct RecoveryCheckpoint {
  static constexpr Spec kSpec{.name = "recovery.checkpoint", .command = "recovery_checkpoint", .quick = true};
  std::string_view source;
  std::optional<std::string_view> offset;
  std::optional<std::string_view> event_id;

  static void describe(auto& self, auto& fields) {
    fields.source(self.source);
    fields.source_position(self.offset, self.event_id);
  }
  Status check() const {
    const std::pair<std::string_view, std::string_view> texts[] = {
        {"source", source}, {"offset", offset.value_or("")}, {"event_id", event_id.value_or("")}};
    for (const auto& [name, text] : texts) {
      if (text.size() > protocol::kMaxCheckpointBytes)
        return validation_error("Field " + std::string(name) + " exceeds max size " +
                                std::to_string(protocol::kMaxCheckpointBytes));
    }
    return {};
  }
  Status run(Services& services, Buffer& out) const {
    const ops::Checkpoint checkpoint{.source = std::string(source),
                                     .offset = std::optional<std::string>(offset),
                                     .event_id = std::optional<std::string>(event_id),
                                     .updated_at = std::max<std::int64_t>(services.unix_seconds(), 0)};
    if (Status status = services.checkpoints().put(checkpoint); !status) return status;
    append_checkpoint(out, checkpoint);
    return {};
  }
};

struct RecoveryStatus {
  static constexpr Spec kSpec{.name = "recovery.status", .command = "recovery_status"};
  std::optional<std::string_view> source;
  std::uint64_t limit = 0;
  std::optional<std::string_view> cursor;

  static void describe(auto& self, auto& fields) {
    fields.source(self.source);
    fields.limit(self.limit, protocol::kMaxListLimit, protocol::kMaxListLimit);
    fields.cursor(self.cursor);
  }
  Status answer(Reads& reads, Buffer& out) const {
    const ResponseRoom room{reads.services(), out.size()};
    const ops::Checkpoints& all = reads.services().checkpoints();
    if (source) {
      const std::vector<ops::Checkpoint> found = all.list(source);
      append_checkpoints(out, found, found.size(), true, room);
      return {};
    }
    std::vector<ops::Checkpoint> found = all.list_behind(cursor.value_or(std::string_view()), limit + 1);
    const bool whole = found.size() <= limit;
    if (!whole) found.pop_back();
    append_checkpoints(out, found, all.count(), whole, room);
    return {};
  }
};

struct RecoveryForget {
  static constexpr Spec kSpec{.name = "recovery.forget", .command = "recovery_forget", .deletes = true, .quick = true};
  std::string_view source;

  static void describe(auto& self, auto& fields) { fields.source(self.source); }
  Status run(Services& services, Buffer& out) const {
    const Result<bool> forgotten = services.checkpoints().forget(source);
    if (!forgotten) return forgotten.error();
    out.append('{');
    append_field(out, "source", source);
    append_truth_field(out, "forgotten", *forgotten);
    out.append('}');
    return {};
  }
};

struct ReconciliationReport {
  static constexpr Spec kSpec{.name = "reconciliation.report", .command = "reconciliation_report", .quick = true};
  ops::ReconciliationReport report;

  static void describe(auto& self, auto& fields) {
    fields.number(Field::checked_points, self.report.checked_points);
    fields.number(Field::mismatch_count, self.report.mismatch_count);
    fields.number_or_0(Field::absolute_drift, self.report.absolute_drift);
    fields.number_or_0(Field::max_abs_delta, self.report.max_abs_delta);
  }
  Status check() const {
    if (report.mismatch_count > report.checked_points)
      return validation_error("Field mismatch_count must be less than or equal to checked_points");
    return {};
  }
  Status run(Services& services, Buffer& out) const {
    services.reconciliation().add(report, services.unix_seconds());
    reply_ok(out);
    return {};
  }
};

}  // namespace karma::commands
