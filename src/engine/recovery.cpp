#include "engine/recovery.h"

#include <algorithm>
#include <utility>

#include "commands/catalog.h"
#include "core/arena.h"
#include "engine/decode.h"

namespace karma::engine {
namespace {

using commands::Kind;
using commands::Op;
using protocol::Fields;

// When the entry was logged, its key was known to be free.
void apply_entry(store::Store& store, const Decoded& entry, commands::Outcome& outcome) {
  entry.op->apply(entry.command, store, outcome);
  if (entry.keyed != nullptr) commands::remember_key(*entry.keyed, store.exactly_once(), outcome);
}

// Its effect is in the series already, but not that it had a key. Its outcome is known, or follows from the entry: then
// it is that on an empty series. A Karma 1.0 that was killed may have written the key, but not yet its LSN.
void remember_entry(store::Store& store, const Decoded& entry, const snapshot::KnownOutcome* known,
                    commands::Outcome& outcome) {
  store::IdempotencyRecords& records = store.exactly_once().records();
  const store::IdempotencyRecord& own = entry.keyed->record;
  if (known != nullptr) {
    outcome.first = known->first;
    outcome.second = known->second;
  } else if (const auto record = records.find(own.key); record && !records.is_too_old(*record, own.created_at) &&
                                                        record->operation == own.operation &&
                                                        record->content.same(own.content, entry.keyed->command)) {
    outcome.first = record->first;
    outcome.second = record->second;
    return;
  } else {
    store::Store empty(0);
    empty.find_or_create(entry.op->series(entry.command));
    entry.op->apply(entry.command, empty, outcome);
  }
  commands::remember_key(*entry.keyed, store.exactly_once(), outcome);
}

// Entries up to a series' snapshot are in it already, and likewise for the exactly-once state.
class EntryCoverage final : public commands::Coverage {
 public:
  using Chunks = std::set<std::pair<std::string, std::uint64_t>>;
  EntryCoverage(const snapshot::Restored& snapshots, Lsn lsn, Chunks& seen)
      : snapshots_(snapshots), lsn_(lsn), seen_(seen) {}

  bool exactly_once() const override { return !snapshots_.log_restarted && lsn_ <= snapshots_.exactly_once_lsn; }
  bool series(std::string_view name) const override {
    if (snapshots_.log_restarted) return false;
    const auto found = snapshots_.series_lsn.find(name);
    return lsn_ <= (found != snapshots_.series_lsn.end() ? found->second : snapshots_.set_lsn);
  }
  bool first_time(std::string_view stream_id, std::uint64_t chunk) const override {
    return !snapshots_.replaced || seen_.emplace(stream_id, chunk).second;
  }

