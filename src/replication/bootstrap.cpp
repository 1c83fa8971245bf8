#include "replication/bootstrap.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "io/path.h"
#include "replication/staged_copy.h"
#include "snapshot/adoption.h"
#include "snapshot/file_name.h"
#include "snapshot/manifest.h"
#include "wal/log.h"

namespace karma::replication {
namespace {

class Bootstrap {
 public:
  Bootstrap(Source& source, FileSystem& files, std::string staging, const BootstrapOptions& options)
      : source_(source), options_(options), copy_(files, std::move(staging), options) {}

  Result<bool> run() {
    const Result<engine::History> before = source_.history();
    if (!before) return before.error();
    const Result<Lsn> reach = options_.reach(*before);
    if (!reach) return reach.error();
    reach_ = *reach;
    if (Status found = find_set(); !found) return found.error();
    if (!manifest_ && before->empty()) leave_out_dropped();
    if (list_.series.empty() && !list_.exactly_once && !manifest_ && reach_ == Lsn{}) {
      if (Status kept = copy_.put(*before); !kept) return kept.error();
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
    if (Status kept = copy_.put(std::move(*history)); !kept) return kept.error();
    if (manifest_) {
      if (Status written = copy_.put(std::move(*manifest_)); !written) return written.error();
    }
    return true;
  }

 private:
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
      copy_.tell("file " + std::to_string(i + 1) + " of " + std::to_string(list_.series.size()));
      const std::optional<snapshot::FileName> name = snapshot::parse_file_name(meta.file);
      const bool harmless = meta.file == base_name(meta.file) && meta.file.ends_with(snapshot::kTreeSuffix);
      if (!name || !harmless || (!name->abridged && name->series != meta.series))
        return Error{ErrorCode::replication_error, "the master names a snapshot in a way that none is named"};
      const Status fetched =
          manifest_ ? copy_.add(manifest_->series[i], pieces_of(meta)) : add_unlisted(meta.file, meta);
      if (!fetched) return fetched;
    }
    return {};
  }

  Status fetch_exactly_once() {
    if (!list_.exactly_once) return {};
    copy_.tell("idempotency keys and streams");
    const snapshot::ExactlyOnceMeta& meta = *list_.exactly_once;
    return manifest_ ? copy_.add(*manifest_->exactly_once, pieces_of(meta))
                     : add_unlisted(std::string(snapshot::kExactlyOnceName), meta);
  }

  template <class FileMeta>
  StagedCopy::Bytes pieces_of(const FileMeta& meta) {
    return [this, meta](const Source::Sink& sink) { return source_.fetch(meta, sink); };
  }

  template <class FileMeta>
  Status add_unlisted(const std::string& name, const FileMeta& meta) {
    const Result<std::uint32_t> added = copy_.add_file(name, snapshot::encode_sidecar(meta), {}, pieces_of(meta));
    return added ? Status() : Status(added.error());
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
    Result<std::unique_ptr<wal::Log>> log = copy_.begin_log(complete);
    if (!log) return log.error();
    std::vector<std::string_view> texts;
    while ((*log)->last() < newest) {
      if (Status status = copy_.go_on(); !status) return status;
      const Lsn after = (*log)->last();
      copy_.tell("log entry " + std::to_string(after.value) + " of " + std::to_string(newest.value));
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

  Source& source_;
  const BootstrapOptions& options_;
  Lsn reach_;
  StagedCopy copy_;
  SnapshotList list_;
  std::optional<snapshot::Manifest> manifest_;
};

}  // namespace

Result<bool> bootstrap(Source& source, FileSystem& files, const std::string& directory,
                       const BootstrapOptions& options) {
  Result<std::string> staging = snapshot::begin_bootstrap(files, directory);
  if (!staging) return staging.error();
  return Bootstrap(source, files, *staging, options).run();
}

}  // namespace karma::replication
