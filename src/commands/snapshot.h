// snapshot.*: all on the snapshot worker, since they wait for the disk.
#pragma once

#include "commands/op.h"

namespace karma::commands {

struct SnapshotCreate {
  static constexpr Spec kSpec{.name = "snapshot.create", .command = "dump"};
  SeriesName series;
  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotCreateAll {
  static constexpr Spec kSpec{.name = "snapshot.create_all", .command = "dump_all"};
  static void describe(auto&, auto&) {}
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotList {
  static constexpr Spec kSpec{.name = "snapshot.list", .command = "dumps", .task_access = Access::read};
  static void describe(auto&, auto&) {}
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotInfo {
  static constexpr Spec kSpec{.name = "snapshot.info", .command = "snapshot_info", .task_access = Access::read};
  static void describe(auto&, auto&) {}
  Status run(Services& services, Buffer& out) const;
};

// Replaces the series through the log, so that it holds after a restart and on slaves.
struct SnapshotLoad {
  static constexpr Spec kSpec{.name = "snapshot.load", .command = "load", .deletes = true};
  std::string_view file;
  static void describe(auto& self, auto& fields) { fields.file(self.file); }
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotFetch {
  static constexpr Spec kSpec{.name = "snapshot.fetch", .command = "snapshot_fetch", .task_access = Access::read};
  std::string_view file;
  static void describe(auto& self, auto& fields) { fields.file(self.file); }
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotFetchChunk {
  static constexpr Spec kSpec{
      .name = "snapshot.fetch_chunk", .command = "snapshot_fetch_chunk", .task_access = Access::read};
  std::string_view file;
  std::uint64_t offset = 0;
  std::uint64_t limit = 0;
  static void describe(auto& self, auto& fields) {
    fields.file(self.file);
    fields.offset(self.offset);
    fields.limit(self.limit, protocol::kDefaultChunkBytes, protocol::kMaxChunkBytes);
  }
  Status run(Services& services, Buffer& out) const;
};

struct SnapshotVerify {
  static constexpr Spec kSpec{.name = "snapshot.verify", .command = "verify", .task_access = Access::read};
  static void describe(auto&, auto&) {}
  Status run(Services& services, Buffer& out) const;
};

}  // namespace karma::commands
