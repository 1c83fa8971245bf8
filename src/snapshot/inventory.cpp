#include "snapshot/inventory.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/crc32c.h"
#include "core/text.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "snapshot/byte_window.h"

namespace karma::snapshot {
namespace {

using Rank = std::pair<Lsn, std::int64_t>;

Rank rank(const Meta& meta) { return {meta.last_lsn, meta.timestamp}; }

class Taker {
 public:
  Taker(FileSystem& files, const std::string& directory) : files_(files), directory_(directory) {}

  Result<Inventory> run(bool without_manifest) {
    if (!files_.exists(directory_)) return std::move(inventory_);
    Result<std::vector<std::string>> names = files_.list(directory_);
    if (!names) return names.error();
    inventory_.names = {names->begin(), names->end()};
    if (!without_manifest) read_manifest();
    read_replication_lsn();
    if (inventory_.manifest) add_listed();
    for (const std::string& name : inventory_.names) {
      if (!name.starts_with('.') && name.ends_with(kTreeSuffix) && !listed_.contains(name)) add_unlisted(name);
    }
    return std::move(inventory_);
  }

  std::optional<Candidate> run_for(const std::string& name) {
    for (const std::string& each : {name, sidecar_name(name)}) {
      if (files_.exists(join_path(directory_, each))) inventory_.names.insert(each);
    }
    if (inventory_.has(name)) add_unlisted(name);
    if (inventory_.candidates.empty()) return {};
    return std::move(inventory_.candidates.front());
  }

 private:
  Result<std::string> read(const std::string& name) { return read_file(files_, join_path(directory_, name)); }

  std::optional<std::uint64_t> size_of(const std::string& name) {
    return size_of_file(files_, join_path(directory_, name));
  }

  void read_manifest() {
    const std::string name(kManifestName);
    if (!inventory_.has(name)) return;
    Result<std::string> text = read(name);
    if (!text) {
      inventory_.manifest_fault = text.error().message;
      return;
    }
    Result<Manifest> manifest = decode_manifest(*text, &inventory_.manifest_newer);
    if (manifest) {
      inventory_.manifest = std::move(*manifest);
    } else {
      inventory_.manifest_fault = manifest.error().message;
    }
  }

  void read_replication_lsn() {
    const std::string name(kReplicationLsnName);
    if (!inventory_.has(name)) return;
    const Result<std::string> text = read(name);
    if (text) inventory_.replication_lsn = parse_number<std::uint64_t>(trim(*text));
    if (!inventory_.replication_lsn) {
      inventory_.replication_lsn = 0;
      inventory_.warnings.push_back(name + " is not a number");
    }
  }

  void add_listed() {
    for (const ManifestFile& file : inventory_.manifest->series) add_of_set(file);
    for (const ManifestFile& file : inventory_.manifest->older) {
      if (!listed_.insert(file.meta.file).second || !inventory_.has(file.meta.file)) continue;
      inventory_.candidates.push_back({file, Origin::older, file.meta.file, true, {}});
    }
  }

  void add_of_set(const ManifestFile& file) {
    listed_.insert(file.meta.file);
    Candidate candidate{file, Origin::set, file.meta.file, true, {}};
    if (!inventory_.has(candidate.disk_name)) {
      if (inventory_.has(staged_name(candidate.disk_name)))
        candidate.disk_name = staged_name(candidate.disk_name);
      else
        candidate.present = false;
    }
    check_sidecar_of_set(candidate);
    inventory_.candidates.push_back(std::move(candidate));
  }

  void check_sidecar_of_set(Candidate& candidate) {
    std::string name = sidecar_name(candidate.file.meta.file);
    if (!inventory_.has(name)) name = staged_name(name);
    if (!inventory_.has(name)) {
      if (candidate.file.meta.has_sidecar) candidate.sidecar_fault = kMissing;
      return;
    }
    Result<std::string> text = read(name);
    if (text && candidate.file.sidecar_crc == crc32c(*text)) return;
    const std::optional<Meta> sidecar = text ? decode_sidecar(*text) : std::nullopt;
    if (sidecar && candidate.present && sidecar->file == candidate.file.meta.file &&
        sidecar->last_lsn > candidate.file.meta.last_lsn && sidecar->bytes == size_of(candidate.disk_name) &&
        content_differs(candidate)) {
      candidate.file = {*sidecar, {}, crc32c(*text), {}};
      candidate.origin = Origin::unlisted;
      return;
    }
    candidate.sidecar_fault = "it is not what was written";
  }

  // A flipped bit in a sidecar alone must not pass for a file that was written again.
  bool content_differs(const Candidate& candidate) {
    const Result<Sum> sum = checksum(files_, join_path(directory_, candidate.disk_name));
    return sum && candidate.file.crc != sum->crc;
  }

