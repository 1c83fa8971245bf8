#include "snapshot/manager.h"

#include <algorithm>

#include "io/replace_file.h"
#include "snapshot/manager_impl.h"

namespace karma::snapshot {
namespace {

const Candidate* find(const Inventory& inventory, const std::string& file) {
  for (const Candidate& candidate : inventory.candidates) {
    if (candidate.file.meta.file == file && candidate.present) return &candidate;
  }
  return nullptr;
}

Error no_such_file(const std::string& file) { return {ErrorCode::not_found, "Snapshot \"" + file + "\" not found"}; }

}  // namespace

Manager::Manager(FileSystem& files, std::string directory, const Clock& clock, ManagerOptions options)
    : impl_(std::make_unique<Impl>(files, std::move(directory), clock, std::move(options))) {}

Manager::~Manager() = default;

std::shared_ptr<const CurrentSet> Manager::Impl::known() {
  const MutexLock lock(mutex_);
  return known_;
}

void Manager::Impl::keep(std::optional<CurrentSet> set) {
  auto kept = set ? std::make_shared<const CurrentSet>(std::move(*set)) : nullptr;
  const MutexLock lock(mutex_);
  known_.swap(kept);
  exactly_once_meta_.reset();
  manifest_counts_.reset();
}

void Manager::forget(const LogReach& log) {
  impl_->keep({});
  impl_->exactly_once_as_listed = false;
  set_log(log);
}

Result<std::vector<Meta>> Manager::list() {
  std::vector<Meta> metas;
  if (const auto known = impl_->known()) {
    Result<std::vector<std::string>> names = impl_->files.list(impl_->directory);
    if (!names) return names.error();
    CurrentSet set{.head = {}, .series = {}, .older = known->older};
    set.older.insert(set.older.end(), known->series.begin(), known->series.end());
    impl_->add_unlisted(set, *names);
    for (const ListedFilePointer& listed : set.older) metas.push_back(listed->file.meta);
  } else {
    Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
    if (!inventory) return inventory.error();
    for (Candidate& candidate : inventory->candidates) {
      if (candidate.present) metas.push_back(std::move(candidate.file.meta));
    }
  }
  std::sort(metas.begin(), metas.end(), [](const Meta& a, const Meta& b) {
    return a.timestamp != b.timestamp ? a.timestamp > b.timestamp : a.file < b.file;
  });
  return metas;
}

std::size_t Manager::file_count() {
  if (const auto known = impl_->known()) return known->series.size() + known->older.size();
  const Result<std::vector<Meta>> files = list();
  return files ? files->size() : 0;
}

Result<std::vector<Meta>> Manager::latest() {
  std::vector<Meta> metas;
  if (const auto known = impl_->known()) {
    for (const ListedFilePointer& listed : known->series) metas.push_back(listed->file.meta);
    return metas;
  }
  Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
  if (!inventory) return inventory.error();
  for (const auto& [name, candidates] : choose(*inventory, impl_->log).series) {
    if (candidates.front()->present) metas.push_back(candidates.front()->file.meta);
  }
  return metas;
}

Result<std::optional<ExactlyOnceMeta>> Manager::exactly_once_meta() {
  if (const auto known = impl_->known()) {
    return known->head.exactly_once ? std::optional(known->head.exactly_once->meta) : std::nullopt;
  }
  return impl_->unknown_exactly_once();
}

// The file is read once, and not for each piece that a replica asks for.
Result<std::optional<ExactlyOnceMeta>> Manager::Impl::unknown_exactly_once() {
  {
    const MutexLock lock(mutex_);
    if (exactly_once_meta_) return *exactly_once_meta_;
  }
  Result<Inventory> inventory = take_inventory(files, directory);
  if (!inventory) return inventory.error();
  Result<std::optional<CurrentExactlyOnce>> exactly_once = current_exactly_once(*inventory, log);
  std::optional<ExactlyOnceMeta> meta;
  if (exactly_once) {
    if (*exactly_once) meta = (*exactly_once)->meta;
  } else {
    // Damage is told by restore() and check(); here the manifest's word is what was there.
    if (!inventory->manifest || !inventory->manifest->exactly_once) return exactly_once.error();
    meta = inventory->manifest->exactly_once->meta;
  }
  const MutexLock lock(mutex_);
  exactly_once_meta_ = meta;
  return meta;
}

Result<std::uint64_t> Manager::manifest_bytes() {
  const std::string name(kManifestName);
  const Result<bool> counts = impl_->manifest_counts();
  if (!counts) return counts.error();
  const std::string path = impl_->path(name);
  if (!*counts || !impl_->files.exists(path)) return no_such_file(name);
  const Result<std::unique_ptr<File>> file = impl_->files.open(path, FileSystem::Open::read);
  if (!file) return file.error();
  return (*file)->size();
}

Result<Lsn> Manager::log_wanted_after() {
  Manifest manifest;
  if (const auto known = impl_->known()) {
    manifest = known->head;
    for (const ListedFilePointer& listed : known->series) manifest.series.push_back(listed->file);
  } else {
    Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
    if (!inventory) return inventory.error();
    if (!inventory->manifest) return no_such_file(std::string(kManifestName));
    manifest = std::move(*inventory->manifest);
  }
  Lsn least = manifest.all_known();
  for (const ManifestFile& listed : manifest.series) least = std::min(least, listed.meta.last_lsn);
  return least;
}

// A missing file changes nothing: whoever wants the set is to notice.
Result<bool> Manager::Impl::manifest_counts() {
  if (known()) return true;
  {
    const MutexLock lock(mutex_);
    if (manifest_counts_) return *manifest_counts_;
  }
  Result<Inventory> inventory = take_inventory(files, directory);
  if (!inventory) return inventory.error();
  bool counts = inventory->manifest.has_value();
  if (counts) {
    const Result<std::optional<ExactlyOnceMeta>> exactly_once = unknown_exactly_once();
    if (!exactly_once) return exactly_once.error();
    const std::optional<ManifestExactlyOnce>& listed = inventory->manifest->exactly_once;
    counts = *exactly_once == (listed ? std::optional(listed->meta) : std::nullopt);
    for (const auto& [series, candidates] : choose(*inventory, log).series)
      counts = counts && candidates.front()->origin != Origin::unlisted;
  }
  const MutexLock lock(mutex_);
  manifest_counts_ = counts;
  return counts;
}

Result<Candidate> Manager::Impl::look_up(const std::string& file) {
  if (const auto known_set = known()) {
    if (!files.exists(path(file))) return no_such_file(file);
    if (const ManifestFile* listed = known_set->find(file)) return Candidate{*listed, Origin::set, file, true, {}};
    if (std::optional<Candidate> candidate = take_candidate(files, directory, file)) return *candidate;
    return validation_error("The file has no name of a snapshot");
  }
  Result<Inventory> inventory = take_inventory(files, directory);
  if (!inventory) return inventory.error();
  if (const Candidate* const candidate = find(*inventory, file)) return *candidate;
  if (inventory->has(file)) return validation_error("The file has no name of a snapshot");
  return no_such_file(file);
}

Result<Meta> Manager::meta(const std::string& file) {
  Result<Candidate> candidate = impl_->look_up(file);
  if (!candidate) return candidate.error();
  return std::move(candidate->file.meta);
}

Result<std::string> Manager::read(const std::string& file, std::uint64_t offset, std::uint64_t limit) {
  std::string path = impl_->path(file);
  if (!impl_->files.exists(path)) path = impl_->path(staged_name(file));
  if (!impl_->files.exists(path)) return no_such_file(file);
  Result<std::unique_ptr<File>> opened = impl_->files.open(path, FileSystem::Open::read);
  if (!opened) return opened.error();
  Result<std::uint64_t> size = (*opened)->size();
  if (!size) return size.error();
  const std::uint64_t left = offset < *size ? *size - offset : 0;
  std::string bytes(std::min({limit, left, kMaxReadBytes}), '\0');
  Result<std::size_t> got = (*opened)->read_at(offset, bytes.data(), bytes.size());
  if (!got) return got.error();
  bytes.resize(*got);
  return bytes;
}

bool Manager::is_listed(const std::string& file) {
  const Result<Inventory> inventory = take_inventory(impl_->files, impl_->directory);
  if (!inventory || !inventory->manifest) return false;
  const std::vector<ManifestFile>& series = inventory->manifest->series;
  return (file == kExactlyOnceName && inventory->manifest->exactly_once) ||
         std::any_of(series.begin(), series.end(),
                     [&](const ManifestFile& listed) { return listed.meta.file == file; });
}

Result<store::Series> Manager::load(const std::string& file, store::Series empty, const Stopped& stopped) {
  Result<Candidate> candidate = impl_->look_up(file);
  if (!candidate) return candidate.error();
  Result<TreeFacts> facts = impl_->decode(*candidate, [&](Key key, std::span<const store::Point> points) {
    return !(stopped && stopped()) && empty.load(key, points);
  });
  if (!facts) return internal_error(damage_of(file, facts.error().message));
  return empty;
}

Result<TreeFacts> Manager::Impl::decode(const Candidate& candidate, const TakeCounter& take, const BytesDone& done) {
  if (!candidate.present) return internal_error(std::string(kMissing));
  Result<std::unique_ptr<File>> file = files.open(path(candidate.disk_name), FileSystem::Open::read);
  if (!file) return file.error();
  if (candidate.file.crc) {
    const Result<std::uint64_t> size = (*file)->size();
    if (size && *size != candidate.file.meta.bytes) {
      return internal_error("it has " + std::to_string(*size) + " bytes instead of " +
                            std::to_string(candidate.file.meta.bytes));
    }
  }
  Result<TreeFacts> facts = decode_tree(**file, take, done);
  if (facts && candidate.file.crc && facts->crc != *candidate.file.crc) return internal_error("its checksum is wrong");
  // Every byte is what was written, and what was written is not what the series held: or it is not read as it was
  // meant.
  if (facts && candidate.file.digest && facts->digest != *candidate.file.digest)
    return internal_error("its digest is " + facts->digest.text() + " and not " + candidate.file.digest->text());
  return facts;
}

}  // namespace karma::snapshot
