#include "replication/rewind.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/path.h"
#include "io/replace_file.h"
#include "replication/staged_copy.h"
#include "snapshot/adoption.h"
#include "snapshot/manifest.h"

namespace karma::replication {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;  // of a file, or of a batch of entries

Error impossible(std::string why) { return {ErrorCode::replication_error, std::move(why)}; }

std::string above(const std::string& what, Lsn lsn, Lsn fork) {
  return what + " is of LSN " + std::to_string(lsn.value) + ", and the histories part after " +
         std::to_string(fork.value);
}

class Rewind {
 public:
  Rewind(engine::Engine& engine, FileSystem& files, std::string staging, Lsn fork, const BootstrapOptions& options)
      : engine_(engine), files_(files), fork_(fork), copy_(files, std::move(staging), options) {}

  Status run(const engine::History& master) {
    if (Status read = read_manifest(); !read) return read;
    if (Status chosen = choose_files(); !chosen) {
      if (!log_is_all()) return impossible(chosen.error().message + ", and its log alone is not all");
      manifest_.reset();
    }
    if (Status copied = copy_files(); !copied) return copied;
    if (Status copied = copy_log(manifest_ ? manifest_->all_known() : Lsn{}); !copied) return copied;
    if (Status kept = copy_.put(master); !kept) return kept;
    return manifest_ ? copy_.put(std::move(*manifest_)) : Status();
  }

 private:
  std::string path(const std::string& name) const { return join_path(engine_.config().directory, name); }

  // Nothing where there are no snapshots.
  Status read_manifest() {
    const std::string name(snapshot::kManifestName);
    const Result<std::uint64_t> counts = engine_.snapshots().manifest_bytes();
    if (!counts && counts.error().code == ErrorCode::not_found) {
      const Result<std::vector<snapshot::Meta>> snapshots = engine_.snapshots().list();
      if (!snapshots) return snapshots.error();
      if (snapshots->empty() && !files_.exists(path(std::string(snapshot::kExactlyOnceName)))) return {};
      return impossible("it has snapshots of Karma 1.0");
    }
    if (!counts) return counts.error();
    Result<std::string> text = read_file(files_, path(name));
    if (!text) return text.error();
    Result<snapshot::Manifest> manifest = snapshot::decode_manifest(*text);
    if (!manifest) return impossible(name + " is damaged: " + manifest.error().message);
    manifest_ = std::move(*manifest);
    if (manifest_->unlogged_lsn) return impossible("its snapshots hold changes that were never logged (--wal=false)");
    return {};
  }

  // The manifest becomes that of the fork.
  Status choose_files() {
    if (!manifest_) return impossible("it has no snapshots");
    snapshot::Manifest& manifest = *manifest_;
    if (manifest.all_known() > fork_)
      return impossible(above("its last snapshot of everything", manifest.all_known(), fork_));
    if (!manifest.has_set() && !manifest.exactly_once) return impossible("it has no snapshot of everything");
    if (manifest.exactly_once && manifest.exactly_once->meta.last_lsn > fork_)
      return impossible(above(std::string(snapshot::kExactlyOnceName), manifest.exactly_once->meta.last_lsn, fork_));
    std::vector<snapshot::ManifestFile> chosen;
    for (const snapshot::ManifestFile& current : manifest.series) {
      const snapshot::ManifestFile* const file = newest_not_above_fork(current);
      if (file == nullptr) return impossible(above(current.meta.file, current.meta.last_lsn, fork_));
      if (!file->crc) return impossible("the checksum of " + file->meta.file + " is not known");
      chosen.push_back(*file);
    }
    manifest.series = std::move(chosen);
    // The master gives the numbers after the fork to other entries.
    std::erase_if(manifest.outcomes, [this](const snapshot::KnownOutcome& outcome) { return outcome.lsn > fork_; });
    return {};
  }

  // What is older than the set is no part of it.
  const snapshot::ManifestFile* newest_not_above_fork(const snapshot::ManifestFile& current) const {
    if (current.meta.last_lsn <= fork_) return &current;
    const snapshot::ManifestFile* newest = nullptr;
    for (const snapshot::ManifestFile& older : manifest_->older) {
      const bool fits = older.meta.series == current.meta.series && older.meta.last_lsn <= fork_ &&
                        older.meta.last_lsn >= manifest_->all_known();
      if (fits && (newest == nullptr || older.meta.last_lsn > newest->meta.last_lsn)) newest = &older;
    }
    return newest;
  }

