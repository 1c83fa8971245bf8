// Writing snapshots; the order of the steps and what a crash leaves are told in manager.h.
#include <algorithm>
#include <map>

#include "core/crc32c.h"
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"
#include "snapshot/metadata.h"
#include "snapshot/tree_encoder.h"

namespace karma::snapshot {
namespace {

bool is_staged_name(std::string_view name) {
  if (!name.ends_with(kStagedSuffix)) return false;
  name.remove_suffix(kStagedSuffix.size());
  if (name.ends_with(kSidecarSuffix)) name.remove_suffix(kSidecarSuffix.size());
  return name == kRegistryName || parse_file_name(name);
}

// The timestamps that are in use, so that a later file always has a later one.
class Timestamps {
 public:
  explicit Timestamps(const Inventory& inventory) {
    for (const Item& item : inventory.items) add(item.file.meta);
    if (!inventory.manifest) return;
    newest_ = std::max(newest_, inventory.manifest->timestamp);
    for (const ManifestFile& file : inventory.manifest->older) add(file.meta);
  }
  std::int64_t next(const std::string& series, std::int64_t now) {
    const auto used = by_series_.find(series);
    if (used != by_series_.end()) now = std::max(now, used->second + 1);
    newest_ = std::max(newest_, now);
    return now;
  }
  std::int64_t newest() const { return newest_; }

