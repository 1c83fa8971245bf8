#include "engine/recovery.h"

#include <algorithm>
#include <utility>

#include "commands/catalog.h"
#include "commands/idempotency.h"
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
  commands::KeyedWrite* keyed = nullptr;
  std::string refusal;  // why it is none
};

Entry decode_entry(std::string_view text, const store::Store& store, std::int64_t now, Fields& fields, Arena& arena) {
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
  DecodeContext context{.arena = arena, .source = DecodeContext::Source::log};
  Result<void*> command = op->decode(fields, context);
  if (!command) {
    entry.refusal = command.error().message;
    return entry;
  }
  if (op->idempotent) {
    context.now = now;
    Status keyed = commands::decode_key(fields, *op, *command, store.registry(), context, entry.keyed);
    if (!keyed) {
      entry.refusal = keyed.error().message;
      return entry;
    }
  }
  entry.op = op;
  entry.command = *command;
  return entry;
}

// Whoever logged the entry knew that its key was free.
void apply_entry(store::Store& store, const Entry& entry, commands::Outcome& outcome) {
  entry.op->apply(entry.command, store, outcome);
  if (entry.keyed != nullptr) commands::remember_key(*entry.keyed, store.registry(), outcome);
}

// Its effect is in the series already, but not that it had a key. What it came to is known, or follows from the entry:
// then it is what it would be on an empty series.
void remember_entry(store::Store& store, const Entry& entry, const snapshot::KnownOutcome* known,
                    commands::Outcome& outcome) {
  if (known != nullptr) {
    outcome.first = known->first;
    outcome.second = known->second;
  } else {
    store::Store empty(0);
    empty.find_or_create(entry.op->series(entry.command));
    entry.op->apply(entry.command, empty, outcome);
  }
  commands::remember_key(*entry.keyed, store.registry(), outcome);
}

// Entries up to a series' snapshot are in it already, and likewise for the registry.
class EntryCoverage final : public commands::Coverage {
 public:
  EntryCoverage(const snapshot::Restored& snapshots, Lsn lsn) : snapshots_(snapshots), lsn_(lsn) {}

  bool registry() const override { return !snapshots_.log_restarted && lsn_ <= snapshots_.registry_lsn; }
  bool series(std::string_view name) const override {
    if (snapshots_.log_restarted) return false;
    const auto found = snapshots_.series_lsn.find(name);
    return lsn_ <= (found != snapshots_.series_lsn.end() ? found->second : snapshots_.set_lsn);
  }

 private:
  const snapshot::Restored& snapshots_;
  const Lsn lsn_;
};

commands::Replayed replay(store::Store& store, const Entry& entry, const commands::Coverage& coverage,
                          const snapshot::KnownOutcome* known, commands::Outcome& outcome) {
  if (known != nullptr && known->refused) {
    outcome.fail(ErrorCode::validation_error, "refused when it was applied");
    return commands::Replayed::applied;
  }
  if (entry.op->replay != nullptr) return entry.op->replay(entry.command, store, coverage, outcome);
  const std::string_view series = entry.op->series(entry.command);
  const bool changed = series.empty() ? coverage.registry() : coverage.series(series);
  const bool remembered = entry.keyed == nullptr || coverage.registry();
  if (changed && remembered) return commands::Replayed::covered;
  if (changed) {
    remember_entry(store, entry, known, outcome);
  } else if (remembered) {
    entry.op->apply(entry.command, store, outcome);
  } else {
    apply_entry(store, entry, outcome);
  }
  return commands::Replayed::applied;
}

class Replay {
 public:
  Replay(store::Store& store, Recovered& recovered, const RecoveryOptions& options)
      : store_(store), recovered_(recovered), options_(options) {}

