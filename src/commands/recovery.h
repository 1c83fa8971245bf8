// recovery.* and reconciliation.report: what producers and checking jobs note down here for themselves.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "commands/op.h"
#include "commands/replies.h"
#include "ops/checkpoints.h"

namespace karma::commands {

struct RecoveryCheckpoint {
  static constexpr Spec kSpec{.name = "recovery.checkpoint", .command = "recovery_checkpoint", .quick_task = true};
  std::string_view source;
  std::optional<std::string_view> offset;
  std::optional<std::string_view> event_id;

  static void describe(auto& self, auto& fields) {
    fields.source(self.source);
    fields.source_position(self.offset, self.event_id);
  }
  Status check() const;
  Status run(Services& services, Buffer& out) const;
};

// {"checkpoint_count":n,"checkpoints":[…]}; with "next_cursor" beside them where there was no room for all. `count` is
// that of all.
void append_checkpoints(Buffer& out, const std::vector<ops::Checkpoint>& checkpoints, std::size_t count, bool whole,
                        const ResponseRoom& room);

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
  Status answer(Reads& reads, Buffer& out) const;
};

struct RecoveryForget {
  static constexpr Spec kSpec{
      .name = "recovery.forget", .command = "recovery_forget", .deletes = true, .quick_task = true};
  std::string_view source;

  static void describe(auto& self, auto& fields) { fields.source(self.source); }
  Status run(Services& services, Buffer& out) const;
};

struct ReconciliationReport {
  static constexpr Spec kSpec{.name = "reconciliation.report", .command = "reconciliation_report", .quick_task = true};
  std::uint64_t checked_points = 0;
  std::uint64_t mismatch_count = 0;
  std::uint64_t absolute_drift = 0;
  std::uint64_t max_abs_delta = 0;

  static void describe(auto& self, auto& fields) {
    fields.report_count(Field::checked_points, self.checked_points);
    fields.report_count(Field::mismatch_count, self.mismatch_count);
    fields.optional_report_count(Field::absolute_drift, self.absolute_drift);
    fields.optional_report_count(Field::max_abs_delta, self.max_abs_delta);
  }
  Status check() const;
  Status run(Services& services, Buffer& out) const;
};

}  // namespace karma::commands
