// What the directory holds, as this process has left it: the last manifest, of which every file was there. Kept in
// memory, so that a snapshot of one series among ten thousand neither lists nor reads the others.
//
// Files that others put into the directory or take away are noticed where a name is asked for, and by every create_all.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "snapshot/inventory.h"
#include "snapshot/manifest.h"

namespace karma::snapshot {

// A file and its text in the manifest, which is written again with each of them. Shared by all later sets.
struct ListedFile {
  explicit ListedFile(ManifestFile listed) : file(std::move(listed)), text(encode_manifest_file(file)) {}

  const ManifestFile file;
  const std::string text;
};
using ListedFilePointer = std::shared_ptr<const ListedFile>;
inline ListedFilePointer list_file(ManifestFile file) { return std::make_shared<const ListedFile>(std::move(file)); }

struct CurrentSet {
  Manifest head;                          // without files
  std::vector<ListedFilePointer> series;  // names ascending
  std::vector<ListedFilePointer> older;

  // Nothing unless the directory holds what the manifest says and nothing else.
  static std::optional<CurrentSet> of(const Inventory& inventory, bool exactly_once_as_listed);

  // All that the manifest lists; the files need not be there.
  static CurrentSet of(Manifest manifest);

  void sort();
  // nullptr: no such file.
  const ManifestFile* find(std::string_view file) const;
  // Where the file of the series is, or belongs.
  std::vector<ListedFilePointer>::iterator place_of(std::string_view series_name);
};

}  // namespace karma::snapshot