  Status operator()(Lsn lsn, std::string_view text) {
    arena_.reset();
    Entry entry = decode_entry(text, store_, options_.now, fields_, arena_);
    if (entry.op != nullptr) {
      commands::Outcome outcome;
      outcome.arena = &arena_;
      const EntryCoverage coverage(recovered_.snapshots, lsn);
      const snapshot::KnownOutcome* known = known_outcome(lsn);
      if (replay(store_, entry, coverage, known, outcome) == commands::Replayed::covered) {
        ++recovered_.covered;
        return {};
      }
      if (!coverage.registry()) note_outcome(recovered_.outcomes, *entry.op, entry.keyed != nullptr, lsn, outcome);
      store_.settle_all();  // nobody waits, and what follows goes faster
      (void)store_.take_graveyard();
      if (outcome.failed) entry.refusal = outcome.message;
      if (outcome.failed && outcome.code == ErrorCode::internal_error)
        return internal_error("Entry " + std::to_string(lsn.value) + " of the log cannot be applied: " + entry.refusal);
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

  const snapshot::KnownOutcome* known_outcome(Lsn lsn) {
    const std::vector<snapshot::KnownOutcome>& known = recovered_.snapshots.outcomes;
    while (next_known_ < known.size() && known[next_known_].lsn < lsn) ++next_known_;
    const bool found = next_known_ < known.size() && known[next_known_].lsn == lsn;
    return found && !recovered_.snapshots.log_restarted ? &known[next_known_] : nullptr;
  }

  store::Store& store_;
  Recovered& recovered_;
  const RecoveryOptions& options_;
  std::size_t next_known_ = 0;
  Fields fields_;
  Arena arena_;
};

std::string advice(const std::string& file) {
  return "Karma does not guess: restore the file from a backup or a replica, or give up what is damaged with "
         "--recover=" +
         file + " (`karma check` lists all damage)";
}

std::string advice(const wal::Damage& damage) {
  return damage.newer
             ? "Start the version that wrote it, or give up what this one cannot read with --recover=" + damage.file +
                   " (`karma check` lists all of it)"
             : advice(damage.file);
}

// The first damage that the operator has not given up, or nullptr.
const wal::Damage* first_refused(const wal::Scan& scan, const std::set<std::string>& give_up) {
  const auto refused = [&](const wal::Damage& damage) { return !give_up.contains(damage.file); };
  const auto found = std::find_if(scan.damage.begin(), scan.damage.end(), refused);
  return found == scan.damage.end() ? nullptr : &*found;
}

// A registry that cannot be read is not guessed at: what it forgets would count twice.
Status load_registry(snapshot::Restored& restored, store::Store& store, const RecoveryOptions& options) {
  if (!restored.registry_json) return {};
  const std::string text = *std::exchange(restored.registry_json, std::nullopt);
  const std::string name(snapshot::kRegistryName);
  if (options.give_up.contains(name)) {
    store::Registry trial(0);
    if (Status status = trial.load(text); !status) {
      options.on_warning("restore.warning", name + " is damaged: " + status.error().message + "; given up");
      restored.registry_lsn = Lsn();
      return {};
    }
  }
  Status status = store.registry().load(text);
  if (status) return {};
  return internal_error(name + " is damaged: " + status.error().message + ". " + advice(name));
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

Lsn newest_snapshot(const snapshot::Restored& restored) {
  Lsn newest = std::max(restored.set_lsn, restored.registry_lsn);
  for (const auto& [series, lsn] : restored.series_lsn) newest = std::max(newest, lsn);
  return newest;
}

std::string why_unknown(std::string_view entry) {
  constexpr std::string_view kStart = R"({"v":2,"op":")";  // as all our entries begin
  if (!entry.starts_with(kStart)) return "an entry of another form";
  entry.remove_prefix(kStart.size());
  const std::string_view name = entry.substr(0, entry.find('"'));
  const Op* op = commands::find_op(name);
  if (op != nullptr && op->kind == Kind::mutation) return {};
  const bool plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string_view::npos;
  return plain ? "the op " + std::string(name) + " is not one that this version logs" : "an op of another form";
}

std::string replay_entry(store::Store& store, std::string_view text, std::int64_t now) {
  Fields fields;
  Arena arena;
  const Entry entry = decode_entry(text, store, now, fields, arena);
  if (entry.op == nullptr) return entry.refusal;
  commands::Outcome outcome;
  outcome.arena = &arena;
  apply_entry(store, entry, outcome);
  return outcome.failed ? std::string(outcome.message) : std::string();
}

Result<Recovered> recover(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          store::Store& store, const RecoveryOptions& options) {
  Recovered recovered;
  // First look: everything is checked before anything is applied.
  const auto look = [](Lsn, std::string_view) { return Status(); };
  Result<wal::Scan> scan = wal::scan(files, directory, look, {.beyond_damage = true, .why_unknown = why_unknown});
  if (!scan) return scan.error();
  recovered.log = std::move(*scan);
  if (const wal::Damage* damage = first_refused(recovered.log, options.give_up))
    return internal_error((damage->newer ? "The log cannot be read: " : "The log is damaged: ") + damage->to_string() +
                          ". " + advice(*damage));

  const wal::Scan& log = recovered.log;
  const snapshot::LogReach reach{
      .has_entries = log.entry_count != 0, .first = log.first, .last = log.last, .lsn_file = log.lsn_file};
  const auto snapshot_progress = [&](std::size_t done, std::size_t all) {
    if (all == 0) return;  // nothing to restore
    options.on_event("restore.snapshots", "done=" + std::to_string(done) + " of=" + std::to_string(all));
  };
  Result<snapshot::Restored> restored = snapshots.restore(store, reach, options.give_up, snapshot_progress);
  if (!restored) return restored.error();
  recovered.snapshots = std::move(*restored);
  for (const std::string& warning : recovered.snapshots.warnings) options.on_warning("restore.warning", warning);
  if (Status status = load_registry(recovered.snapshots, store, options); !status) return status.error();
  if (Status status = check_reach(recovered); !status && options.give_up.empty()) return status.error();

  if (log.entry_count != 0) {
    Replay replay(store, recovered, options);
    const auto log_progress = [&](std::uint64_t done, std::uint64_t all) {
      options.on_event("restore.log", "bytes=" + std::to_string(done) + " of=" + std::to_string(all));
    };
    wal::ScanOptions scan_options{.beyond_damage = !log.damage.empty(), .progress = log_progress};
    if (!log.damage.empty()) scan_options.why_unknown = why_unknown;
    Result<wal::Scan> second = wal::scan(files, directory, std::ref(replay), scan_options);
    if (!second) return second.error();
  }
  recovered.last = std::max({log.last, log.lsn_file, recovered.snapshots.newest});
  // What was given up is not to be met at the next start again.
  recovered.needs_snapshot = !options.give_up.empty() || !log.damage.empty() ||
                             (log.entry_count != 0 && (recovered.last > log.last || recovered.snapshots.log_restarted));
  return recovered;
}

}  // namespace karma::engine
