// Writing snapshots; the order of the steps and what a crash leaves are told in manager.h.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"
#include "snapshot/parallel.h"
#include "snapshot/tree_encoder.h"

namespace karma::snapshot {
namespace {

// The timestamps that are in use, so that a later file always has a later one.
class Timestamps {
 public:
  // Of all series, or of one.
  explicit Timestamps(const CurrentSet& set, const std::string* only = nullptr)
      : last_(set.head.timestamp), newest_(set.head.timestamp) {
    for (const auto* list : {&set.series, &set.older}) {
      for (const ListedFilePointer& listed : *list) {
        const Meta& meta = listed->file.meta;
        newest_ = std::max(newest_, meta.timestamp);
        if (only != nullptr && meta.series != *only) continue;
        const auto [used, fresh] = by_series_.try_emplace(meta.series, meta.timestamp);
        if (!fresh) used->second = std::max(used->second, meta.timestamp);
      }
    }
  }
  // `is_taken(timestamp)`: others have put a file of that name there.
  template <class IsTaken>
  std::int64_t next(const std::string& series, std::int64_t now, IsTaken&& is_taken) {
    const auto used = by_series_.find(series);
    if (used != by_series_.end()) {
      now = std::max(now, used->second + 1);
    } else if (last_ != 0) {
      // The series may have been there before and dropped: its names are not used again.
      now = std::max(now, last_ + 1);
    }
    for (int tries = 0; tries < kTries && is_taken(now); ++tries) ++now;
    newest_ = std::max(newest_, now);
    return now;
  }
  std::int64_t newest() const { return newest_; }

 private:
  static constexpr int kTries = 1000;  // the file is then created or it is not

