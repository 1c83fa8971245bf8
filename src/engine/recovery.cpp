#include "engine/recovery.h"

#include <algorithm>

#include "commands/catalog.h"
#include "core/arena.h"

namespace karma::engine {
namespace {

using commands::DecodeContext;
using commands::Fields;
using commands::Kind;
using commands::Op;

// A decoded log entry.
struct Entry {
  const Op* op = nullptr;
  const void* command = nullptr;
  std::string refusal;  // why it is none
};

Entry decode_entry(std::string_view text, Fields& fields, Arena& arena) {
  Entry entry;
  if (Status status = fields.parse(text); !status) {
    entry.refusal = status.error().message;
    return entry;
  }
  const json::Value* name = fields.find(commands::Field::op);
  const Op* op = name != nullptr && name->type == json::Type::string ? commands::find_op(name->text) : nullptr;
  if (op == nullptr || op->kind != Kind::mutation) {
    entry.refusal = "not an operation that is logged";
    return entry;
  }
  DecodeContext context{.arena = arena, .today = Bucket(), .source = DecodeContext::Source::log};
  Result<void*> command = op->decode(fields, context);
  if (!command) {
    entry.refusal = command.error().message;
    return entry;
  }
  entry.op = op;
  entry.command = *command;
  return entry;
}

std::string apply_entry(store::Store& store, const Entry& entry, Arena& arena) {
  commands::Outcome outcome;
  outcome.arena = &arena;
  entry.op->apply(entry.command, store, outcome);
  return outcome.failed ? std::string(outcome.message) : std::string();
}

class Replay {
 public:
  Replay(store::Store& store, Recovered& recovered, const RecoveryOptions& options)
      : store_(store), recovered_(recovered), options_(options) {}

  Status operator()(Lsn lsn, std::string_view text) {
    arena_.reset();
    Entry entry = decode_entry(text, fields_, arena_);
    if (entry.op != nullptr) {
      if (is_covered(entry, lsn)) {
        ++recovered_.covered;
        return {};
      }
      entry.refusal = apply_entry(store_, entry, arena_);
    }
    if (entry.refusal.empty()) {
      ++recovered_.applied;
    } else if (++recovered_.refused <= kWarnings) {
      options_.on_warning("wal.entry_without_effect", "lsn=" + std::to_string(lsn.value) + " reason=" + entry.refusal);
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kWarnings = 100;  // the rest is only counted

  // Entries up to a series' snapshot are in it already; the rest of the state has the set's LSN.
  bool is_covered(const Entry& entry, Lsn lsn) const {
    const snapshot::Restored& snapshots = recovered_.snapshots;
    if (snapshots.log_restarted) return false;
    const std::string_view series = entry.op->series(entry.command);
    if (series.empty()) return lsn <= snapshots.registry_lsn;
    const auto found = snapshots.series_lsn.find(series);
    return lsn <= (found != snapshots.series_lsn.end() ? found->second : snapshots.set_lsn);
  }

  store::Store& store_;
  Recovered& recovered_;
  const RecoveryOptions& options_;
  Fields fields_;
  Arena arena_;
};

std::string advice(const std::string& file) {
  return "Karma does not guess: restore the file from a backup or a replica, or give up what is damaged with --recover=" +
         file + " (`karma check` lists all damage)";
}

// The first damage that the operator has not given up, or nullptr.
const wal::Damage* first_refused(const wal::Scan& scan, const std::set<std::string>& give_up) {
  const auto refused = [&](const wal::Damage& damage) { return !give_up.contains(damage.file); };
  const auto found = std::find_if(scan.damage.begin(), scan.damage.end(), refused);
  return found == scan.damage.end() ? nullptr : &*found;
}

Lsn newest_snapshot(const snapshot::Restored& restored) {
  Lsn newest = std::max(restored.set_lsn, restored.registry_lsn);
  for (const auto& [series, lsn] : restored.series_lsn) newest = std::max(newest, lsn);
  return newest;
}

// Between the snapshots and the log nothing may be missing.
Status check_reach(const Recovered& recovered) {
  const wal::Scan& log = recovered.log;
  if (log.entry_count == 0 || recovered.snapshots.log_restarted) return {};
  const Lsn reached = std::max(newest_snapshot(recovered.snapshots), log.lsn_file);
  if (log.first <= reached.next()) return {};
  const std::string& file = log.files.front().name;
  return internal_error("Entries are missing: the log begins with LSN " + std::to_string(log.first.value) + " in " +
                        file + ", but what comes before ends with LSN " + std::to_string(reached.value) + ". " +
                        advice(file));
}

}  // namespace

std::string replay_entry(store::Store& store, std::string_view text) {
  Fields fields;
  Arena arena;
  const Entry entry = decode_entry(text, fields, arena);
  return entry.op == nullptr ? entry.refusal : apply_entry(store, entry, arena);
}

Result<Recovered> recover(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          store::Store& store, const RecoveryOptions& options) {
  Recovered recovered;
  // First look: everything is checked before anything is applied.
  const auto look = [](Lsn, std::string_view) { return Status(); };
  Result<wal::Scan> scan = wal::scan(files, directory, look, {.beyond_damage = true, .progress = {}});
  if (!scan) return scan.error();
  recovered.log = std::move(*scan);
  if (const wal::Damage* damage = first_refused(recovered.log, options.give_up))
    return internal_error("The log is damaged: " + damage->to_string() + ". " + advice(damage->file));

  const wal::Scan& log = recovered.log;
  const snapshot::LogReach reach{
      .has_entries = log.entry_count != 0, .first = log.first, .last = log.last, .lsn_file = log.lsn_file};
  const auto snapshot_progress = [&](std::size_t done, std::size_t all) {
    options.on_event("restore.snapshots", "done=" + std::to_string(done) + " of=" + std::to_string(all));
  };
  Result<snapshot::Restored> restored = snapshots.restore(store, reach, options.give_up, snapshot_progress);
  if (!restored) return restored.error();
  recovered.snapshots = std::move(*restored);
  for (const std::string& warning : recovered.snapshots.warnings) options.on_warning("restore.warning", warning);
  if (Status status = check_reach(recovered); !status && options.give_up.empty()) return status.error();

  if (log.entry_count != 0) {
    Replay replay(store, recovered, options);
    const auto log_progress = [&](std::uint64_t done, std::uint64_t all) {
      options.on_event("restore.log", "bytes=" + std::to_string(done) + " of=" + std::to_string(all));
    };
    Result<wal::Scan> second = wal::scan(files, directory, std::ref(replay),
                                         {.beyond_damage = !log.damage.empty(), .progress = log_progress});
    if (!second) return second.error();
  }
  recovered.last = std::max({log.last, log.lsn_file, recovered.snapshots.newest});
  recovered.needs_snapshot =
      !log.damage.empty() || (log.entry_count != 0 && (recovered.last > log.last || recovered.snapshots.log_restarted));
  return recovered;
}

}  // namespace karma::engine
