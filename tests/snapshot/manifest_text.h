// A manifest as text, with the files that it lists.
#pragma once

#include <string>

#include "snapshot/current_set.h"

namespace karma::snapshot {

inline std::string encode_manifest(const Manifest& manifest) {
  CurrentSet set;
  set.head = manifest;
  for (const ManifestFile& file : manifest.series) set.series.push_back(list_file(file));
  for (const ManifestFile& file : manifest.older) set.older.push_back(list_file(file));
  return encode_manifest(set);
}

}  // namespace karma::snapshot
