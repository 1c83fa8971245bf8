#include "engine/only_here.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

#include "commands/counter.h"
#include "commands/ingest.h"
#include "commands/series.h"
#include "core/arena.h"
#include "core/json_text.h"
#include "engine/decode.h"
#include "engine/recovery.h"
#include "io/path.h"
#include "io/replace_file.h"
#include "snapshot/adoption.h"
#include "wal/log.h"

namespace karma::engine {
namespace {

using commands::CounterIncrement;
using commands::IngestAbort;
using commands::IngestBegin;
using commands::IngestChunk;
using commands::IngestCommit;
using commands::SeriesBatchAdd;
using store::ChunkCheck;
using store::IngestMode;

constexpr std::string_view kNoAddition = "not an addition";

// The entry's command, if it is one of that op.
template <class C>
const C* as(const Decoded& entry) {
  return entry.op->name == C::kSpec.name ? static_cast<const C*>(entry.command) : nullptr;
}

// What an entry adds, or why it is not counted by an import. Neither: it says nothing.
struct Translated {
  std::string_view series{};
  std::span<const Item> items{};
  std::string_view why_not{};
};

// Entry after entry of the copy's log.
class Translator {
 public:
  explicit Translator(const Present& present) : present_(present) {}

  Translated translate(const Decoded& entry, Item& single) {
    if (const auto* begin = as<IngestBegin>(entry)) return begun(*begin);
    if (const auto* chunk = as<IngestChunk>(entry)) return of_stream(*chunk);
    if (const auto* commit = as<IngestCommit>(entry)) return ended(commit->stream_id);
    if (const auto* abort = as<IngestAbort>(entry)) return ended(abort->stream_id);
    Translated added{.why_not = kNoAddition};
    if (const auto* increment = as<CounterIncrement>(entry)) {
      single = {increment->key, increment->bucket, increment->value};
      added = {increment->series.text, {&single, 1}, {}};
    } else if (const auto* batch = as<SeriesBatchAdd>(entry)) {
      added = {batch->series.text, batch->items, {}};
    }
    if (entry.keyed != nullptr && is_known(*entry.keyed)) added.why_not = "its idempotency key is known to the master";
    return added;
  }

 private:
  struct Stream {
    IngestMode mode;
    std::uint64_t last = 0;  // chunk that was met
  };

  bool is_known(const commands::KeyedWrite& keyed) const {
    const std::lock_guard read(present_.reader);
    return present_.store.exactly_once().records().find(keyed.record.key).has_value();
  }

  Translated begun(const IngestBegin& begin) {
    streams_.insert_or_assign(std::string(begin.stream_id), Stream{begin.mode});
    return begin.mode == IngestMode::add ? Translated{} : Translated{.why_not = kNoAddition};
  }
  Translated ended(std::string_view id) {
    const auto stream = streams_.find(id);
    const bool adds = stream != streams_.end() && stream->second.mode == IngestMode::add;
    if (stream != streams_.end()) streams_.erase(stream);
    return adds ? Translated{} : Translated{.why_not = kNoAddition};
  }

  Translated of_stream(const IngestChunk& chunk) {
    const std::lock_guard read(present_.reader);
    const store::IngestStreams& known = present_.store.exactly_once().streams();
    auto stream = streams_.find(chunk.stream_id);
    if (stream == streams_.end()) {
      // It was begun before the fork.
      const store::ActiveStream* const active = known.active(chunk.stream_id);
      const store::CommittedStream* const committed = known.committed(chunk.stream_id);
      if (active == nullptr && committed == nullptr) return {.why_not = "the mode of its stream is not known"};
      const IngestMode mode = active != nullptr ? active->identity->mode : committed->identity->mode;
      stream = streams_.emplace(chunk.stream_id, Stream{mode}).first;
    }
    if (stream->second.mode != IngestMode::add) return {.why_not = kNoAddition};
    if (chunk.number <= std::exchange(stream->second.last, std::max(stream->second.last, chunk.number))) return {};
    switch (known.check_chunk(chunk.stream_id, chunk.series.text, chunk.number, chunk.fingerprint)) {
      case ChunkCheck::not_found:
        return {chunk.series.text, chunk.items, {}};
      case ChunkCheck::skip:
      case ChunkCheck::skip_committed:
        return {.why_not = "the master has the chunk, too"};
      default:
        return {.why_not = "the master has the stream, too, and its producer may send the chunk again"};
    }
  }

  const Present& present_;
  std::map<std::string, Stream, std::less<>> streams_;  // that were met, and have not ended
};

// A file that is there when there is something for it.
class Lines {
 public:
  Lines(FileSystem& files, const std::string& directory, std::string_view name)
      : files_(files), directory_(directory), name_(name) {}

  Status add(const Buffer& line) {
    if (file_ == nullptr) {
      if (Status opened = open(); !opened) return opened;
    }
    ++count_;
    return file_->append(line.view());
  }
  Status open() {
    Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files_, directory_, name_);
    if (!file) return file.error();
    file_ = std::move(*file);
    return {};
  }
  Status commit() { return file_ == nullptr ? Status() : file_->commit(); }
  std::uint64_t count() const { return count_; }

 private:
  FileSystem& files_;
  const std::string& directory_;
  const std::string name_;
  std::unique_ptr<ReplaceFile> file_;
  std::uint64_t count_ = 0;
};

class Writer {
 public:
  Writer(FileSystem& files, std::string copy, const Present& present, const snapshot::Manager::Stopped& stopped)
      : files_(files),
        copy_(std::move(copy)),
        present_(present),
        stopped_(stopped),
        translator_(present),
        points_(files, copy_, kOnlyHereName),
        rest_(files, copy_, kOnlyHereRestName) {}

