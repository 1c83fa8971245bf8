#include "snapshot/current_set.h"

#include <algorithm>

namespace karma::snapshot {

std::optional<CurrentSet> CurrentSet::of(const Inventory& inventory, bool exactly_once_as_listed) {
  if (!inventory.manifest || inventory.replication_lsn) return {};
  const Manifest& manifest = *inventory.manifest;
  if (manifest.exactly_once ? !exactly_once_as_listed : inventory.has(kExactlyOnceName)) return {};
  CurrentSet set;
  for (const Candidate& candidate : inventory.candidates) {
    if (!candidate.present || !candidate.sidecar_fault.empty() || candidate.origin == Origin::unlisted) return {};
    (candidate.origin == Origin::set ? set.series : set.older).push_back(list_file(candidate.file));
  }
  set.head = manifest;
  set.head.series.clear();
  set.head.older.clear();
  set.sort();
  return set;
}

CurrentSet CurrentSet::of(Manifest manifest) {
  CurrentSet set;
  for (ManifestFile& file : std::exchange(manifest.series, {})) set.series.push_back(list_file(std::move(file)));
  for (ManifestFile& file : std::exchange(manifest.older, {})) set.older.push_back(list_file(std::move(file)));
  set.head = std::move(manifest);
  return set;
}

const ManifestFile* CurrentSet::find(std::string_view file) const {
  for (const auto* list : {&series, &older}) {
    for (const ListedFilePointer& listed : *list) {
      if (listed->file.meta.file == file) return &listed->file;
    }
  }
  return nullptr;
}

std::vector<ListedFilePointer>::iterator CurrentSet::place_of(std::string_view name) {
  return std::lower_bound(
      series.begin(), series.end(), name,
      [](const ListedFilePointer& listed, std::string_view wanted) { return listed->file.meta.series < wanted; });
}

void CurrentSet::sort() {
  std::sort(series.begin(), series.end(), [](const ListedFilePointer& a, const ListedFilePointer& b) {
    return a->file.meta.series < b->file.meta.series;
  });
}

}  // namespace karma::snapshot
