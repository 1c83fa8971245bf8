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
    Result<SnapshotList> list = source_.snapshots();
    if (!list) return list.error();
    list_ = std::move(*list);
    Result<std::optional<std::string>> text = source_.manifest();
    if (!text) return text.error();
    if (*text) {
      Result<snapshot::Manifest> manifest = snapshot::decode_manifest(**text);
      // Replaced between two pieces; or of files that a Karma 1.0 has written over since.
      if (!manifest) return internal_error("the master's manifest cannot be read: " + manifest.error().message);
      if (is_of_list(*manifest)) manifest_ = std::move(*manifest);
    }
    if (list_.series.empty() && !list_.exactly_once && !manifest_) return false;
    if (Status fetched = fetch_files(); !fetched) return fetched.error();
    if (Status fetched = fetch_log(); !fetched) return fetched.error();
    // Of the node that all this came from: had it started anew meanwhile, the connection would have broken.
    Result<engine::History> history = source_.history();
    if (!history) return history.error();
    if (!history->empty()) {
      history->follow();
      if (Status written = engine::write_history(files_, staging_, *history); !written) return written.error();
    }
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
  // Whether the manifest is about the snapshots that count.
  bool is_of_list(const snapshot::Manifest& manifest) const {
    const auto same = [](const snapshot::ManifestFile& listed, const snapshot::Meta& meta) {
      return listed.meta.file == meta.file && listed.meta.bytes == meta.bytes && listed.meta.last_lsn == meta.last_lsn;
    };
    const bool same_keys =
        manifest.exactly_once.has_value() == list_.exactly_once.has_value() &&
        (!list_.exactly_once || manifest.exactly_once->meta.last_lsn == list_.exactly_once->last_lsn);
    return same_keys &&
           std::equal(manifest.series.begin(), manifest.series.end(), list_.series.begin(), list_.series.end(), same);
  }

  Status fetch_files() {
    for (std::size_t i = 0; i < list_.series.size(); ++i) {
      const snapshot::Meta& meta = list_.series[i];
      tell("file " + std::to_string(i + 1) + " of " + std::to_string(list_.series.size()));
      const std::optional<snapshot::FileName> name = snapshot::parse_file_name(meta.file);
      const bool harmless = meta.file == base_name(meta.file) && meta.file.ends_with(snapshot::kTreeSuffix);
      if (!name || !harmless || (!name->abridged && name->series != meta.series))
        return Error{ErrorCode::replication_error, "the master names a snapshot in a way that none is named"};
      snapshot::ManifestFile* const listed = manifest_ ? &manifest_->series[i] : nullptr;
      const std::optional<std::uint32_t> crc = listed != nullptr ? listed->crc : std::nullopt;
      if (Status fetched = fetch_file(meta.file, crc, [&](const auto& sink) { return source_.fetch(meta, sink); });
          !fetched)
        return fetched;
      std::optional<std::uint32_t> sidecar_crc;
      if (Status written = write_sidecar(meta.file, snapshot::encode_sidecar(meta), sidecar_crc); !written)
        return written;
      if (listed == nullptr) continue;
      listed->meta.has_sidecar = true;
      listed->sidecar_crc = sidecar_crc;
    }
    if (!list_.exactly_once) return {};
    tell("idempotency keys and streams");
    const std::string name(snapshot::kExactlyOnceName);
    const snapshot::ExactlyOnceMeta& meta = *list_.exactly_once;
    const std::optional<std::uint32_t> crc =
        manifest_ && manifest_->exactly_once ? std::optional(manifest_->exactly_once->crc) : std::nullopt;
    if (Status fetched = fetch_file(name, crc, [&](const auto& sink) { return source_.fetch(meta, sink); }); !fetched)
      return fetched;
    std::optional<std::uint32_t> sidecar_crc;
    Status written = write_sidecar(name, snapshot::encode_sidecar(meta), sidecar_crc);
    if (manifest_ && manifest_->exactly_once) manifest_->exactly_once->sidecar_crc = sidecar_crc;
    return written;
  }

  template <class Fetch>
  Status fetch_file(const std::string& name, std::optional<std::uint32_t> expected, const Fetch& fetch) {
    Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, staging_, name);
    if (!file) return file.error();
    std::uint32_t crc = 0;
    const Status fetched = fetch([&](std::string_view piece) -> Status {
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

  Status write_sidecar(const std::string& of, const std::string& text, std::optional<std::uint32_t>& crc) {
    crc = crc32c(text);
    Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, staging_, snapshot::sidecar_name(of));
    if (!file) return file.error();
    if (Status written = (*file)->append(text); !written) return written;
    return (*file)->finish();
  }

  // Up to the newest part of the set: the start brings the others there.
  Status fetch_log() {
    Lsn newest = list_.exactly_once ? list_.exactly_once->last_lsn : Lsn{};
    Lsn oldest = list_.series.empty() ? newest : list_.series.front().last_lsn;
    for (const snapshot::Meta& meta : list_.series) {
      newest = std::max(newest, meta.last_lsn);
      oldest = std::min(oldest, meta.last_lsn);
    }
    // A Karma 1.0 serves its log from the oldest snapshot on; its exactly-once state is of that moment or later.
    const bool has_set = manifest_ && (manifest_->lsn != Lsn{} || manifest_->log_complete);
    const Lsn complete = has_set ? manifest_->lsn : oldest;
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
      if (Status taken = source_.take_page(after, options_.page_entries, page); !taken) return taken;
      if (page.entries.empty())
        return Error{ErrorCode::replication_error, "the master's log ends before its own snapshots"};
      texts.clear();
      for (const engine::LoggedEntry& entry : page.entries) texts.push_back(entry.text);
      if (Status appended = (*log)->append(texts); !appended) return appended;
    }
    return {};
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
