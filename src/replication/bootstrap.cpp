#include "replication/bootstrap.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "core/crc32c.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "snapshot/adoption.h"
#include "snapshot/current_set.h"
#include "snapshot/file_name.h"
#include "snapshot/manifest.h"
#include "wal/log.h"

namespace karma::replication {
namespace {

class Bootstrap {
 public:
  Bootstrap(Source& source, FileSystem& files, std::string staging, const BootstrapOptions& options)
      : source_(source), files_(files), staging_(std::move(staging)), options_(options) {}

  Result<bool> run() {
    const Result<engine::History> before = source_.history();
    if (!before) return before.error();
    const Result<Lsn> reach = options_.reach(*before);
    if (!reach) return reach.error();
    reach_ = *reach;
    if (Status found = find_set(); !found) return found.error();
    if (!manifest_ && before->empty()) leave_out_dropped();
    if (list_.series.empty() && !list_.exactly_once && !manifest_ && reach_ == Lsn{}) {
      if (Status kept = keep_history(*before); !kept) return kept.error();
      return false;
    }
    // The one file that keeps its name: a newer set is noticed before the others are copied.
    if (Status fetched = fetch_exactly_once(); !fetched) return fetched.error();
    if (Status fetched = fetch_series(); !fetched) return fetched.error();
    if (Status fetched = fetch_log(); !fetched) return fetched.error();
    Result<engine::History> history = source_.history();
    if (!history) return history.error();
    if (*history != *before)
      return Error{ErrorCode::replication_error, "the master's history changed while its data was copied"};
    if (Status kept = keep_history(std::move(*history)); !kept) return kept.error();
    if (manifest_) {
      manifest_->older.clear();
      const std::string name(snapshot::kManifestName);
      if (Status written =
              replace_file(files_, staging_, name, snapshot::encode_manifest(snapshot::CurrentSet::of(*manifest_)));
          !written)
        return written.error();
    }
    return true;
  }

 private:
  Status keep_history(engine::History history) {
    if (history.empty()) return {};
    history.follow();
    return engine::write_history(files_, staging_, history);
  }

  // With a manifest it alone tells: it comes in pieces, and what is fetched has to fit it.
  Status find_set() {
    Result<std::optional<std::string>> text = source_.manifest();
    if (!text) return text.error();
    if (!*text) {
      Result<SnapshotList> list = source_.snapshots();
      if (!list) return list.error();
      list_ = std::move(*list);
      return {};
    }
    Result<snapshot::Manifest> manifest = snapshot::decode_manifest(**text);
    // Replaced between two pieces.
    if (!manifest)
      return Error{ErrorCode::replication_error, "the master's manifest cannot be read: " + manifest.error().message};
    manifest_ = std::move(*manifest);
    for (const snapshot::ManifestFile& file : manifest_->series) list_.series.push_back(file.meta);
    if (manifest_->exactly_once) list_.exactly_once = manifest_->exactly_once->meta;
    return {};
  }

  // A Karma 1.0 keeps the files of dropped series. It writes the exactly-once state last of a set, after every series
  // that there is, at one LSN.
  void leave_out_dropped() {
    if (!list_.exactly_once) return;
    std::erase_if(list_.series,
                  [&](const snapshot::Meta& meta) { return meta.last_lsn < list_.exactly_once->last_lsn; });
  }

  Status fetch_series() {
    for (std::size_t i = 0; i < list_.series.size(); ++i) {
      const snapshot::Meta& meta = list_.series[i];
      tell("file " + std::to_string(i + 1) + " of " + std::to_string(list_.series.size()));
      const std::optional<snapshot::FileName> name = snapshot::parse_file_name(meta.file);
      const bool harmless = meta.file == base_name(meta.file) && meta.file.ends_with(snapshot::kTreeSuffix);
      if (!name || !harmless || (!name->abridged && name->series != meta.series))
        return Error{ErrorCode::replication_error, "the master names a snapshot in a way that none is named"};
      snapshot::ManifestFile* const listed = manifest_ ? &manifest_->series[i] : nullptr;
      const std::optional<std::uint32_t> crc = listed != nullptr ? listed->crc : std::nullopt;
      const Result<std::uint32_t> sidecar_crc = fetch_with_sidecar(meta.file, meta, crc);
      if (!sidecar_crc) return sidecar_crc.error();
      if (listed == nullptr) continue;
      listed->meta.has_sidecar = true;
      listed->sidecar_crc = *sidecar_crc;
    }
    return {};
  }

