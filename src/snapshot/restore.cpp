// From files to the state at start. Which file of a series is current is decided in inventory.h; here it is read, and
// if it is damaged or missing, this is done about it:
//
//   an older good file, of the same content (size and checksum)           use it, with the LSN of the damaged one
//   an older good file; the log has every entry from its LSN on up to     use it, with its LSN: the log brings it
//     the LSN of the damaged one                                            forward
//   no good file; the log began with nothing there, and still has it all  begin with nothing: the log makes it
//   the operator gave the file up                                         the next older good one, or nothing
//   anything else                                                         refuse, naming the file
//
// The log cannot bring anything forward across changes that were never in it (Manifest::unlogged_lsn), nor across lines
// that were given up, nor in a directory whose LSNs began anew (Inventory, renumbered).
#include <algorithm>
#include <mutex>

#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

constexpr std::size_t kBytesBetweenReports = std::size_t{32} << 20;

class Restorer {
 public:
  Restorer(Manager::Impl& impl, store::Store* store, const LogReach& log, const std::set<std::string>& set_aside,
           const std::function<void(std::size_t, std::size_t)>& progress, RestoreFault& fault)
      : impl_(impl), store_(store), log_(log), set_aside_(set_aside), progress_(progress), fault_(fault) {}

  Result<Restored> run() {
    if (Status taken = take(); !taken) return taken.error();
    choice_ = choose(inventory_, log_);
    result_.log_restarted = log_restarted();
    result_.renumbered = choice_.renumbered;
    find_newest();
    find_later_files();
    if (Status checked = check_sidecars(); !checked) return checked.error();
    if (Status checked = check_orphans(); !checked) return checked.error();
    for (const auto& [name, candidates] : choice_.series) bytes_all_ += candidates.front()->file.meta.bytes;
    for (const auto& [name, candidates] : choice_.series) {
      if (Status restored = restore_series(name, candidates); !restored) return restored.error();
    }
    if (Status restored = restore_exactly_once(); !restored) return restored.error();
    if (progress_) progress_(bytes_all_, bytes_all_);
    return std::move(result_);
  }

 private:
  Status take() {
    Result<Inventory> inventory = take_inventory(impl_.files, impl_.directory);
    if (inventory && !inventory->manifest_fault.empty()) {
      const std::string damage = inventory->manifest_trouble();
      if (!gave_up(std::string(kManifestName))) {
        fault_.manifest = inventory->manifest_newer ? ManifestState::newer : ManifestState::damaged;
        return refuse(std::string(kManifestName), damage);
      }
      warn(damage + "; given up: the newest snapshot of each series counts");
      result_.manifest = ManifestState::given_up;
      result_.gave_up = true;
      inventory = take_inventory(impl_.files, impl_.directory, true);
    }
    if (!inventory) return inventory.error();
    inventory_ = std::move(*inventory);
    for (const std::string& warning : inventory_.warnings) warn(warning);
    if (inventory_.manifest) {
      result_.set_lsn = inventory_.manifest->lsn;
      result_.outcomes = inventory_.manifest->outcomes;
      result_.manifest = ManifestState::good;
      result_.log_complete = inventory_.manifest->log_complete;
    }
    return {};
  }

  // A promoted slave of Karma 1.0 begins its log at 1 although its snapshots are further.
  bool log_restarted() const {
    if (result_.manifest != ManifestState::none || !inventory_.replication_lsn) return false;
    if (choice_.renumbered) return true;
    if (!log_.has_entries) return false;
    Lsn lowest;
    for (const auto& [name, candidates] : choice_.series) {
      const Lsn lsn = candidates.front()->file.meta.last_lsn;
      if (lsn != Lsn{} && (lowest == Lsn{} || lsn < lowest)) lowest = lsn;
    }
    return log_.first <= lowest;
  }