  // Whether it makes the whole state, without any snapshot.
  bool log_is_all() {
    if (manifest_ && !manifest_->log_complete) return false;
    bool begins_with_first = false;
    const Status read = engine_.read_log(Lsn{}, [&](Lsn lsn, std::string_view) {
      begins_with_first = lsn == Lsn{1};
      return false;
    });
    return read && begins_with_first;
  }

  Status copy_files() {
    if (!manifest_) return {};
    copy_.tell("rewinding: idempotency keys and streams");
    if (manifest_->exactly_once) {
      const Status copied = copy_.add(*manifest_->exactly_once, bytes_of(std::string(snapshot::kExactlyOnceName)));
      if (!copied) return copied;
    }
    for (std::size_t i = 0; i < manifest_->series.size(); ++i) {
      copy_.tell("rewinding: file " + std::to_string(i + 1) + " of " + std::to_string(manifest_->series.size()));
      snapshot::ManifestFile& file = manifest_->series[i];
      if (Status copied = copy_.add(file, bytes_of(file.meta.file)); !copied) return copied;
    }
    return {};
  }

  StagedCopy::Bytes bytes_of(const std::string& name) {
    return [this, path = path(name)](const Source::Sink& sink) -> Status {
      Result<std::unique_ptr<File>> file = files_.open(path, FileSystem::Open::read);
      if (!file) return file.error();
      buffer_.resize(kPieceBytes);
      for (std::uint64_t offset = 0;;) {
        const Result<std::size_t> got = (*file)->read_at(offset, buffer_.data(), buffer_.size());
        if (!got) return got.error();
        if (*got == 0) return {};
        if (Status taken = sink({buffer_.data(), *got}); !taken) return taken;
        offset += *got;
      }
    };
  }

  // Up to the fork.
  Status copy_log(Lsn after) {
    if (after >= fork_) return {};
    const Result<std::unique_ptr<wal::Log>> log = copy_.begin_log(after);
    if (!log) return log.error();
    Status appended;
    buffer_.clear();
    const Status read = engine_.read_log(after, [&](Lsn lsn, std::string_view entry) {
      if (lsn != Lsn{(*log)->last().value + ends_.size() + 1}) {
        appended = impossible("entry " + std::to_string(lsn.value) + " of its log is not where it should be");
        return false;
      }
      buffer_ += entry;
      ends_.push_back(buffer_.size());
      if (lsn >= fork_ || buffer_.size() >= kPieceBytes) appended = append_to(**log);
      return appended.ok() && lsn < fork_;
    });
    if (!appended) return appended;
    if (!read) return read;
    if ((*log)->last() < fork_)
      return impossible("its log ends with LSN " + std::to_string((*log)->last().value) +
                        ", before the histories part");
    return {};
  }

  Status append_to(wal::Log& log) {
    if (Status status = copy_.go_on(); !status) return status;
    copy_.tell("rewinding: log entry " + std::to_string(log.last().value) + " of " + std::to_string(fork_.value));
    std::vector<std::string_view> entries;
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      entries.push_back(std::string_view(buffer_).substr(begin, end - begin));
      begin = end;
    }
    Status appended = log.append(entries);
    buffer_.clear();
    ends_.clear();
    return appended;
  }

  engine::Engine& engine_;
  FileSystem& files_;
  const Lsn fork_;
  StagedCopy copy_;
  std::optional<snapshot::Manifest> manifest_;
  std::string buffer_;
  std::vector<std::size_t> ends_;  // of entries in the buffer
};

}  // namespace

Status rewind(engine::Engine& engine, FileSystem& files, const engine::History& master, Lsn fork,
              const BootstrapOptions& options) {
  if (fork == Lsn{}) return impossible("the histories have nothing in common");
  const auto act = [&]() -> Status {
    Result<std::string> staging = snapshot::begin_bootstrap(files, engine.config().directory);
    if (!staging) return staging.error();
    return Rewind(engine, files, std::move(*staging), fork, options).run(master);
  };
  return engine.without_snapshots(act, options.stopped);
}

}  // namespace karma::replication