  Status fetch_exactly_once() {
    if (!list_.exactly_once) return {};
    tell("idempotency keys and streams");
    const std::optional<std::uint32_t> crc = manifest_ ? std::optional(manifest_->exactly_once->crc) : std::nullopt;
    const Result<std::uint32_t> sidecar_crc =
        fetch_with_sidecar(std::string(snapshot::kExactlyOnceName), *list_.exactly_once, crc);
    if (!sidecar_crc) return sidecar_crc.error();
    if (manifest_) manifest_->exactly_once->sidecar_crc = *sidecar_crc;
    return {};
  }

  // Returns the checksum of the sidecar, which is made here.
  template <class FileMeta>
  Result<std::uint32_t> fetch_with_sidecar(const std::string& name, const FileMeta& meta,
                                           std::optional<std::uint32_t> expected) {
    if (Status fetched = fetch_file(name, meta, expected); !fetched) return fetched.error();
    const std::string text = snapshot::encode_sidecar(meta);
    Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, staging_, snapshot::sidecar_name(name));
    if (!file) return file.error();
    Status written = (*file)->append(text);
    if (written) written = (*file)->finish();
    if (!written) return written.error();
    return crc32c(text);
  }

  template <class FileMeta>
  Status fetch_file(const std::string& name, const FileMeta& meta, std::optional<std::uint32_t> expected) {
    Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, staging_, name);
    if (!file) return file.error();
    std::uint32_t crc = 0;
    const Status fetched = source_.fetch(meta, [&](std::string_view piece) -> Status {
      if (options_.stopped()) return internal_error("the node is shutting down");
      crc = crc32c(piece, crc);
      bytes_ += piece.size();
      tell({});
      return (*file)->append(piece);
    });
    if (!fetched) return fetched;
    if (expected && crc != *expected)
      return Error{ErrorCode::replication_error, name + " came with another checksum than the master's manifest has"};
    return (*file)->finish();
  }

  // From the last moment at which all series are known up to the newest part of the set: the start brings the others
  // there. And further, if that is asked for.
  Status fetch_log() {
    const Lsn of_1_0 = list_.exactly_once ? list_.exactly_once->last_lsn : Lsn{};
    Lsn newest = std::max(of_1_0, reach_);
    for (const snapshot::Meta& meta : list_.series) newest = std::max(newest, meta.last_lsn);
    const bool has_set = manifest_ && manifest_->has_set();
    const Lsn complete = manifest_ ? manifest_->all_known() : of_1_0;
    if (complete >= newest) return {};
    Result<std::unique_ptr<wal::Log>> log = wal::open_log(files_, staging_, {}, complete, {});
    if (!log) return log.error();
    std::vector<std::string_view> texts;
    while ((*log)->last() < newest) {
      if (options_.stopped()) return internal_error("the node is shutting down");
      const Lsn after = (*log)->last();
      tell("log entry " + std::to_string(after.value) + " of " + std::to_string(newest.value));
      if (Status asked = source_.ask_for_page(after, options_.page_entries); !asked) return asked;
      Page page;
      const Status taken = source_.take_page(after, options_.page_entries, page);
      if (!taken && taken.error().code == ErrorCode::replication_gap && !has_set) return no_whole_set(after);
      if (!taken) return taken;
      if (page.entries.empty())
        return Error{ErrorCode::replication_error, "the master's log ends at LSN " + std::to_string(page.source.value) +
                                                       ", the copy has to reach " + std::to_string(newest.value)};
      texts.clear();
      for (const engine::LoggedEntry& entry : page.entries) texts.push_back(entry.text);
      if (Status appended = (*log)->append(texts); !appended) return appended;
    }
    return {};
  }

  static Error no_whole_set(Lsn after) {
    return {ErrorCode::replication_error, "the master's snapshots are of single series, and its log after LSN " +
                                              std::to_string(after.value) +
                                              ", with all others, is refused: run snapshot.create_all on the master"};
  }

  void tell(const std::string& what) {
    if (!what.empty()) what_ = what;
    const auto now = std::chrono::steady_clock::now();
    if (!options_.on_progress || now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    options_.on_progress(what_ + ", " + std::to_string(bytes_ >> 20) + " MiB so far");
  }

  Source& source_;
  FileSystem& files_;
  const std::string staging_;
  const BootstrapOptions& options_;
  Lsn reach_;
  SnapshotList list_;
  std::optional<snapshot::Manifest> manifest_;
  std::uint64_t bytes_ = 0;
  std::string what_;
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace

Result<bool> bootstrap(Source& source, FileSystem& files, const std::string& directory,
                       const BootstrapOptions& options) {
  Result<std::string> staging = snapshot::begin_bootstrap(files, directory);
  if (!staging) return staging.error();
  return Bootstrap(source, files, *staging, options).run();
}

}  // namespace karma::replication