  Result<OnlyHere> write(Lsn fork, Lsn last) {
    fork_ = fork;
    if (Status removed = remove_temp_files(files_, copy_); !removed) return removed.error();
    if (Status opened = points_.open(); !opened) return opened.error();
    const Result<wal::Scan> log = wal::scan(
        files_, copy_, [this](Lsn lsn, std::string_view text) { return visit(lsn, text); }, {.beyond_damage = true});
    if (!log) return log.error();
    const Lsn first = log->first == Lsn{} ? last.next() : log->first;
    if (first > fork.next()) {
      if (Status told = tell_missing(fork.next(), Lsn{first.value - 1}); !told) return told.error();
    }
    for (const wal::Damage& damage : log->damage) {
      const Status told = write_line(rest_, [&] { json::append_field(line_, "why", damage.to_string()); });
      if (!told) return told.error();
    }
    // Of an attempt that a crash has ended.
    const std::string rest = join_path(copy_, kOnlyHereRestName);
    if (rest_.count() == 0 && files_.exists(rest)) {
      if (Status removed = files_.remove(rest); !removed) return removed.error();
    }
    if (Status committed = rest_.commit(); !committed) return committed.error();
    if (Status committed = points_.commit(); !committed) return committed.error();
    return OnlyHere{.fork = fork, .last = last, .points = points_.count(), .rest = rest_.count()};
  }

 private:
  Status visit(Lsn lsn, std::string_view text) {
    if (stopped_ && stopped_()) return internal_error("the node is shutting down");
    if (lsn <= fork_) return {};
    arena_.reset();
    Decoded entry;
    const Status decoded = decode_entry(text, present_.store.exactly_once(), present_.now, fields_, arena_, entry);
    if (!decoded) return keep(lsn, text, "it had no effect");
    Item single;
    const Translated translated = translator_.translate(entry, single);
    if (!translated.why_not.empty()) return keep(lsn, text, translated.why_not);
    const auto can_be_counted = [](const Item& item) { return item.bucket.is_writable(); };
    const bool all = std::all_of(translated.items.begin(), translated.items.end(), can_be_counted);
    if (!translated.items.empty() && (!all || !series_name_fault(translated.series).empty()))
      return keep(lsn, text, "an import does not take such a day or name");
    for (const Item& item : translated.items) {
      if (item.value == 0) continue;  // nothing was added
      if (Status added = add(lsn, translated.series, item); !added) return added;
    }
    return {};
  }

  template <class Fields>
  Status write_line(Lines& lines, const Fields& append_fields) {
    line_.clear();
    line_.append('{');
    append_fields();
    line_.append("}\n");
    return lines.add(line_);
  }

  Status add(Lsn lsn, std::string_view series, const Item& item) {
    return write_line(points_, [&] {
      json::append_field(line_, "series", series);
      json::append_field(line_, "key", item.key.value);
      json::append_field(line_, "bucket", item.bucket.number());
      json::append_field(line_, "value", item.value);
      json::append_field(line_, "lsn", lsn.value);
    });
  }

  Status keep(Lsn lsn, std::string_view entry, std::string_view why) {
    return write_line(rest_, [&] {
      json::append_field(line_, "lsn", lsn.value);
      json::append_field(line_, "why", why);
      json::append_name(line_, "entry");
      line_.append(entry);
    });
  }

  Status tell_missing(Lsn from, Lsn to) {
    return write_line(rest_, [&] {
      json::append_field(line_, "lsn", from.value);
      json::append_field(line_, "to", to.value);
      json::append_field(line_, "why", "only the snapshots of the copy have these entries: see karma dump");
    });
  }

  FileSystem& files_;
  const std::string copy_;
  const Present& present_;
  const snapshot::Manager::Stopped& stopped_;
  Translator translator_;
  Lines points_;
  Lines rest_;
  Lsn fork_;
  protocol::Fields fields_;
  Arena arena_;
  Buffer line_;
};

}  // namespace

std::string OnlyHere::to_string(const std::string& copy) const {
  if (fork >= last) return copy + " has nothing that the master has not";
  std::string text = copy + " has LSNs " + std::to_string(fork.value + 1) + " to " + std::to_string(last.value) +
                     ", which the master has otherwise: ";
  text += std::to_string(points) + " additions in " + std::string(kOnlyHereName);
  if (points != 0) text += " (to count them: karma import " + copy + "/" + std::string(kOnlyHereName) + ")";
  if (rest != 0)
    text += ", " + std::to_string(rest) + " lines in " + std::string(kOnlyHereRestName) + " to be looked at";
  return text;
}

Result<std::optional<OnlyHere>> write_only_here(FileSystem& files, const std::string& directory,
                                                const std::string& copy, const Present& present,
                                                const snapshot::Manager::Stopped& stopped) {
  const std::string path = join_path(directory, copy);
  if (files.exists(join_path(path, kOnlyHereName))) return std::optional<OnlyHere>();
  const Result<History> history = read_history(files, path);
  if (!history) return history.error();
  const Lsn last = snapshot::lsn_of_diverged(copy).value_or(Lsn{});
  const std::optional<Lsn> parted = snapshot::tells_epoch(copy) ? fork(*history, last, present.history) : std::nullopt;
  if (!parted)
    return internal_error("it is not known where the history of " + copy +
                          " parts from the master's, and so not which entries only it has: see karma dump");
  const Result<OnlyHere> written = Writer(files, path, present, stopped).write(*parted, last);
  if (!written) return written.error();
  return std::optional(*written);
}

}  // namespace karma::engine