 private:
  void add(const Meta& meta) {
    const auto [used, fresh] = by_series_.try_emplace(meta.series, meta.timestamp);
    if (!fresh) used->second = std::max(used->second, meta.timestamp);
    newest_ = std::max(newest_, meta.timestamp);
  }
  std::map<std::string, std::int64_t, std::less<>> by_series_;
  std::int64_t newest_ = 0;
};

// Nothing was there before, so the log from 1 on will be all there is to know.
bool is_new(const Inventory& inventory) {
  return inventory.items.empty() && !inventory.has(kManifestName) && !inventory.has(kRegistryName) &&
         !inventory.replication_lsn;
}

// What the next manifest takes over from the last one.
Manifest successor(const Inventory& inventory) {
  Manifest manifest;
  if (inventory.manifest) {
    manifest.generation = inventory.manifest->generation + 1;
    manifest.lsn = inventory.manifest->lsn;
    manifest.unlogged_lsn = inventory.manifest->unlogged_lsn;
    manifest.log_complete = inventory.manifest->log_complete;
  } else {
    manifest.log_complete = is_new(inventory);
  }
  return manifest;
}

}  // namespace

Status Manager::settle() {
  Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
  if (!inventory) return inventory.error();
  // Which of the staged files count cannot be told without the manifest; they stay until a whole set replaces them.
  if (!inventory->manifest_fault.empty()) return {};
  return impl_->settle(*inventory);
}

Status Manager::create_all(const Frozen& state) {
  Impl& impl = *impl_;
  if (Status made = impl.files.create_directories(impl.directory); !made) return made;
  Result<Inventory> inventory = take_inventory(impl.files, impl.directory);
  if (!inventory) return inventory.error();
  if (!inventory->manifest_fault.empty()) {
    impl.event("snapshot.warning", inventory->manifest_trouble() + "; it is replaced");
  }
  if (Status settled = impl.settle(*inventory); !settled) return settled;

  Manifest manifest = successor(*inventory);
  manifest.lsn = state.lsn;
  // A manifest that cannot be read might have said so.
  if (!state.logged || !inventory->manifest_fault.empty()) manifest.unlogged_lsn = state.lsn;
  Timestamps timestamps(*inventory);
  const std::int64_t now = impl.clock.unix_seconds();
  const auto stage = [&]() -> Status {
    for (const auto& [name, series] : state.series) {
      Result<ManifestFile> file = impl.stage(name, series, state.lsn, timestamps.next(name, now));
      if (!file) return file.error();
      manifest.series.push_back(std::move(*file));
    }
    Result<ManifestRegistry> registry = impl.stage_registry(state.registry, state.lsn);
    if (!registry) return registry.error();
    manifest.registry = *registry;
    return impl.files.sync_directory(impl.directory);
  };
  if (Status staged = stage(); !staged) {
    impl.remove_staged();
    return staged;
  }
  std::sort(manifest.series.begin(), manifest.series.end(),
            [](const ManifestFile& a, const ManifestFile& b) { return a.meta.series < b.meta.series; });
  for (const Item& item : inventory->items) {
    if (item.present) manifest.older.push_back(item.file);
  }
  manifest.timestamp = std::max(now, timestamps.newest());
  if (Status committed = impl.commit(manifest); !committed) return committed;
  for (const ManifestFile& file : manifest.series) {
    impl.event("backup.dump", "tree=" + file.meta.series + " path=" + file.meta.file);
  }
  impl.prune(manifest);
  return {};
}

Result<Meta> Manager::create_one(const std::string& name, const store::SeriesView& series, Lsn lsn,
                                 std::vector<KnownOutcome> outcomes) {
  Impl& impl = *impl_;
  if (Status made = impl.files.create_directories(impl.directory); !made) return made.error();
  Result<Inventory> inventory = take_inventory(impl.files, impl.directory);
  if (!inventory) return inventory.error();
  if (!inventory->manifest_fault.empty()) {
    return internal_error(inventory->manifest_trouble());
  }
  if (Status settled = impl.settle(*inventory); !settled) return settled.error();

  Manifest manifest = successor(*inventory);
  manifest.outcomes = std::move(outcomes);
  Timestamps timestamps(*inventory);
  const Choice choice = choose(*inventory, impl.log);
  std::set<const Item*> current;
  for (const auto& [other, items] : choice.series) {
    if (other == name) continue;
    const Item& item = *items.front();
    ManifestFile file = item.file;
    if (Status completed = impl.complete(file, item); !completed) return completed.error();
    manifest.series.push_back(std::move(file));
    current.insert(&item);
  }
  for (const Item& item : inventory->items) {
    if (item.present && !current.contains(&item)) manifest.older.push_back(item.file);
  }
  Result<std::optional<CurrentRegistry>> registry = impl.current_registry(*inventory);
  if (!registry) {
    // Stays listed as it was, so that the damage is noticed at every start.
    if (inventory->manifest) manifest.registry = inventory->manifest->registry;
  } else if (*registry) {
    manifest.registry = ManifestRegistry{(*registry)->meta, (*registry)->crc, (*registry)->sidecar_crc};
    // Karma 1.0 writes it with a whole set, of that LSN, and may have trimmed the log up to there.
    if (!(*registry)->as_listed) manifest.lsn = std::max(manifest.lsn, (*registry)->meta.last_lsn);
  }

  const std::int64_t now = impl.clock.unix_seconds();
  Result<ManifestFile> file = impl.stage(name, series, lsn, timestamps.next(name, now));
  Status synced = file ? impl.files.sync_directory(impl.directory) : Status();
  if (!file || !synced) {
    impl.remove_staged();
    return file ? synced.error() : file.error();
  }
  Meta meta = file->meta;
  manifest.series.push_back(std::move(*file));
  std::sort(manifest.series.begin(), manifest.series.end(),
            [](const ManifestFile& a, const ManifestFile& b) { return a.meta.series < b.meta.series; });
  manifest.timestamp = std::max(now, timestamps.newest());
  if (Status committed = impl.commit(manifest); !committed) return committed.error();
  impl.event("backup.dump", "tree=" + meta.series + " path=" + meta.file);
  return meta;
}

Result<ManifestFile> Manager::Impl::stage(const std::string& name, const store::SeriesView& series, Lsn lsn,
                                          std::int64_t timestamp) {
  ManifestFile file;
  file.meta = {name, make_file_name(timestamp, name), timestamp, lsn, 0, true};
  Result<StagedFile> staged = StagedFile::create(files, directory, file.meta.file);
  if (!staged) return staged.error();
  Status written = encode_tree(series, [&](std::string_view bytes) { return staged->append(bytes); });
  if (!written) return written.error();
  if (Status synced = staged->sync(); !synced) return synced.error();
  file.meta.bytes = staged->bytes();
  file.crc = staged->crc();
  written = stage_text(sidecar_name(file.meta.file), encode_sidecar(file.meta), file.sidecar_crc);
  if (!written) return written.error();
  return file;
}

Result<ManifestRegistry> Manager::Impl::stage_registry(const Registry& registry, Lsn lsn) {
  Result<StagedFile> file = StagedFile::create(files, directory, std::string(kRegistryName));
  if (!file) return file.error();
  const auto append = [&](std::string_view piece) { return file->append(piece); };
  Status written = registry.view ? registry.view->write_json(append) : append(registry.json);
  if (written) written = append("\n");
  if (written) written = file->sync();
  if (!written) return written.error();
  std::optional<std::uint32_t> sidecar_crc;
  const RegistryMeta meta = {clock.unix_seconds(), lsn, file->bytes(), registry.record_count,
                             registry.committed_stream_count};
  Status done = stage_text(sidecar_name(kRegistryName), encode_sidecar(meta), sidecar_crc);
  if (!done) return done.error();
  return ManifestRegistry{meta, file->crc(), sidecar_crc};
}

Status Manager::Impl::stage_text(const std::string& name, std::string_view text, std::optional<std::uint32_t>& crc) {
  Result<StagedFile> file = StagedFile::create(files, directory, name);
  if (!file) return file.error();
  if (Status written = file->append(text); !written) return written;
  crc = file->crc();
  return file->sync();
}

Status Manager::Impl::commit(const Manifest& manifest) {
  Status replaced = replace_file(files, directory, std::string(kManifestName), encode_manifest(manifest));
  if (!replaced) {
    // The manifest may be in place all the same; settle() looks. What it cannot do now it does the next time.
    Result<Inventory> inventory = take_inventory(files, directory);
    if (inventory && inventory->manifest_fault.empty()) (void)settle(*inventory);
    return replaced;
  }
  return rename_staged(manifest);
}

// The files of the set that are still called `.new` get their names.
Status Manager::Impl::rename_staged(const Manifest& manifest) {
  Result<std::vector<std::string>> listing = files.list(directory);
  if (!listing) return listing.error();
  const std::set<std::string> names(listing->begin(), listing->end());
  bool renamed = false;
  const auto rename = [&](const std::string& name) -> Status {
    if (!names.contains(staged_name(name))) return {};
    renamed = true;
    return files.rename(path(staged_name(name)), path(name));
  };
  for (const ManifestFile& file : manifest.series) {
    if (Status done = rename(file.meta.file); !done) return done;
    if (Status done = rename(sidecar_name(file.meta.file)); !done) return done;
  }
  if (Status done = rename(std::string(kRegistryName)); !done) return done;
  if (Status done = rename(sidecar_name(kRegistryName)); !done) return done;
  return renamed ? files.sync_directory(directory) : Status();
}

// Renames what belongs to the set, removes the other `.new` files.
Status Manager::Impl::settle(const Inventory& inventory) {
  std::set<std::string> wanted;
  if (inventory.manifest) {
    for (const ManifestFile& file : inventory.manifest->series) {
      if (inventory.has(file.meta.file)) continue;
      wanted.insert(staged_name(file.meta.file));
    }
    for (const ManifestFile& file : inventory.manifest->series) {
      if (inventory.has(sidecar_name(file.meta.file))) continue;
      wanted.insert(staged_name(sidecar_name(file.meta.file)));
    }
    for (const std::string& name : staged_registry_files(inventory)) wanted.insert(name);
  }
  for (const std::string& name : inventory.names) {
    if (!is_staged_name(name) || wanted.contains(name)) continue;
    if (Status removed = files.remove(path(name)); !removed) return removed;
  }
  return inventory.manifest ? rename_staged(*inventory.manifest) : Status();
}

// After an error: gives back the room. What stays is removed by the next settle().
void Manager::Impl::remove_staged() {
  Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (is_staged_name(name)) (void)files.remove(path(name));
  }
}

