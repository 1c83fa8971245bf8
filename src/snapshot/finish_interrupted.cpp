// What a crash or an error left of a set: finished if its manifest is there, undone if it is not.
#include "io/replace_file.h"
#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

bool is_staged_name(std::string_view name) {
  if (!name.ends_with(kStagedSuffix)) return false;
  name.remove_suffix(kStagedSuffix.size());
  if (name.ends_with(kSidecarSuffix)) name.remove_suffix(kSidecarSuffix.size());
  return name == kExactlyOnceName || parse_file_name(name);
}

}  // namespace

Status Manager::finish_interrupted() {
  Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
  if (!inventory) return inventory.error();
  // Which of the staged files count cannot be told without the manifest; they stay until a whole set replaces them.
  if (!inventory->manifest_fault.empty()) return {};
  if (Status finished = impl_->finish_interrupted(*inventory); !finished) return finished;
  impl_->keep(CurrentSet::of(*inventory, impl_->exactly_once_as_listed));
  return {};
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
  if (Status done = rename(std::string(kExactlyOnceName)); !done) return done;
  if (Status done = rename(sidecar_name(kExactlyOnceName)); !done) return done;
  return renamed ? files.sync_directory(directory) : Status();
}

// Renames what belongs to the set, removes the other `.new` files.
Status Manager::Impl::finish_interrupted(const Inventory& inventory) {
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
    for (const std::string& name : staged_exactly_once_files(inventory)) wanted.insert(name);
  }
  for (const std::string& name : inventory.names) {
    if (!is_staged_name(name) || wanted.contains(name)) continue;
    if (Status removed = files.remove(path(name)); !removed) return removed;
  }
  return inventory.manifest ? rename_staged(*inventory.manifest) : Status();
}

// After an error: gives back the room. What stays is removed by the next finish_interrupted().
void Manager::Impl::remove_staged() {
  keep({});
  Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    if (is_staged_name(name)) (void)files.remove(path(name));
  }
}

}  // namespace karma::snapshot
