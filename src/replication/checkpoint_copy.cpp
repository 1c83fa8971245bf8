#include "replication/checkpoint_copy.h"

#include <utility>

namespace karma::replication {

void CheckpointCopy::connected() {
  fetched_.reset();
  counts_at_.reset();
  revision_.reset();
}

Status CheckpointCopy::after(const Page& page, bool more) {
  if (waits_for_page()) counts_at_ = page.source;
  put_if_reached();
  if (more || !is_due(page)) return {};
  asked_at_ = engine_.clock().steady();
  revision_ = page.checkpoint_revision;
  Result<ops::Checkpoints::Map> fetched = source_.checkpoints(revision_.has_value());
  if (!fetched) {
    tell(fetched.error().message);
    return source_.connected() ? Status() : fetched.error();
  }
  fetched_ = std::move(*fetched);
  counts_at_.reset();
  return {};
}

bool CheckpointCopy::is_due(const Page& page) const {
  if (page.checkpoint_revision && page.checkpoint_revision == revision_) return false;
  const std::chrono::seconds pause = page.checkpoint_revision ? kNotMoreOften : kAskAgain;
  return !asked_at_ || engine_.clock().steady() - *asked_at_ >= pause;
}

void CheckpointCopy::put_if_reached() {
  if (!fetched_ || !counts_at_ || engine_.position() < *counts_at_) return;
  if (Status put = engine_.checkpoints().replace(std::move(*fetched_)); !put) {
    revision_.reset();  // they are asked for again
    tell(put.error().message);
  } else {
    last_fault_.clear();
  }
  fetched_.reset();
  counts_at_.reset();
}

// Once for each reason. The data is followed all the same.
void CheckpointCopy::tell(const std::string& fault) {
  if (fault == last_fault_) return;
  last_fault_ = fault;
  log_.warn("replication.checkpoints_not_copied", fault);
}

}  // namespace karma::replication