// Per series of the set the newest files stay, of others none; sidecars go with their files. A file that cannot be
// removed does no harm: the manifest knows it.
void Manager::Impl::prune(const Manifest& manifest) {
  std::map<std::string_view, std::vector<const Meta*>> by_series;
  std::set<std::string_view> in_set;
  for (const ManifestFile& file : manifest.series) in_set.insert(file.meta.series);
  for (const ManifestFile& file : manifest.older) by_series[file.meta.series].push_back(&file.meta);
  std::size_t removed = 0;
  for (auto& [series, metas] : by_series) {
    const bool dropped = !in_set.contains(series);
    if (!dropped && options.retention == 0) continue;
    const std::size_t kept = dropped ? 0 : options.retention - 1;
    std::sort(metas.begin(), metas.end(), [](const Meta* a, const Meta* b) { return a->timestamp > b->timestamp; });
    for (std::size_t i = kept; i < metas.size(); ++i) {
      if (Status done = files.remove(path(metas[i]->file)); !done) {
        event("snapshot.warning", done.error().message);
        continue;
      }
      ++removed;
    }
  }
  Result<std::vector<std::string>> listing = files.list(directory);
  if (!listing) return;
  const std::set<std::string_view> names(listing->begin(), listing->end());
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
Status Manager::Impl::complete(ManifestFile& file, const Item& item) {
  if (file.crc || !item.present) return {};
  Result<TreeFacts> facts = decode(item, [](Key, std::span<const store::Point>) { return true; });
  if (!facts) return internal_error(file.meta.file + " is damaged: " + facts.error().message);
  file.crc = facts->crc;
  file.meta.bytes = facts->bytes;
  return {};
}

}  // namespace karma::snapshot