  void find_newest() {
    Lsn newest = result_.set_lsn;
    for (const Candidate& candidate : inventory_.candidates) newest = std::max(newest, candidate.file.meta.last_lsn);
    if (inventory_.manifest) {
      for (const ManifestFile& file : inventory_.manifest->older) newest = std::max(newest, file.meta.last_lsn);
    }
    result_.replicated = Lsn{inventory_.replication_lsn.value_or(0)};
    result_.newest = std::max(newest, result_.replicated);
    for (const auto& [name, candidates] : choice_.series) {
      const Candidate& current = *candidates.front();
      const Meta& meta = current.file.meta;
      result_.any = true;
      result_.lsn_unknown |= current.origin == Origin::unlisted && !meta.has_sidecar;
      result_.newest_current = std::max(result_.newest_current, meta.last_lsn);
      if (current.origin == Origin::unlisted)
        result_.newest_unlisted = std::max(result_.newest_unlisted, meta.last_lsn);
      if (gave_up(meta.file) || meta.last_lsn < result_.newest_not_given_up) continue;
      result_.newest_not_given_up = meta.last_lsn;
      result_.newest_file = meta.file;
    }
  }

  // A sidecar without its file, and what it tells of it.
  struct Orphan {
    std::string name;
    std::string tree;
    Meta told;
  };
  std::vector<Orphan> orphans() const {
    std::vector<Orphan> found;
    for (const std::string& name : inventory_.names) {
      if (!name.ends_with(kSidecarSuffix)) continue;
      std::string tree = name.substr(0, name.size() - kSidecarSuffix.size());
      if (!parse_file_name(tree) || inventory_.has(tree)) continue;
      const Result<std::string> text = read_file(impl_.files, impl_.path(name));
      std::optional<Meta> told = text ? decode_sidecar(*text) : std::nullopt;
      if (told) found.push_back({name, std::move(tree), std::move(*told)});
    }
    return found;
  }

  // Files without their sidecars, and sidecars without their files.
  void find_later_files() {
    for (const Candidate& candidate : inventory_.candidates) {
      const Meta& meta = candidate.file.meta;
      const auto chosen = choice_.series.find(meta.series);
      if (candidate.origin != Origin::unlisted || meta.has_sidecar || chosen == choice_.series.end()) continue;
      const Candidate& current = *chosen->second.front();
      if (meta.timestamp > current.file.meta.timestamp && !same_content(candidate, current))
        result_.later_files[meta.series] = meta.file;
    }
    if (!inventory_.manifest) return;
    for (const Orphan& orphan : orphans()) {
      const auto chosen = choice_.series.find(orphan.told.series);
      if (chosen != choice_.series.end() && orphan.told.last_lsn > chosen->second.front()->file.meta.last_lsn)
        result_.later_files[orphan.told.series] = orphan.name;
    }
  }

  bool same_content(const Candidate& a, const Candidate& b) const {
    if (a.file.meta.bytes != b.file.meta.bytes) return false;
    const Result<Sum> one = impl_.sum_of(a.disk_name);
    const Result<Sum> other = impl_.sum_of(b.disk_name);
    return one && other && one->crc == other->crc;
  }

  // Without manifest a sidecar alone tells that there was a snapshot.
  Status check_orphans() {
    if (inventory_.manifest) return {};
    for (const Orphan& orphan : orphans()) {
      const auto chosen = choice_.series.find(orphan.told.series);
      if (chosen != choice_.series.end() && chosen->second.front()->file.meta.last_lsn >= orphan.told.last_lsn)
        continue;
      if (!gave_up(orphan.tree)) return refuse(orphan.name, orphan.tree + " is missing: its sidecar is there");
      result_.gave_up = true;
    }
    return {};
  }

  Status check_sidecars() {
    for (const Candidate& candidate : inventory_.candidates) {
      if (Status checked = check_sidecar(candidate); !checked) return checked;
    }
    return {};
  }

