#include "engine/startup.h"

#include <algorithm>

#include "core/check.h"

namespace karma::engine {
namespace {

template <class... Values>
constexpr std::uint8_t set(Values... values) {
  return static_cast<std::uint8_t>((0u | ... | (1u << static_cast<unsigned>(values))));
}
template <class Value>
bool in(std::uint8_t values, Value value) {
  return (values >> static_cast<unsigned>(value) & 1) != 0;
}

constexpr std::uint8_t kAny = 0xff;
constexpr std::uint8_t kKnown = set(Named::known);
constexpr std::uint8_t kCheckpoints = set(CheckpointState::whole, CheckpointState::given_up);
constexpr std::uint8_t kLog = set(LogState::whole, LogState::given_up);
constexpr std::uint8_t kManifest = set(ManifestState::none, ManifestState::good, ManifestState::given_up);
constexpr std::uint8_t kParts = set(Parts::whole, Parts::replaced, Parts::given_up);
constexpr std::uint8_t kEntries = set(Entries::all, Entries::given_up);
constexpr std::uint8_t kGoOn = set(Numbers::go_on);
constexpr std::uint8_t kAnew = set(Numbers::begin_anew);
constexpr std::uint8_t kLoad = set(Load::yes);
constexpr std::uint8_t kNoLoad = set(Load::no);

constexpr StartRow kTable[] = {
    {set(Named::unknown), kAny, kAny, kAny, kAny, kAny, kAny, kAny, Decision::refuse, "a file that does not exist"},
    {kKnown, set(CheckpointState::damaged), kAny, kAny, kAny, kAny, kAny, kAny, Decision::refuse,
     "the checkpoints are damaged"},
    {kKnown, kCheckpoints, set(LogState::damaged), kAny, kAny, kAny, kAny, kAny, Decision::refuse,
     "the log is damaged: file, offset and LSN"},
    {kKnown, kCheckpoints, set(LogState::newer), kAny, kAny, kAny, kAny, kAny, Decision::refuse,
     "a newer Karma wrote the log"},
    {kKnown, kCheckpoints, kLog, set(ManifestState::newer), kAny, kAny, kAny, kAny, Decision::refuse,
     "a newer Karma wrote the manifest"},
    {kKnown, kCheckpoints, kLog, set(ManifestState::damaged), kAny, kAny, kAny, kAny, Decision::refuse,
     "the manifest is damaged"},
    {kKnown, kCheckpoints, kLog, kManifest, set(Parts::damaged), kAny, kAny, kAny, Decision::refuse,
     "a snapshot or the exactly-once state is damaged or missing, and nothing can replace it: the file"},
    {kKnown, kCheckpoints, kLog, kManifest, kParts, set(Entries::missing), kAny, kAny, Decision::refuse,
     "entries are missing: their LSNs and the file that shows it"},
    {kKnown, kCheckpoints, kLog, kManifest, kParts, kEntries, kAnew, kNoLoad, Decision::refuse,
     "a new log would take the place of data that is not loaded"},
    {kKnown, kCheckpoints, kLog, kManifest, kParts, kEntries, kGoOn, kNoLoad, Decision::start_empty,
     "what is there stays; no snapshots are written while it does"},
    {kKnown, kCheckpoints, kLog, kManifest, kParts, kEntries, kGoOn, kLoad, Decision::go_on, ""},
    {kKnown, kCheckpoints, kLog, kManifest, kParts, kEntries, kAnew, kLoad, Decision::go_on_anew,
     "nothing that was given up is met again"},
};

}  // namespace

Lsn covered(const SnapshotFacts& facts) {
  if (facts.restarted) return facts.renumbered ? facts.newest : Lsn{};
  Lsn covered = facts.set;
  // A set of 1.0: its exactly-once state is the last file of it, so no older exactly-once state can say less, and a
  // newer one that comes from elsewhere is given away by snapshots that are all older.
  const bool set_of_1_0 = facts.exactly_once && facts.any && facts.newest >= *facts.exactly_once;
  if (set_of_1_0) covered = std::max(covered, *facts.exactly_once);
  // Without a whole set of ours, and without an exactly-once state to tell where 1.0 trimmed its log.
  const bool without_set = !facts.has_manifest || (facts.set == Lsn{} && !facts.log_complete);
  if (without_set && !set_of_1_0) covered = std::max(covered, facts.newest);
  if (without_set && facts.lsn_unknown) covered = std::max(covered, facts.trimmed);
  return covered;
}

std::string Missing::to_string() const {
  const std::string lsns = from == to
                               ? "LSN " + std::to_string(from.value) + " is"
                               : "LSNs " + std::to_string(from.value) + " to " + std::to_string(to.value) + " are";
  return "Entries are missing: " + lsns + " neither in the snapshots nor in the log, as " + file + " shows";
}

std::optional<Missing> find_missing(const LsnFacts& facts) {
  if (facts.first > facts.covered.next() && !facts.first_given_up)
    return Missing{facts.covered.next(), Lsn{facts.first.value - 1}, facts.first_file};
  const Lsn reached = std::max(facts.covered, facts.last);
  if (facts.trimmed > reached) return Missing{reached.next(), facts.trimmed, "karma.wal.lsn"};
  if (facts.newest > reached) return Missing{reached.next(), facts.newest, facts.newest_file};
  if (facts.replicated > reached) return Missing{reached.next(), facts.replicated, "karma.replication.lsn"};
  return std::nullopt;
}

bool StartRow::fits(const Situation& s) const {
  return in(named, s.named) && in(checkpoints, s.checkpoints) && in(log, s.log) && in(manifest, s.manifest) &&
         in(parts, s.parts) && in(entries, s.entries) && in(numbers, s.numbers) && in(load, s.load);
}

std::span<const StartRow> start_table() { return kTable; }

Decision decide(const Situation& situation) {
  const auto row =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const StartRow& r) { return r.fits(situation); });
  KARMA_CHECK(row != std::end(kTable));
  return row->decision;
}

}  // namespace karma::engine
