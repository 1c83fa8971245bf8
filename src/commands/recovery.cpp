#include "commands/recovery.h"

#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {
namespace {

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

void append_checkpoint(Buffer& out, const ops::Checkpoint& checkpoint) {
  out.append('{');
  json::append_field(out, "source", checkpoint.source);
  append_text(out, "offset", checkpoint.offset);
  append_text(out, "event_id", checkpoint.event_id);
  append_field(out, "updated_at_unix", static_cast<std::uint64_t>(checkpoint.updated_at));
  out.append('}');
}

}  // namespace

void append_checkpoints(Buffer& out, const std::vector<ops::Checkpoint>& checkpoints, std::size_t count, bool whole,
                        const ResponseRoom& room) {
  out.append('{');
  json::append_field(out, "checkpoint_count", count);
  out.append(R"(,"checkpoints":[)");
  const auto append_end = [&](std::size_t last) {
    out.append(R"(],"next_cursor":)");
    json::append_string(out, checkpoints[last].source);
    out.append('}');
  };
  const std::size_t shown = append_page(
      out, room, checkpoints.size(), [&](std::size_t i) { append_checkpoint(out, checkpoints[i]); }, append_end);
  whole&& shown == checkpoints.size() ? out.append("]}") : append_end(shown - 1);
}

Status RecoveryCheckpoint::check() const {
  const auto fault = [](std::string_view name, std::string_view text) {
    if (text.size() <= protocol::kMaxCheckpointBytes) return Status();
    return Status(validation_error("Field " + std::string(name) + " exceeds max size " +
                                   std::to_string(protocol::kMaxCheckpointBytes)));
  };
  if (Status status = fault("source", source); !status) return status;
  if (Status status = fault("offset", offset.value_or(std::string_view())); !status) return status;
  return fault("event_id", event_id.value_or(std::string_view()));
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

Status RecoveryForget::run(Services& services, Buffer& out) const {
  const Result<bool> forgotten = services.checkpoints().forget(source);
  if (!forgotten) return forgotten.error();
  out.append('{');
  json::append_field(out, "source", source);
  out.append(*forgotten ? R"(,"forgotten":true})" : R"(,"forgotten":false})");
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