  Status check_sidecar(const Candidate& candidate) {
    const Meta& meta = candidate.file.meta;
    const std::string damage = damage_of(sidecar_name(meta.file), candidate.sidecar_fault);
    if (candidate.origin != Origin::unlisted) {
      const bool retired = !candidate.present && !choice_.is_current(candidate);  // Karma 1.0 has a newer one
      if (!candidate.sidecar_fault.empty() && !retired) warn(damage + "; the manifest tells what was in it");
      return {};
    }
    const auto chosen = choice_.series.find(meta.series);
    if (inventory_.manifest) {
      const std::int64_t current =
          chosen != choice_.series.end() ? chosen->second.front()->file.meta.timestamp : inventory_.manifest->timestamp;
      if (meta.timestamp <= current) return {};
      if (!candidate.sidecar_fault.empty() && !gave_up(meta.file)) return refuse(sidecar_name(meta.file), damage);
      if (!meta.has_sidecar) warn(meta.file + " has no sidecar and is not in the manifest, ignored");
      return {};
    }
    if (candidate.sidecar_fault.empty()) return {};
    if (chosen->second.front() == &candidate) {
      // Without its LSN nobody knows which entries of the log it has already; nor would the next start know it of the
      // entries to come, so a set takes its place before there are any.
      if (log_.has_entries && !gave_up(meta.file)) return refuse(sidecar_name(meta.file), damage);
      result_.gave_up = true;
    }
    warn(damage);
    return {};
  }

  Status restore_series(const std::string& name, const std::vector<const Candidate*>& candidates) {
    const Candidate& current = *candidates.front();
    const std::string& file = current.file.meta.file;
    Status loaded = load(name, current);
    if (loaded) return {};
    const std::string damage = damage_of(file, loaded.error().message);
    for (std::size_t i = 1; i < candidates.size(); ++i) {
      Candidate older = *candidates[i];
      if (!gave_up(file) && !may_stand_in(older, current)) continue;
      if (is_same(older, current)) older.file.meta.last_lsn = current.file.meta.last_lsn;
      if (Status stood_in = load(name, older); !stood_in) {
        warn(damage_of(older.file.meta.file, stood_in.error().message));
        continue;
      }
      warn(damage + "; " + older.file.meta.file + " is used instead");
      replaced(name, file);
      return {};
    }
    if (!gave_up(file) && !log_has_all(candidates)) return refuse(file, damage);
    result_.series_lsn[name] = Lsn{};
    replaced(name, file);
    warn(damage + (gave_up(file) ? "; given up" : "; the series is made from the log alone"));
    return {};
  }

  void replaced(const std::string& name, const std::string& file) {
    result_.replaced = true;
    result_.gave_up |= gave_up(file);
    result_.replaced_files[name] = file;
  }

  Status load(const std::string& name, const Candidate& candidate) {
    if (store_ == nullptr) {
      if (!candidate.present) return internal_error(std::string(kMissing));
      result_.series_lsn[name] = candidate.file.meta.last_lsn;
      return {};
    }
    store::Series series = store_->make_series();
    const std::size_t before = bytes_done_;
    Result<TreeFacts> facts = impl_.decode(
        candidate, [&](Key key, std::span<const store::Point> points) { return series.load(key, points); },
        [&](std::uint64_t bytes) { report(before + static_cast<std::size_t>(bytes)); });
    if (!facts) return facts.error();
    bytes_done_ = before + facts->bytes;
    if (const std::string odd = facts->oddities(); !odd.empty()) {
      warn(candidate.file.meta.file + " holds " + odd + "; put right while loading");
    }
    {
      const std::lock_guard lock(store_->lock());
      store_->replace(name, std::move(series));
    }
    result_.series_lsn[name] = candidate.file.meta.last_lsn;
    ++result_.file_count;
    return {};
  }

  // Now and then: whoever listens may write it into a log.
  void report(std::size_t bytes) {
    if (!progress_ || bytes < bytes_reported_ + kBytesBetweenReports || bytes >= bytes_all_) return;
    bytes_reported_ = bytes;
    progress_(bytes, bytes_all_);
  }

  // The same bytes, so both hold everything up to the later LSN.
  static bool is_same(const Candidate& a, const Candidate& b) {
    return a.file.crc && a.file.crc == b.file.crc && a.file.meta.bytes == b.file.meta.bytes;
  }

