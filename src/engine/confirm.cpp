// Slaves of the engine: what they have, and the writes that wait for it.
#include "engine/engine.h"

namespace karma::engine {

// An entry that this node does not have is of another history, whatever the slave says of it.
void Engine::replica_asks(const commands::ReplicaPoll& poll) {
  commit_times_.want(wal_->last());
  const Lsn position = poll.durable.value_or(poll.after);
  std::optional<bool> of_history;
  if (position > wal_->last()) {
    of_history = false;
  } else if (position == Lsn{}) {
    of_history = true;
  } else if (const std::string epoch = epoch_at(position); !epoch.empty() && !poll.epoch.empty()) {
    of_history = epoch == poll.epoch;
  }
  replicas_.asked(poll, of_history, clock_.steady(), clock_.unix_seconds());
  if (acks_ != nullptr) acks_->confirmed(replicas_.confirmed_by(static_cast<std::size_t>(config_.min_replicas_ack)));
}

std::optional<std::chrono::milliseconds> Engine::entry_age(Lsn lsn) {
  if (lsn > applied()) return std::chrono::milliseconds(0);
  return commit_times_.age(lsn, clock_.steady());
}

commands::ReplicaReport Engine::replicas() {
  commands::ReplicaReport report;
  report.replicas = replicas_.list(clock_.steady());
  report.role = role_name();
  if (const History history = this->history(); !history.empty()) {
    report.term = history.term();
    report.epoch = history.epochs().back().id;
  }
  if (acks_ == nullptr) return report;
  const ReplicaAcks::State state = acks_->state();
  report.wanted = static_cast<std::uint64_t>(config_.min_replicas_ack);
  report.confirmed = state.confirmed;
  report.degraded = state.degraded;
  return report;
}

std::unique_ptr<ReplicaAcks> Engine::make_acks() {
  return std::make_unique<ReplicaAcks>(
      clock_, ReplicaAcks::Options{.timeout = std::chrono::milliseconds(config_.replicas_ack_timeout_ms),
                                   .on_timeout = config_.replicas_ack_on_timeout,
                                   .position = [this] { return wal_->last(); },
                                   .changed =
                                       [this](bool degraded) {
                                         if (degraded) {
                                           log_.error("replication.degraded",
                                                      "writes are acknowledged without waiting for slaves, which "
                                                      "have not confirmed them in time");
                                         } else {
                                           log_.info("replication.confirmed_again",
                                                     "the slaves have caught up: writes wait for them again");
                                         }
                                       }});
}

Error Engine::refusal(const Mutation& mutation) const {
  const commands::Outcome& outcome = mutation.outcome;
  if (outcome.code != ErrorCode::not_confirmed) return {outcome.code, std::string(outcome.message)};
  return {ErrorCode::not_confirmed,
          "Not confirmed by " + std::to_string(config_.min_replicas_ack) + " of the slaves within " +
              std::to_string(config_.replicas_ack_timeout_ms) + " ms or before the stop: on this node entry " +
              std::to_string(mutation.confirmed_at.value) +
              " is durable and visible, elsewhere it may be missing. With the same idempotency key the write can be "
              "repeated and counts once"};
}

std::string Engine::replicas_problem() const {
  if (acks_ == nullptr || is_slave()) return {};
  const auto wanted = static_cast<std::size_t>(config_.min_replicas_ack);
  if (acks_->state().degraded)
    return "writes are acknowledged without the confirmation of " + std::to_string(wanted) +
           " of the slaves, which have not caught up";
  const std::size_t in_contact = replicas_.count(clock_.steady() - Replicas::kInContact);
  if (in_contact >= wanted) return {};
  return "writes need the confirmation of " + std::to_string(wanted) + " of the slaves, and " +
         std::to_string(in_contact) + " of them asked in the last " + std::to_string(Replicas::kInContact.count()) +
         " seconds";
}

}  // namespace karma::engine
