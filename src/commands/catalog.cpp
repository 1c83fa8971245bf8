#include "commands/catalog.h"

#include <array>

#include "commands/counter.h"
#include "commands/idempotency.h"
#include "commands/ingest.h"
#include "commands/recovery.h"
#include "commands/replication.h"
#include "commands/series.h"
#include "commands/snapshot.h"
#include "commands/system.h"
#include "commands/tree.h"

namespace karma::commands {
namespace {

constexpr auto kOps = std::to_array<Op>({
    make_op<CounterIncrement>(),
    make_op<CounterDecrement>(),
    make_op<CounterSum>(),
    make_op<CounterSeries>(),
    make_op<CounterBatchSum>(),
    make_op<CounterMultiSum>(),
    make_op<CounterReset>(),
    make_op<CounterBatchReset>(),
    make_op<CounterDeleteRange>(),
    make_op<CounterBatchDeleteRange>(),
    make_op<SeriesBatchAdd>(),
    make_op<SeriesBatchSet>(),
    make_op<SeriesDeleteBefore>(),
    make_op<SeriesCompact>(),
    make_op<TreeCreate>(),
    make_op<TreeDrop>(),
    make_op<TreeList>(),
    make_op<TreeInfo>(),
    make_op<TreeKeys>(),
    make_op<TreePoints>(),
    make_op<TreeTop>(),
    make_op<TreeSummary>(),
    make_op<TreeSeries>(),
    make_op<TreeReset>(),
    make_op<TreeDeleteRange>(),
    make_op<IngestBegin>(),
    make_op<IngestChunk>(),
    make_op<IngestCommit>(),
    make_op<IngestAbort>(),
    make_op<IngestStatus>(),
    make_op<IdempotencyPrune>(),
    make_op<IdempotencySnapshotFetchChunk>(),
    make_op<SnapshotCreate>(),
    make_op<SnapshotCreateAll>(),
    make_op<SnapshotList>(),
    make_op<SnapshotInfo>(),
    make_op<SnapshotLoad>(),
    make_op<SnapshotFetch>(),
    make_op<SnapshotFetchChunk>(),
    make_op<SnapshotManifestFetchChunk>(),
    make_op<SnapshotVerify>(),
    make_op<ReplicationStatus>(),
    make_op<ReplicationEntries>(),
    make_op<ReplicationChain>(),
    make_op<ReplicationDigest>(),
    make_op<ReplicationPromote>(),
    make_op<ReplicationReplicas>(),
    make_op<RecoveryCheckpoint>(),
    make_op<RecoveryStatus>(),
    make_op<RecoveryForget>(),
    make_op<ReconciliationReport>(),
    make_op<SystemPing>(),
    make_op<SystemHealth>(),
    make_op<SystemStats>(),
    make_op<SystemMetrics>(),
    make_op<SystemHistograms>(),
    make_op<SystemSlowlog>(),
    make_op<SystemSlowlogClear>(),
    make_op<SystemClients>(),
    make_op<SystemCompact>(),
});

// Two ops of one command, of a key and of a series, are one operation. None has the number 0.
constexpr std::size_t kMaxOperations = 32;
constexpr auto kOperations = [] {
  std::pair<std::array<store::Operation, kMaxOperations>, std::size_t> found;
  auto& [operations, count] = found;
  for (const Op& op : kOps) {
    if (!op.idempotent) continue;
    std::size_t i = 0;
    while (i < count && operations[i].command != op.command) ++i;
    if (i == count) operations[count++] = {op.command, op.reply_form};
    if (operations[i].reply != op.reply_form) throw "two forms of reply for one operation";
  }
  return found;
}();

constexpr auto kCatalog = [] {
  auto ops = kOps;
  for (Op& op : ops) {
    if (!op.idempotent) continue;
    std::size_t id = 1;
    while (kOperations.first[id - 1].command != op.command) ++id;
    op.operation = static_cast<store::OperationId>(id);
  }
  return ops;
}();

constexpr bool names_are_unique() {
  for (const Op& op : kCatalog)
    for (const Op& other : kCatalog) {
      if (&op != &other && op.name == other.name) return false;
      for (const std::string_view alias : other.aliases)
        if (op.name == alias) return false;
    }
  return true;
}
static_assert(names_are_unique());

// Name and aliases to op, by a table that the compiler makes: at most one probe more than there are collisions.
class Index {
 public:
  constexpr Index() {
    for (const Op& op : kCatalog) {
      insert(op.name, op);
      for (const std::string_view alias : op.aliases) insert(alias, op);
    }
  }
  const Op* find(std::string_view name) const {
    if (name.size() < kShortest) return nullptr;
    for (std::size_t slot = hash(name);; slot = (slot + 1) % kSlots) {
      if (slots_[slot].op == nullptr || slots_[slot].name == name) return slots_[slot].op;
    }
  }

 private:
  static constexpr std::size_t kSlots = 512;
  static_assert(std::size(kCatalog) * 4 < kSlots, "the table must stay sparse");
  struct Slot {
    std::string_view name;
    const Op* op = nullptr;
  };

  static constexpr std::size_t kShortest = 3;
  // Three bytes tell the names apart. With std::hash a counter.sum takes 3 % more instructions.
  static constexpr std::size_t hash(std::string_view name) {
    const auto at = [name](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(name[i])); };
    return (name.size() * 15 + at(2) * 4 + at(name.size() / 2) * 12 + at(name.size() - 1) * 8) % kSlots;
  }
  constexpr void insert(std::string_view name, const Op& op) {
    std::size_t slot = hash(name);
    while (slots_[slot].op != nullptr) slot = (slot + 1) % kSlots;
    slots_[slot] = {name, &op};
  }

  std::array<Slot, kSlots> slots_;
};

constexpr Index kIndex;

}  // namespace

std::span<const Op> catalog() { return kCatalog; }

store::Operations operations() { return {kOperations.first.data(), kOperations.second}; }

const Op* find_op(std::string_view name) { return kIndex.find(name); }

}  // namespace karma::commands
