// recovery.* and reconciliation.report: what producers and checking jobs note down here for themselves.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "commands/op.h"
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
  Status run(Services& services, Buffer& out) const;
};

// {"checkpoint_count":n,"checkpoints":[…]}
void append_checkpoints(Buffer& out, const std::vector<ops::Checkpoint>& checkpoints);

struct RecoveryStatus {
  static constexpr Spec kSpec{.name = "recovery.status", .command = "recovery_status"};
  std::optional<std::string_view> source;

  static void describe(auto& self, auto& fields) { fields.source(self.source); }
  Status answer(Reads& reads, Buffer& out) const;
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