  const std::int64_t last_;
  std::int64_t newest_;
  std::unordered_map<std::string_view, std::int64_t> by_series_;
};

// Nothing was there before, so the log from 1 on will be all there is to know.
bool is_new(const Inventory& inventory) {
  return inventory.candidates.empty() && !inventory.has(kManifestName) && !inventory.has(kExactlyOnceName) &&
         !inventory.replication_lsn;
}

// What the next manifest takes over from the last one; its timestamp is that one's yet.
Manifest successor(const Manifest& last) {
  Manifest head;
  head.generation = last.generation + 1;
  head.timestamp = last.timestamp;
  head.lsn = last.lsn;
  head.unlogged_lsn = last.unlogged_lsn;
  head.log_complete = last.log_complete;
  return head;
}

Manifest successor(const Inventory& inventory) {
  if (inventory.manifest) return successor(*inventory.manifest);
  Manifest head;
  head.log_complete = is_new(inventory);
  return head;
}

}  // namespace

Status Manager::create_all(const Frozen& state) {
  Impl& impl = *impl_;
  if (Status made = impl.files.create_directories(impl.directory); !made) return made;
  Result<CurrentSet> set = impl.begin_whole_set(state.lsn);
  if (!set) return set.error();
  if (Status written = impl.write_whole_set(state, *set); !written) return written;
  for (const ListedFilePointer& file : set->series) {
    impl.event("backup.dump", "tree=" + file->file.meta.series + " path=" + file->file.meta.file);
  }
  impl.prune(*set);
  impl.keep(std::move(*set));
  return {};
}

// A set without series yet; all files that are there are older.
Result<CurrentSet> Manager::Impl::begin_whole_set(Lsn lsn) {
  CurrentSet set;
  if (const auto last = known()) {
    Result<std::vector<std::string>> names = files.list(directory);
    if (!names) return names.error();
    if (std::find(names->begin(), names->end(), kManifestName) != names->end()) {
      set.head = successor(last->head);
      set.older = last->older;
      set.older.insert(set.older.end(), last->series.begin(), last->series.end());
      add_unlisted(set, *names);
      return set;
    }
  }
  Result<Inventory> inventory = take_inventory(files, directory);
  if (!inventory) return inventory.error();
  if (!inventory->manifest_fault.empty()) {
    event("snapshot.warning", inventory->manifest_trouble() + "; it is replaced");
  }
  if (Status finished = finish_interrupted(*inventory); !finished) return finished.error();
  set.head = successor(*inventory);
  // A manifest that cannot be read might have said so.
  if (!inventory->manifest_fault.empty()) set.head.unlogged_lsn = lsn;
  for (const Candidate& candidate : inventory->candidates) {
    if (candidate.present) set.older.push_back(list_file(candidate.file));
  }
  return set;
}

// Of the names in the directory: what is gone leaves the set, what others put there is an older file.
void Manager::Impl::add_unlisted(CurrentSet& set, const std::vector<std::string>& names) {
  const std::unordered_set<std::string_view> there(names.begin(), names.end());
  std::erase_if(set.older, [&](const ListedFilePointer& file) { return !there.contains(file->file.meta.file); });
  std::unordered_set<std::string_view> held;
  for (const ListedFilePointer& file : set.older) held.insert(file->file.meta.file);
  std::vector<ListedFilePointer> found;
  for (const std::string& name : names) {
    if (name.starts_with('.') || !name.ends_with(kTreeSuffix) || held.contains(name)) continue;
    if (std::optional<Candidate> candidate = take_candidate(files, directory, name))
      found.push_back(list_file(std::move(candidate->file)));
  }
  set.older.insert(set.older.end(), found.begin(), found.end());
}

Status Manager::Impl::write_whole_set(const Frozen& state, CurrentSet& set) {
  set.head.lsn = state.lsn;
  if (!state.logged) set.head.unlogged_lsn = state.lsn;
  Timestamps timestamps(set);
  const std::int64_t now = clock.unix_seconds();
  std::vector<std::int64_t> of_series;
  of_series.reserve(state.series.size());
  for (const auto& [name, series] : state.series) {
    const auto taken = [&, &series_name = name](std::int64_t time) {
      return is_taken(make_file_name(time, series_name));
    };
    of_series.push_back(timestamps.next(name, now, taken));
  }
  const auto stage = [&]() -> Status {
    if (Status staged = stage_series(state, of_series, set.series); !staged) return staged;
    Result<ManifestExactlyOnce> exactly_once = stage_exactly_once(state.exactly_once, state.lsn);
    if (!exactly_once) return exactly_once.error();
    set.head.exactly_once = *exactly_once;
    return files.sync_directory(directory);
  };
  if (Status staged = stage(); !staged) {
    remove_staged();
    return staged;
  }
  set.sort();
  set.head.timestamp = std::max(now, timestamps.newest());
  if (Status committed = commit(set); !committed) return committed;
  std::vector<std::string> names = {std::string(kExactlyOnceName), sidecar_name(kExactlyOnceName)};
  for (const ListedFilePointer& file : set.series) {
    names.push_back(file->file.meta.file);
    names.push_back(sidecar_name(file->file.meta.file));
  }
  return rename_staged(names);
}

// Small files are written first and synced then, side by side: what is on its way already is one wait for all.
Status Manager::Impl::stage_series(const Frozen& state, const std::vector<std::int64_t>& timestamps,
                                   std::vector<ListedFilePointer>& staged) {
  std::vector<std::string> unsynced;
  for (std::size_t i = 0; i < state.series.size(); ++i) {
    const auto& [name, series] = state.series[i];
    Result<ManifestFile> file = stage(name, series, state.lsn, timestamps[i], &unsynced);
    if (!file) return file.error();
    staged.push_back(list_file(std::move(*file)));
  }
  return run_side_by_side(unsynced.size(), [&](std::size_t i) -> Status {
    Result<std::unique_ptr<File>> file = files.open(path(unsynced[i]), FileSystem::Open::read);
    return file ? (*file)->sync() : file.error();
  });
}

// By a file that others put there.
bool Manager::Impl::is_taken(const std::string& file) {
  return files.exists(path(file)) || files.exists(path(sidecar_name(file)));
}

Result<Meta> Manager::create_one(const std::string& name, const store::SeriesView& series, Lsn lsn,
                                 std::vector<KnownOutcome> outcomes) {
  Impl& impl = *impl_;
  if (Status made = impl.files.create_directories(impl.directory); !made) return made.error();
  Result<CurrentSet> set = impl.begin_single(name);
  if (!set) return set.error();
  set->head.outcomes = std::move(outcomes);
  Timestamps timestamps(*set, &name);
  const std::int64_t now = impl.clock.unix_seconds();
  const auto taken = [&](std::int64_t time) { return impl.is_taken(make_file_name(time, name)); };
  Result<ManifestFile> file = impl.stage(name, series, lsn, timestamps.next(name, now, taken));
  Status synced = file ? impl.files.sync_directory(impl.directory) : Status();
  if (!file || !synced) {
    impl.remove_staged();
    return file ? synced.error() : file.error();
  }
  Meta meta = file->meta;
  set->series.insert(set->place_of(name), list_file(std::move(*file)));
  set->head.timestamp = std::max(now, timestamps.newest());
  if (Status committed = impl.commit(*set); !committed) return committed.error();
  if (Status renamed = impl.rename_staged({meta.file, sidecar_name(meta.file)}); !renamed) return renamed.error();
  impl.keep(std::move(*set));
  impl.event("backup.dump", "tree=" + meta.series + " path=" + meta.file);
  return meta;
}

// The current set without that series, whose file is an older one from here on.
Result<CurrentSet> Manager::Impl::begin_single(const std::string& series) {
  CurrentSet set;
  if (const auto last = known(); last && files.exists(path(kManifestName))) {
    set = *last;
    set.head = successor(last->head);
    set.head.exactly_once = last->head.exactly_once;
    const auto place = set.place_of(series);
    if (place != set.series.end() && (*place)->file.meta.series == series) {
      set.older.push_back(std::move(*place));
      set.series.erase(place);
    }
    return set;
  }
  Result<Inventory> inventory = take_inventory(files, directory);
  if (!inventory) return inventory.error();
  if (!inventory->manifest_fault.empty()) {
    return internal_error(inventory->manifest_trouble());
  }
  if (Status finished = finish_interrupted(*inventory); !finished) return finished.error();
  set.head = successor(*inventory);
  const Choice choice = choose(*inventory, log);
  std::set<const Candidate*> current;
  for (const auto& [other, candidates] : choice.series) {
    if (other == series) continue;
    const Candidate& candidate = *candidates.front();
    ManifestFile file = candidate.file;
    if (Status completed = complete(file, candidate); !completed) return completed.error();
    set.series.push_back(list_file(std::move(file)));
    current.insert(&candidate);
  }
  set.sort();
  for (const Candidate& candidate : inventory->candidates) {
    if (candidate.present && !current.contains(&candidate)) set.older.push_back(list_file(candidate.file));
  }
  Result<std::optional<CurrentExactlyOnce>> exactly_once = current_exactly_once(*inventory, log);
  if (!exactly_once) {
    // Stays listed as it was, so that the damage is noticed at every start.
    if (inventory->manifest) set.head.exactly_once = inventory->manifest->exactly_once;
  } else if (*exactly_once) {
    set.head.exactly_once =
        ManifestExactlyOnce{(*exactly_once)->meta, (*exactly_once)->crc, (*exactly_once)->sidecar_crc};
    // Karma 1.0 writes it with a whole set, of that LSN, and may have trimmed the log up to there.
    if (!(*exactly_once)->as_listed) set.head.lsn = std::max(set.head.lsn, (*exactly_once)->meta.last_lsn);
  }
  return set;
}

Result<ManifestFile> Manager::Impl::stage(const std::string& name, const store::SeriesView& series, Lsn lsn,
                                          std::int64_t timestamp, std::vector<std::string>* unsynced) {
  ManifestFile file;
  file.meta = {name, make_file_name(timestamp, name), timestamp, lsn, 0, true};
  Result<StagedFile> staged = StagedFile::create(files, directory, file.meta.file);
  if (!staged) return staged.error();
  const Result<store::Digest> encoded =
      encode_tree(series, [&](std::string_view bytes) { return staged->append(bytes); });
  if (!encoded) return encoded.error();
  file.digest = *encoded;
  if (Status synced = staged->sync_now_or(unsynced); !synced) return synced.error();
  file.meta.bytes = staged->bytes();
  file.crc = staged->crc();
  const Status written =
      stage_text(sidecar_name(file.meta.file), encode_sidecar(file.meta), file.sidecar_crc, unsynced);
  if (!written) return written.error();
  return file;
}

Result<ManifestExactlyOnce> Manager::Impl::stage_exactly_once(const ExactlyOnceState& exactly_once, Lsn lsn) {
  Result<StagedFile> file = StagedFile::create(files, directory, std::string(kExactlyOnceName));
  if (!file) return file.error();
  const auto append = [&](std::string_view piece) { return file->append(piece); };
  Status written = exactly_once.write(append);
  if (written) written = append("\n");
  if (written) written = file->sync();
  if (!written) return written.error();
  std::optional<std::uint32_t> sidecar_crc;
  const ExactlyOnceMeta meta = {clock.unix_seconds(), lsn, file->bytes(), exactly_once.record_count,
                                exactly_once.committed_stream_count};
  Status done = stage_text(sidecar_name(kExactlyOnceName), encode_sidecar(meta), sidecar_crc);
  if (!done) return done.error();
  return ManifestExactlyOnce{meta, file->crc(), sidecar_crc};
}

Status Manager::Impl::stage_text(const std::string& name, std::string_view text, std::optional<std::uint32_t>& crc,
                                 std::vector<std::string>* unsynced) {
  Result<StagedFile> file = StagedFile::create(files, directory, name);
  if (!file) return file.error();
  if (Status written = file->append(text); !written) return written;
  crc = file->crc();
  return file->sync_now_or(unsynced);
}

Status Manager::Impl::commit(const CurrentSet& set) {
  keep({});  // until all files have their names
  Status replaced = replace_file(files, directory, std::string(kManifestName), encode_manifest(set));
  if (replaced) return {};
  // The manifest may be in place all the same; finish_interrupted() looks. What it cannot do now it does the next time.
  Result<Inventory> inventory = take_inventory(files, directory);
  if (inventory && inventory->manifest_fault.empty()) (void)finish_interrupted(*inventory);
  return replaced;
}

// Per series of the set the newest files stay, of others none; sidecars go with their files. A file that cannot be
// removed does no harm: the manifest knows it.
void Manager::Impl::prune(CurrentSet& set) {
  std::unordered_set<std::string_view> in_set;
  for (const ListedFilePointer& file : set.series) in_set.insert(file->file.meta.series);
  std::unordered_map<std::string_view, std::vector<std::size_t>> by_series;
  for (std::size_t i = 0; i < set.older.size(); ++i) by_series[set.older[i]->file.meta.series].push_back(i);
  const auto timestamp = [&](std::size_t i) { return set.older[i]->file.meta.timestamp; };
  std::vector<bool> gone(set.older.size());
  std::size_t removed = 0;
  for (auto& [series, indices] : by_series) {
    const bool dropped = !in_set.contains(series);
    if (!dropped && options.retention == 0) continue;
    const std::size_t kept = dropped ? 0 : options.retention - 1;
    std::sort(indices.begin(), indices.end(),
              [&](std::size_t a, std::size_t b) { return timestamp(a) > timestamp(b); });
    for (std::size_t i = kept; i < indices.size(); ++i) {
      if (Status done = files.remove(path(set.older[indices[i]]->file.meta.file)); !done) {
        event("snapshot.warning", done.error().message);
        continue;
      }
      gone[indices[i]] = true;
      ++removed;
    }
  }
  std::vector<ListedFilePointer> left;
  for (std::size_t i = 0; i < set.older.size(); ++i) {
    if (!gone[i]) left.push_back(std::move(set.older[i]));
  }
  set.older = std::move(left);
  Result<std::vector<std::string>> listing = files.list(directory);
  if (!listing) return;
  const std::unordered_set<std::string_view> names(listing->begin(), listing->end());
  bool changed = removed > 0;
  for (const std::string& name : *listing) {
    if (!std::string_view(name).ends_with(kSidecarSuffix)) continue;
    const std::string_view tree(name.data(), name.size() - kSidecarSuffix.size());
    if (!parse_file_name(tree) || names.contains(tree)) continue;
    changed = true;
    if (Status done = files.remove(path(name)); !done) event("snapshot.warning", done.error().message);
  }
  if (changed) (void)files.sync_directory(directory);
  if (removed > 0) event("backup.prune", "removed=" + std::to_string(removed));
}

// A file of Karma 1.0 becomes part of a set: from now on its checksum is known.
Status Manager::Impl::complete(ManifestFile& file, const Candidate& candidate) {
  if (file.crc || !candidate.present) return {};
  Result<TreeFacts> facts = decode(candidate, [](Key, std::span<const store::Point>) { return true; });
  if (!facts) return internal_error(damage_of(file.meta.file, facts.error().message));
  file.crc = facts->crc;
  file.digest = facts->digest;
  file.meta.bytes = facts->bytes;
  return {};
}

}  // namespace karma::snapshot