 private:
  const snapshot::Restored& snapshots_;
  const Lsn lsn_;
  Chunks& seen_;
};

commands::Replayed replay(store::Store& store, const Decoded& entry, const commands::Coverage& coverage,
                          const snapshot::KnownOutcome* known, commands::Outcome& outcome) {
  if (known != nullptr && known->refused) {
    outcome.fail(ErrorCode::validation_error, "refused when it was applied");
    return commands::Replayed::applied;
  }
  if (entry.op->replay != nullptr) return entry.op->replay(entry.command, store, coverage, outcome);
  const std::string_view series = entry.op->series(entry.command);
  const bool changed = series.empty() ? coverage.exactly_once() : coverage.series(series);
  const bool remembered = entry.keyed == nullptr || coverage.exactly_once();
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

class Replay {
 public:
  Replay(store::Store& store, Recovered& recovered, const RecoveryOptions& options)
      : store_(store), recovered_(recovered), options_(options) {}

  Status operator()(Lsn lsn, std::string_view text) {
    arena_.reset();
    Decoded entry;
    const Status decoded = decode_entry(text, store_.exactly_once(), options_.now, fields_, arena_, entry);
    if (!decoded) return without_effect(lsn, decoded.error().message);
    commands::Outcome outcome;
    outcome.arena = &arena_;
    const EntryCoverage coverage(recovered_.snapshots, lsn, seen_chunks_);
    if (replay(store_, entry, coverage, known_outcome(lsn), outcome) == commands::Replayed::covered) {
      ++recovered_.covered;
      return {};
    }
    if (!coverage.exactly_once()) note_outcome(recovered_.outcomes, *entry.op, entry.keyed != nullptr, lsn, outcome);
    store_.purge_all();  // nobody waits, and what follows goes faster
    (void)store_.take_deferred_free();
    if (outcome.failed && outcome.code == ErrorCode::internal_error) {
      // Only an older snapshot in place of a damaged one can lead here: the damaged one is the file that may be given
      // up.
      const std::string file = replaced_file(entry.op->series(entry.command));
      if (!options_.give_up.contains(file))
        return internal_error(file + " is damaged, and the log cannot replace it: entry " + std::to_string(lsn.value) +
                              ": " + std::string(outcome.message) + ". " + advice(file));
    }
    if (outcome.failed) return without_effect(lsn, outcome.message);
    ++recovered_.applied;
    return {};
  }

 private:
  static constexpr std::uint64_t kWarnings = 100;  // the rest is only counted

  // Karma 1.0 logged before it refused.
  Status without_effect(Lsn lsn, std::string_view reason) {
    if (++recovered_.refused <= kWarnings)
      options_.on_warning("wal.entry_without_effect",
                          "lsn=" + std::to_string(lsn.value) + " reason=" + std::string(reason));
    return {};
  }

  std::string replaced_file(std::string_view series) const {
    const auto& files = recovered_.snapshots.replaced_files;
    const auto found = files.find(series);
    return found != files.end() ? found->second : files.empty() ? std::string() : files.begin()->second;
  }

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
  EntryCoverage::Chunks seen_chunks_;  // where a series is older than the exactly-once state
  Fields fields_;
  Arena arena_;
};

// The first damage that the operator has not given up, or nullptr.
const wal::Damage* first_refused(const wal::Scan& scan, const std::set<std::string>& give_up) {
  const auto refused = [&](const wal::Damage& damage) { return !give_up.contains(damage.file); };
  const auto found = std::find_if(scan.damage.begin(), scan.damage.end(), refused);
  return found == scan.damage.end() ? nullptr : &*found;
}

constexpr std::uint64_t kLargestLsn = INT64_MAX;  // that Karma 1.0 can read

// Collects the values that the table of startup.h asks for, in its order, and stops once a refusal is certain.
class StartUp {
 public:
  // Without a store nothing is loaded.
  StartUp(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots, store::Store* store,
          const RecoveryOptions& options)
      : files_(files), directory_(directory), snapshots_(snapshots), store_(store), options_(options) {}

  Status run(Recovered& recovered) {
    for (Status (StartUp::*look)(Recovered&) :
         {&StartUp::look_at_names, &StartUp::look_at_checkpoints, &StartUp::look_at_log, &StartUp::look_at_snapshots,
          &StartUp::look_at_entries}) {
      if (Status looked = (this->*look)(recovered); !looked) return looked;
      if (!refusal_.empty()) break;
    }
    recovered.decision = decide(situation_);
    if (recovered.decision == Decision::refuse) return internal_error(refusal_);
    return {};
  }

 private:
  bool gave_up(std::string_view file) const { return options_.give_up.contains(std::string(file)); }

  Status look_at_names(Recovered&) {
    Result<std::vector<std::string>> listing = files_.list(directory_);
    if (!listing) return listing.error();
    const std::set<std::string> names(listing->begin(), listing->end());
    for (const std::string& name : options_.give_up) {
      if (names.contains(name) || snapshots_.is_listed(name)) continue;
      situation_.named = Named::unknown;
      refusal_ = "--recover=" + name + ": the file does not exist; --recover takes the names of files in " + directory_;
      break;
    }
    return {};
  }

  // Without them producers would begin again, and everything that they sent before would count twice.
  Status look_at_checkpoints(Recovered& recovered) {
    Result<ops::Checkpoints::Map> read = ops::Checkpoints::read(files_, directory_);
    if (read) {
      recovered.checkpoints = std::move(*read);
      return {};
    }
    const std::string name(ops::kCheckpointsName);
    if (gave_up(name)) {
      situation_.checkpoints = CheckpointState::given_up;
      options_.on_warning("restore.warning", name + " is damaged; given up: there are no checkpoints");
    } else {
      situation_.checkpoints = CheckpointState::damaged;
      refusal_ = read.error().message;
    }
    return {};
  }

  Status look_at_log(Recovered& recovered) {
    options_.on_progress("checking the log", 0, 0);
    Result<wal::Scan> scan =
        wal::scan(files_, directory_, unless(options_.stopped),
                  {.files = options_.log_files,
                   .beyond_damage = true,
                   .progress = [this](auto done, auto all) { options_.on_progress("checking the log", done, all); },
                   .why_unknown = why_unknown});
    if (!scan) return scan.error();
    recovered.log = std::move(*scan);
    if (recovered.log.lsn_file_bad)
      options_.on_warning("restore.warning", std::string(wal::kLsnName) + " is not a number; it is ignored");
    if (const std::uint64_t lines = recovered.log.later_plain_lines; lines != 0)
      options_.on_warning("wal.lines_of_karma_1",
                          std::to_string(lines) + " log lines have no checksum: Karma 1.0 wrote them after this one");
    if (!recovered.log.damage.empty()) situation_.log = LogState::given_up;
    if (const wal::Damage* damage = first_refused(recovered.log, options_.give_up)) {
      situation_.log = damage->newer ? LogState::newer : LogState::damaged;
      refusal_ = (damage->newer ? "The log cannot be read: " : "The log is damaged: ") + damage->to_string() + ". " +
                 advice(*damage);
    }
    return {};
  }

  Status look_at_snapshots(Recovered& recovered) {
    const wal::Scan& log = recovered.log;
    const snapshot::LogReach reach = log_reach(log);
    if (store_ != nullptr) snapshots_.set_log(reach);
    const auto progress = [&](std::size_t done, std::size_t all) {
      if (all == 0) return;  // nothing to restore
      options_.on_progress("loading snapshots", done, all);
      options_.on_event("restore.snapshots", "done=" + std::to_string(done) + " of=" + std::to_string(all));
    };
    options_.on_progress("loading snapshots", 0, 0);
    snapshot::RestoreFault fault;
    Result<snapshot::Restored> restored = snapshots_.restore(store_, reach, options_.give_up, progress, &fault);
    if (!restored) {
      situation_.manifest = fault.manifest;
      situation_.parts = fault.manifest == ManifestState::none ? Parts::damaged : Parts::whole;
      refusal_ = restored.error().message + ". " +
                 (fault.manifest == ManifestState::newer ? "Start that one on this directory" : advice(fault.file));
      return {};
    }
    recovered.snapshots = std::move(*restored);
    situation_.manifest = recovered.snapshots.manifest;
    for (const std::string& warning : recovered.snapshots.warnings) options_.on_warning("restore.warning", warning);
    load_exactly_once(recovered.snapshots);
    if (situation_.parts != Parts::damaged && recovered.snapshots.replaced) situation_.parts = Parts::replaced;
    if (situation_.parts != Parts::damaged && recovered.snapshots.gave_up) situation_.parts = Parts::given_up;
    return {};
  }

  // An unreadable exactly-once state is not guessed at: writes that it forgets would count twice.
  void load_exactly_once(snapshot::Restored& restored) {
    if (!restored.exactly_once_json || store_ == nullptr) return;
    const std::string text = *std::exchange(restored.exactly_once_json, std::nullopt);
    const std::string name(snapshot::kExactlyOnceName);
    if (gave_up(name)) {
      store::ExactlyOnceState trial(0);
      if (Status status = trial.load(text, commands::operations()); !status) {
        options_.on_warning("restore.warning", name + " is damaged: " + status.error().message + "; given up");
        restored.exactly_once_lsn = Lsn();
        restored.gave_up = true;
        return;
      }
    }
    Status status = store_->exactly_once().load(text, commands::operations());
    if (status) return;
    situation_.parts = Parts::damaged;
    refusal_ = name + " is damaged: " + status.error().message + ". " + advice(name);
  }

  Status look_at_entries(Recovered& recovered) {
    const wal::Scan& log = recovered.log;
    const snapshot::Restored& snapshots = recovered.snapshots;
    // Files that --recover names prove nothing any more.
    const LsnFacts given = lsn_facts(log, snapshots, options_.give_up);
    if (const std::optional<Missing> missing = find_missing(given)) {
      situation_.entries = Entries::missing;
      refusal_ = missing->to_string() + ". " + advice(missing->file);
      return {};
    }
    if (const std::optional<Missing> missing = find_missing(lsn_facts(log, snapshots, {}))) {
      situation_.entries = Entries::given_up;
      options_.on_warning("restore.warning", missing->to_string() + "; given up");
    }
    look_at_numbers(log, snapshots);
    if (!refusal_.empty()) return {};
    look_at_old_series(log, snapshots, given.covered);
    if (!refusal_.empty()) return {};
    // An unreasonably high number that was given up as damaged is not continued.
    if (gave_up(wal::kLsnName) && log.lsn_file.value > kLargestLsn) recovered.log.lsn_file = Lsn{};
    recovered.last = std::max({log.last, log.lsn_file, snapshots.newest});
    const bool numbers_jump = log.entry_count != 0
                                  ? recovered.last > log.last || snapshots.log_restarted
                                  : recovered.last > given.covered;  // the first entry would show a gap
    const bool gave_up_something =
        situation_.log == LogState::given_up || snapshots.gave_up || situation_.entries == Entries::given_up;
    if (numbers_jump || gave_up_something) situation_.numbers = Numbers::begin_anew;
    if (!options_.restore) situation_.load = Load::no;
    if (!options_.restore && situation_.numbers == Numbers::begin_anew) {
      refusal_ =
          "The log cannot be continued as it is, and with --restore=false there is nothing to take its place: "
          "start once with --restore=true";
    }
    return {};
  }

  // Karma 1.0 empties its log before it writes karma.wal.lsn. Killed in between, it numbers what it logs then from
  // below its snapshots, and they hold none of that.
  void look_at_numbers(const wal::Scan& log, const snapshot::Restored& snapshots) {
    const Lsn snapshot = snapshots.newest_unlisted;
    if (log.entry_count == 0 || log.checksummed || log.last >= snapshot || snapshots.log_restarted) return;
    const std::string file = first_file(log);
    const std::string what = "Entries may be missing: " + file + " ends with LSN " + std::to_string(log.last.value) +
                             ", and a snapshot of Karma 1.0 has LSN " + std::to_string(snapshot.value) +
                             "; if 1.0 was killed after that and began again with smaller LSNs, it holds none of them";
    if (gave_up(file)) {
      situation_.entries = Entries::given_up;
      options_.on_warning("restore.warning", what + "; given up");
    } else {
      situation_.entries = Entries::missing;
      refusal_ = what + ". " + advice(file);
    }
  }

  // Karma 1.0 leaves the files of a series that is dropped, and finds it again at the next start; so does this one,
  // where nothing tells it from a series whose later files are lost.
  void look_at_old_series(const wal::Scan& log, const snapshot::Restored& snapshots, Lsn covered) {
    if (snapshots.log_restarted) return;
    for (const auto& [name, lsn] : snapshots.series_lsn) {
      const auto later = snapshots.later_files.find(name);
      const bool has_later = later != snapshots.later_files.end();
      // A manifest tells that all is there up to its LSN; a file that somebody has put beside it proves nothing.
      const bool doubtful = has_later && snapshots.manifest != snapshot::ManifestState::good;
      const bool met = log.first != Lsn{} ? log.first <= lsn.next() : lsn >= covered && !doubtful;
      if (met || lsn == Lsn{} || snapshots.replaced_files.contains(name)) continue;
      if (has_later) {
        const Missing missing{lsn.next(), std::max(lsn.next(), covered), later->second};
        const std::string what = "series \"" + name + "\": " + missing.to_string();
        if (!gave_up(missing.file)) {
          situation_.entries = Entries::missing;
          refusal_ = what + ". " + advice(missing.file);
          return;
        }
        situation_.entries = Entries::given_up;
        options_.on_warning("restore.warning", what + "; given up");
      } else if (situation_.entries == Entries::all) {
        options_.on_warning("restore.warning",
                            "series \"" + name + "\": its snapshot ends with LSN " + std::to_string(lsn.value) +
                                ", and what came after is in no file; was it dropped under Karma 1.0?");
      }
    }
  }

  LsnFacts lsn_facts(const wal::Scan& log, const snapshot::Restored& snapshots,
                     const std::set<std::string>& give_up) const {
    const auto given_up = [&](std::string_view file) { return give_up.contains(std::string(file)); };
    LsnFacts facts;
    facts.covered = covered({.has_manifest = snapshots.manifest == ManifestState::good,
                             .log_complete = snapshots.log_complete,
                             .set = snapshots.set_lsn,
                             .any = snapshots.any,
                             .lsn_unknown = snapshots.lsn_unknown,
                             .newest = snapshots.newest_current,
                             .exactly_once = snapshots.exactly_once_of_1_0,
                             .trimmed = log.lsn_file,
                             .restarted = snapshots.log_restarted,
                             .renumbered = snapshots.renumbered});
    if (log.first != Lsn{}) {
      facts.first = log.first;
      facts.last = log.last;
      facts.first_file = first_file(log);
      facts.first_given_up = given_up(facts.first_file);
    }
    if (!given_up(wal::kLsnName)) facts.trimmed = log.lsn_file;
    if (snapshots.log_restarted) return facts;
    // Snapshots that a slave of Karma 1.0 fetched need not be of one LSN, and it has no log.
    const bool of_a_slave = snapshots.manifest != ManifestState::good && snapshots.replicated != Lsn{};
    if (of_a_slave) {
      facts.covered = std::max(facts.covered, snapshots.newest_current);
    } else {
      facts.newest = give_up.empty() ? snapshots.newest_current : snapshots.newest_not_given_up;
      facts.newest_file = snapshots.newest_file;
      if (snapshots.exactly_once_lsn > facts.newest && !given_up(snapshot::kExactlyOnceName)) {
        facts.newest = snapshots.exactly_once_lsn;
        facts.newest_file = snapshot::kExactlyOnceName;
      }
    }
    // Of a log that goes on the scan has seen less than that file may tell of.
    const bool goes_on = options_.log_files != nullptr;
    if (!goes_on && !given_up(snapshot::kReplicationLsnName)) facts.replicated = snapshots.replicated;
    return facts;
  }

  static std::string first_file(const wal::Scan& log) {
    const auto holds_entries = [](const wal::FileInfo& file) { return file.first != Lsn{}; };
    return std::find_if(log.files.begin(), log.files.end(), holds_entries)->name;
  }

  FileSystem& files_;
  const std::string& directory_;
  snapshot::Manager& snapshots_;
  store::Store* const store_;
  const RecoveryOptions& options_;
  Situation situation_;
  std::string refusal_;
};

bool holds_data(const Recovered& recovered, const store::Store& store) {
  const store::ExactlyOnceState& exactly_once = store.exactly_once();
  return recovered.log.entry_count != 0 || recovered.snapshots.any || store.series_count() != 0 ||
         exactly_once.records().size() != 0 || exactly_once.streams().active_count() != 0 ||
         exactly_once.streams().committed_count() != 0;
}

}  // namespace

Lsn newest_snapshot(const snapshot::Restored& restored) {
  Lsn newest = std::max(restored.set_lsn, restored.exactly_once_lsn);
  for (const auto& [series, lsn] : restored.series_lsn) newest = std::max(newest, lsn);
  return newest;
}

snapshot::LogReach log_reach(const wal::Scan& log) {
  return {.has_entries = log.entry_count != 0,
          .first = log.first,
          .last = log.last,
          .lsn_file = log.lsn_file,
          .whole = log.damage.empty()};
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

wal::Visit unless(const snapshot::Manager::Stopped& stopped) {
  return [stopped](Lsn, std::string_view) {
    return stopped && stopped() ? Status(internal_error("The scan was stopped")) : Status();
  };
}

Result<Recovered> examine(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          const RecoveryOptions& options) {
  Recovered recovered;
  if (Status decided = StartUp(files, directory, snapshots, nullptr, options).run(recovered); !decided)
    return decided.error();
  return recovered;
}

Result<Recovered> recover(FileSystem& files, const std::string& directory, snapshot::Manager& snapshots,
                          store::Store& store, const RecoveryOptions& options) {
  Recovered recovered;
  // Everything is checked before anything is applied.
  if (Status decided = StartUp(files, directory, snapshots, &store, options).run(recovered); !decided)
    return decided.error();
  const wal::Scan& log = recovered.log;
  if (log.entry_count != 0) {
    recovered.streams_began_before = store.exactly_once().streams().active_count() != 0;
    Replay replay(store, recovered, options);
    const auto log_progress = [&](std::uint64_t done, std::uint64_t all) {
      options.on_progress("applying the log", done, all);
      options.on_event("restore.log", "bytes=" + std::to_string(done) + " of=" + std::to_string(all));
    };
    wal::ScanOptions scan_options{.beyond_damage = !log.damage.empty(), .progress = log_progress};
    if (!log.damage.empty()) scan_options.why_unknown = why_unknown;
    Result<wal::Scan> second = wal::scan(files, directory, std::ref(replay), scan_options);
    if (!second) return second.error();
  }
  recovered.holds_data = holds_data(recovered, store);
  return recovered;
}

}  // namespace karma::engine
