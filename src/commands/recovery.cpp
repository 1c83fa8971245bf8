#include "commands/recovery.h"

#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {
namespace {

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

void append_checkpoint(Buffer& out, const ops::Checkpoint& checkpoint) {
  out.append(R"({"source":)");
  json::append_string(out, checkpoint.source);
  append_text(out, "offset", checkpoint.offset);
  append_text(out, "event_id", checkpoint.event_id);
  append_field(out, "updated_at_unix", static_cast<std::uint64_t>(checkpoint.updated_at));
  out.append('}');
}

}  // namespace

void append_checkpoints(Buffer& out, const std::vector<ops::Checkpoint>& checkpoints) {
  out.append(R"({"checkpoint_count":)");
  json::append_number(out, checkpoints.size());
  out.append(R"(,"checkpoints":[)");
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    if (i != 0) out.append(',');
    append_checkpoint(out, checkpoints[i]);
  }
  out.append("]}");
}

Status RecoveryCheckpoint::run(Services& services, Buffer& out) const {
  const ops::Checkpoint checkpoint{.source = std::string(source),
                                   .offset = owned(offset),
                                   .event_id = owned(event_id),
                                   .updated_at = std::max<std::int64_t>(services.unix_seconds(), 0)};
  if (Status status = services.checkpoints().put(checkpoint); !status) return status;
  append_checkpoint(out, checkpoint);
  return {};
}

Status RecoveryStatus::answer(Reads& reads, Buffer& out) const {
  append_checkpoints(out, reads.services().checkpoints().list(source));
  return {};
}

Status ReconciliationReport::check() const {
  if (mismatch_count > checked_points)
    return validation_error("Field mismatch_count must be less than or equal to checked_points");
  return {};
}

Status ReconciliationReport::run(Services& services, Buffer& out) const {
  services.reconciliation().add({.checked_points = checked_points,
                                 .mismatch_count = mismatch_count,
                                 .absolute_drift = absolute_drift,
                                 .max_abs_delta = max_abs_delta},
                                services.unix_seconds());
  reply_ok(out);
  return {};
}

}  // namespace karma::commands