  bool may_stand_in(const Candidate& older, const Candidate& damaged) const {
    if (!older.present) return false;
    if (is_same(older, damaged)) return true;
    const Lsn from = older.file.meta.last_lsn;
    const Lsn to = damaged.file.meta.last_lsn;
    const auto lsn_known = [](const Candidate& candidate) {
      return candidate.origin != Origin::unlisted || candidate.sidecar_fault.empty();
    };
    if (!lsn_known(older) || !lsn_known(damaged) || to == Lsn{} || from > to) return false;
    if (inventory_.manifest && inventory_.manifest->unlogged_lsn && from <= *inventory_.manifest->unlogged_lsn) {
      return false;
    }
    return !result_.log_restarted && log_.has_all(from, to);
  }

  // Is the log from 1 on all that ever happened to the series?
  bool log_has_all(const std::vector<const Candidate*>& candidates) const {
    const Candidate& damaged = *candidates.front();
    if (result_.log_restarted || !log_.has_all(Lsn{}, damaged.file.meta.last_lsn)) return false;
    if (inventory_.manifest) return inventory_.manifest->log_complete && !inventory_.manifest->unlogged_lsn;
    return candidates.size() == 1 && damaged.file.meta.has_sidecar && !inventory_.replication_lsn;
  }

  Status restore_exactly_once() {
    const std::string name(kExactlyOnceName);
    Result<std::optional<CurrentExactlyOnce>> exactly_once =
        impl_.current_exactly_once(inventory_, log_, &result_.warnings);
    if (!exactly_once) {
      if (!gave_up(name)) return refuse(name, exactly_once.error().message);
      warn(exactly_once.error().message + "; given up");
      result_.gave_up = true;
      return {};
    }
    if (!*exactly_once) return {};
    if (store_ != nullptr) {
      Result<std::string> text = read_file(impl_.files, impl_.path((*exactly_once)->disk_name));
      if (!text) return refuse(name, name + " is damaged: " + text.error().message);
      if (crc32c(*text) != (*exactly_once)->crc) return refuse(name, name + " is damaged: its checksum is wrong");
      if (text->ends_with('\n')) text->pop_back();
      result_.exactly_once_json = std::move(*text);
    }
    result_.exactly_once_lsn = (*exactly_once)->meta.last_lsn;
    const bool listed_from_1_0 =
        (*exactly_once)->as_listed && result_.set_lsn == Lsn{} && result_.exactly_once_lsn != Lsn{};
    if ((*exactly_once)->lsn_known && (!(*exactly_once)->as_listed || listed_from_1_0))
      result_.exactly_once_of_1_0 = result_.exactly_once_lsn;
    result_.newest = std::max(result_.newest, result_.exactly_once_lsn);
    return {};
  }

  bool gave_up(const std::string& file) const {
    return set_aside_.contains(file) || set_aside_.contains(sidecar_name(file));
  }
  void warn(std::string text) { result_.warnings.push_back(std::move(text)); }
  Error refuse(std::string file, std::string damage) {
    fault_.file = std::move(file);
    return internal_error(std::move(damage));
  }

  Manager::Impl& impl_;
  store::Store* const store_;
  const LogReach& log_;
  const std::set<std::string>& set_aside_;
  const std::function<void(std::size_t, std::size_t)>& progress_;
  RestoreFault& fault_;
  Inventory inventory_;
  Choice choice_;
  std::size_t bytes_done_ = 0;
  std::size_t bytes_all_ = 0;
  std::size_t bytes_reported_ = 0;
  Restored result_;
};

}  // namespace

Result<Restored> Manager::restore(store::Store* store, const LogReach& log, const std::set<std::string>& set_aside,
                                  const std::function<void(std::size_t done, std::size_t all)>& progress,
                                  RestoreFault* fault) {
  RestoreFault unasked;
  return Restorer(*impl_, store, log, set_aside, progress, fault != nullptr ? *fault : unasked).run();
}

void Manager::set_log(const LogReach& log) { impl_->log = log; }

}  // namespace karma::snapshot