  void add_unlisted(const std::string& name) {
    std::optional<FileName> parsed = parse_file_name(name);
    if (!parsed) {
      inventory_.warnings.push_back(name + " is not the name of a snapshot, ignored");
      return;
    }
    const std::optional<std::uint64_t> size = size_of(name);
    Candidate candidate;
    candidate.disk_name = name;
    candidate.file.meta = {std::move(parsed->series), name, parsed->timestamp, {}, size.value_or(0), false};
    if (!size) candidate.sidecar_fault = "the file cannot be read";
    read_sidecar(candidate, parsed->abridged);
    if (parsed->abridged && !candidate.file.meta.has_sidecar) {
      inventory_.warnings.push_back(name + " has no sidecar to tell the name of its series; it is called as the file");
    }
    inventory_.candidates.push_back(std::move(candidate));
  }

  void read_sidecar(Candidate& candidate, bool abridged) {
    Meta& meta = candidate.file.meta;
    const std::string name = sidecar_name(meta.file);
    if (!inventory_.has(name)) return;
    Result<std::string> text = read(name);
    std::optional<Meta> sidecar = text ? decode_sidecar(*text) : std::nullopt;
    if (!sidecar) {
      candidate.sidecar_fault = "it is unreadable";
    } else if (sidecar->file != meta.file || sidecar->timestamp != meta.timestamp ||
               (!abridged && sidecar->series != meta.series)) {
      candidate.sidecar_fault = "it belongs to another file";
    } else if (sidecar->bytes != meta.bytes) {
      candidate.sidecar_fault = "it tells another size";
    } else {
      meta = std::move(*sidecar);
      candidate.file.sidecar_crc = crc32c(*text);
    }
  }

  FileSystem& files_;
  const std::string& directory_;
  std::set<std::string, std::less<>> listed_;
  Inventory inventory_;
};

bool renumbered_since(const Inventory& inventory, const LogReach& log) {
  if (inventory.manifest || !inventory.replication_lsn || log.lsn_file == Lsn{}) return false;
  Lsn top;
  for (const Candidate& candidate : inventory.candidates) top = std::max(top, candidate.file.meta.last_lsn);
  return std::max(log.lsn_file, log.last) < top;
}

bool lsn_unknown(const Candidate* candidate) { return !candidate->sidecar_fault.empty(); }

void sort_newest_first(std::vector<const Candidate*>& candidates, bool by_time) {
  std::sort(candidates.begin(), candidates.end(), [by_time](const Candidate* a, const Candidate* b) {
    const Meta& x = a->file.meta;
    const Meta& y = b->file.meta;
    if (by_time) return std::tie(x.timestamp, x.last_lsn) > std::tie(y.timestamp, y.last_lsn);
    return rank(x) > rank(y);
  });
}

}  // namespace

std::optional<std::uint64_t> size_of_file(FileSystem& files, const std::string& path) {
  const Result<std::unique_ptr<File>> file = files.open(path, FileSystem::Open::read);
  if (!file) return {};
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return {};
  return *size;
}

Result<Sum> checksum(FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<File>> file = files.open(path, FileSystem::Open::read);
  if (!file) return file.error();
  ByteWindow window(**file, {});
  if (!window.drain()) return window.failure().error();
  return Sum{window.bytes_read(), window.crc()};
}

Result<Inventory> take_inventory(FileSystem& files, const std::string& directory, bool without_manifest) {
  return Taker(files, directory).run(without_manifest);
}

std::optional<Candidate> take_candidate(FileSystem& files, const std::string& directory, const std::string& name) {
  return Taker(files, directory).run_for(name);
}

Choice choose(const Inventory& inventory, const LogReach& log) {
  Choice choice;
  choice.renumbered = renumbered_since(inventory, log);
  const std::optional<Manifest>& manifest = inventory.manifest;

  std::map<std::string_view, Rank> listed;
  if (manifest) {
    for (const ManifestFile& file : manifest->series) listed[file.meta.series] = rank(file.meta);
  }
  std::map<std::string_view, std::vector<const Candidate*>> stand_ins;
  for (const Candidate& candidate : inventory.candidates) {
    const Meta& meta = candidate.file.meta;
    bool current = candidate.origin == Origin::set;
    if (candidate.origin == Origin::unlisted) {
      const auto entry = listed.find(meta.series);
      current =
          !manifest || rank(meta) > (entry != listed.end() ? entry->second : Rank(manifest->lsn, manifest->timestamp));
    }
    if (current) {
      choice.series[meta.series].push_back(&candidate);
    } else {
      stand_ins[meta.series].push_back(&candidate);
    }
  }
  for (auto& [name, candidates] : choice.series) {
    const bool by_time =
        choice.renumbered || (!manifest && std::any_of(candidates.begin(), candidates.end(), lsn_unknown));
    sort_newest_first(candidates, by_time);
    std::vector<const Candidate*>& more = stand_ins[name];
    sort_newest_first(more, by_time);
    candidates.insert(candidates.end(), more.begin(), more.end());
  }
  return choice;
}

}  // namespace karma::snapshot
