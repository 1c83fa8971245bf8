// What a crash or an error left of a set: finished if its manifest is there, undone if it is not.
#include <algorithm>
#include <unordered_set>

#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

bool is_staged_name(std::string_view name) {
  if (!name.ends_with(kStagedSuffix)) return false;
  name = without_suffixes(name);
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

// Files that still are called `.new` get their names.
Status Manager::Impl::rename_staged(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (Status done = files.rename(path(staged_name(name)), path(name)); !done) return done;
  }
  return files.sync_directory(directory);
}

// Renames what belongs to the set, removes the other `.new` files.
Status Manager::Impl::finish_interrupted(const Inventory& inventory) {
  std::vector<std::string> wanted;
  if (inventory.manifest) {
    for (const ManifestFile& file : inventory.manifest->series) {
      for (const std::string& name : {file.meta.file, sidecar_name(file.meta.file)}) {
        if (!inventory.has(name) && inventory.has(staged_name(name))) wanted.push_back(name);
      }
    }
    for (std::string& name : staged_exactly_once_files(inventory)) wanted.push_back(std::move(name));
  }
  const std::unordered_set<std::string_view> kept(wanted.begin(), wanted.end());
  for (const std::string& name : inventory.names) {
    const std::string_view without_suffix(name.data(), name.size() - std::min(name.size(), kStagedSuffix.size()));
    if (!is_staged_name(name) || kept.contains(without_suffix)) continue;
    if (Status removed = files.remove(path(name)); !removed) return removed;
  }
  return wanted.empty() ? Status() : rename_staged(wanted);
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
