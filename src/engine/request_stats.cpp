#include "engine/request_stats.h"

namespace karma::engine {

void RequestStats::count_success(const Decoded& request) {
  const commands::Op& op = *request.op;
  commands.add(1);
  if (op.batch_size != nullptr) {
    const std::size_t size = op.batch_size(request.command);
    if (op.kind == commands::Kind::query) {
      batch_reads.add(1);
      batch_read_keys.add(size);
    } else if (size != 0) {
      batch_writes.add(1);
      batch_write_items.add(size);
    }
  } else if (op.counted == commands::Counted::retention) {
    retentions.add(1);
  } else if (op.counted == commands::Counted::compaction) {
    compactions.add(1);
  }
}

void RequestStats::count_error(ErrorCode code) {
  commands.add(1);
  errors.add(1);
  if (code == ErrorCode::query_timeout) query_timeouts.add(1);
}

void RequestStats::add_to(ops::Stats& stats) const {
  stats.command_count += commands.get();
  stats.error_count += errors.get();
  stats.query_timeout_count += query_timeouts.get();
  stats.batch_read_count += batch_reads.get();
  stats.batch_read_key_count += batch_read_keys.get();
  stats.batch_write_count += batch_writes.get();
  stats.batch_write_item_count += batch_write_items.get();
  stats.retention_count += retentions.get();
  stats.compact_count += compactions.get();
}

}  // namespace karma::engine
