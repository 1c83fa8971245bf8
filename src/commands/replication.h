// replication.*: what replicas ask of their master.
#pragma once

#include "commands/op.h"

namespace karma::commands {

// A page of the log. It ends before the response limit, and has at least one entry: a single one is delivered whatever
// its size within that limit.
struct ReplicationEntries {
  static constexpr Spec kSpec{.name = "replication.entries", .command = "replication_entries"};
  Lsn after;
  std::uint64_t limit = 0;

  static void describe(auto& self, auto& fields) {
    fields.after_lsn(self.after);
    fields.limit(self.limit, protocol::kDefaultEntriesLimit, protocol::kMaxEntriesLimit);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads&) const { return true; }  // it reads files
};

struct ReplicationStatus {
  static constexpr Spec kSpec{
      .name = "replication.status", .command = "replication_status", .task_access = Access::read, .quick_task = true};
  static void describe(auto&, auto&) {}
  Status run(Services& services, Buffer& out) const;
};

}  // namespace karma::commands
