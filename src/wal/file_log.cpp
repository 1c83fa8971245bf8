#include "wal/file_log.h"

#include <algorithm>
#include <utility>

#include "io/path.h"
#include "io/replace_file.h"
#include "wal/format.h"
#include "wal/line_reader.h"
#include "wal/segment_index.h"

namespace karma::wal {
namespace {

constexpr std::string_view kNextName = ".karma.wal.next";
// A rotation that fails is tried again whenever the file has grown by this fraction of a segment.
constexpr std::uint64_t kRotationTries = 8;
constexpr std::uint64_t kMarkBytes = std::uint64_t{64} << 10;
// An index is a hint: if it would take too much memory, there is none. It takes 8 bytes for each entry of the active
// file and of segments whose indexes wait for another thread, which may be busy with a long snapshot.
constexpr std::size_t kMaxOffsets = std::size_t{8} << 20;
constexpr std::uint64_t kMaxOffsetsWaiting = std::uint64_t{16} << 20;
// Zeros make the disk write everything twice. After larger batches that costs as much as it saves.
constexpr std::uint64_t kMostBeforeZeros = std::uint64_t{16} << 10;
constexpr std::size_t kKeptBufferBytes = std::size_t{32} << 20;

// The text that a reply adds if the write may be in the file all the same (docs/protocol.md).
constexpr std::string_view kInDoubt =
    "This write is not acknowledged, and not known to be lost: after a restart it may be there. With an idempotency "
    "key "
    "it can be repeated";

Error in_doubt(const std::string& cause) { return internal_error(cause + ". " + std::string(kInDoubt)); }

}  // namespace

FileLog::FileLog(FileSystem& files, std::string directory, const Scan& scan, Lsn last, LogOptions options)
    : files_(files),
      directory_(std::move(directory)),
      options_(std::move(options)),
      rotate_at_(options_.segment_bytes),
      lsn_file_(scan.lsn_file),
      last_(last.value) {
  active_.name = kActiveName;
}

FileLog::~FileLog() {
  {
    const MutexLock lock(life_->mutex);  // waits for a job that has begun
    life_->over = true;
  }
  drop_next();
  // Whoever reads the file next may be Karma 1.0. If it fails, the next start does it.
  if (active_file_ && !stopped() && zeros_to_ > end_ && cut_zeros()) (void)active_file_->sync();
}

void FileLog::event(const char* name, const std::string& message) const {
  if (options_.on_event) options_.on_event(name, message);
}

std::string FileLog::path(std::string_view name) const { return join_path(directory_, name); }

// --- opening ---------------------------------------------------------------------------------------------------------

Status FileLog::open(const Scan& scan) {
  Result<std::unique_ptr<FileSystem::Directory>> held = files_.open_directory(directory_);
  if (!held) return held.error();
  held_directory_ = std::move(*held);
  for (const FileInfo& file : scan.files) {
    bytes_ += file.bytes;
    if (file.name == kActiveName) {
      end_ = file.bytes;
      if (Status opened = open_active(); !opened) return opened;
    }
    const MutexLock lock(files_mutex_);
    if (file.name == kActiveName) {
      active_ = file;
    } else {
      segments_.push_back(file);
      if (file.last <= scan.lsn_file) held_bytes_ += file.bytes;
    }
  }
  if (options_.discard_entries) return discard_all();
  if (active_file_) {
    if (Status repaired = repair_end(scan); !repaired) return repaired;
  }
  if (!scan.files.empty()) {
    if (Status synced = sync_names(); !synced) return synced;
  }
  return active_file_ ? mark_active() : Status();
}

Status FileLog::repair_end(const Scan& scan) {
  const Result<std::uint64_t> size = active_file_->size();
  if (!size) return size.error();
  const bool cut = *size > end_;
  if (cut) {
    if (Status truncated = cut_to_end(); !truncated) return truncated;
  }
  if (scan.torn_bytes > 0) {
    event("wal.tail_cut", "file=" + std::string(kActiveName) + " offset=" + std::to_string(end_) + " bytes=" +
                              std::to_string(scan.torn_bytes) + " last_lsn=" + std::to_string(scan.last.value));
  }
  if (scan.unfinished_line) {
    if (Status wrote = active_file_->write_at(end_, "\n"); !wrote) return wrote;
    const MutexLock lock(files_mutex_);
    active_.bytes = ++end_;
    ++bytes_;
  }
  // The previous process may have been killed between a write and its sync. Replayed entries are visible from now on,
  // and a repeat of a keyed write is acknowledged without another sync: so it must be durable.
  return cut || scan.unfinished_line || options_.fsync ? active_file_->sync() : Status();
}

// A snapshot has everything that the files hold. They are not closed as usual: damaged files may not even yield a name.
Status FileLog::discard_all() {
  if (Status trimmed = trim(last()); !trimmed) return trimmed;
  if (!active_file_) return {};
  if (Status truncated = active_file_->truncate(0); !truncated) return truncated;
  {
    const MutexLock lock(files_mutex_);
    active_ = FileInfo{std::string(kActiveName), {}, {}, 0};
  }
  end_ = zeros_to_ = 0;
  bytes_ = 0;
  return active_file_->sync();
}

// The scan has seen each line already: here they are only counted.
Status FileLog::mark_active() {
  const MutexLock lock(files_mutex_);  // nobody else is there yet
  LineReader reader(*active_file_, 0, end_);
  for (RawLine line;;) {
    const Result<bool> more = reader.next(line);
    if (!more) return more.error();
    if (!*more) return {};
    if (is_blank(line.text)) {
      separates_ = separates_ || separator_number(line.text).value_or(0) != 0;
      continue;
    }
    note_offset(line.offset);
    if (!marks_.empty() && line.offset < marks_.back().offset + kMarkBytes) continue;
    const ParsedLine parsed = parse_line(line.text);
    if (parsed.kind == LineKind::good) mark(parsed.line.lsn, line.offset);
  }
}

void FileLog::note_offset(std::uint64_t offset) {
  if (offsets_.size() < kMaxOffsets) offsets_.push_back(offset);
}

void FileLog::mark(Lsn lsn, std::uint64_t offset) {
  if (marks_.empty() || offset >= marks_.back().offset + kMarkBytes) marks_.push_back({lsn, offset});
}

// --- writing ---------------------------------------------------------------------------------------------------------

Status FileLog::append(std::span<const std::string_view> entries) {
  if (stopped()) return internal_error(stop_message_);
  if (entries.empty()) return {};
  if (Status ready = make_room(); !ready) return ready;
  return write_batch(entries);
}

// Repairs what an earlier failure left, and ensures that there is an active file with room.
Status FileLog::make_room() {
  if (end_is_unsure_) {
    if (Status restored = restore_end(); !restored) return restored;
  }
  if (options_.segment_bytes > 0 && end_ >= rotate_at_) {
    if (Status rotated = rotate_if_possible(); !rotated) return rotated;
  }
  if (!active_file_) {
    if (Status opened = open_active(); !opened) return opened;
  }
  return names_synced_ ? Status() : sync_names();
}

// If that fails, for want of descriptors for example, the file keeps growing: writes depend on nothing except their own
// syncs.
Status FileLog::rotate_if_possible() {
  const Status rotated = rotate();
  if (rotated || stopped() || !active_file_) return rotated;
  if (!files_.exists(path(kActiveName))) return rotated;  // nor should anything be written to a file that is gone
  if (rotate_at_ == options_.segment_bytes) event("wal.rotation_failed", rotated.error().message);
  rotate_at_ = end_ + options_.segment_bytes / kRotationTries + 1;
  return {};
}

Status FileLog::prepare_next() {
  if (next_file_) return {};
  Result<std::unique_ptr<File>> file = files_.open(path(kNextName), FileSystem::Open::write);
  if (!file) return file.error();
  // A killed process leaves an empty one. Any content is not ours.
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return size.error();
  if (*size != 0) {
    if (Status emptied = (*file)->truncate(0); !emptied) return emptied;
  }
  next_file_ = std::move(*file);
  return {};
}

// If it cannot be removed, the next process finds it.
void FileLog::drop_next() {
  if (!next_file_) return;
  next_file_.reset();
  (void)files_.remove(path(kNextName));
}

Status FileLog::open_active() {
  if (next_file_ && files_.rename(path(kNextName), path(kActiveName))) {
    active_file_ = std::move(next_file_);
  } else {
    drop_next();
    Result<std::unique_ptr<File>> file = files_.open(path(kActiveName), FileSystem::Open::write);
    if (!file) return file.error();
    active_file_ = std::move(*file);
  }
  names_synced_ = false;
  return {};
}

// Before anything is acknowledged, or it would vanish with its file's name: also for files that existed already, since
// the process that created or renamed them may have been killed before this sync.
Status FileLog::sync_names() {
  if (Status synced = held_directory_->sync(); !synced) return stop(synced.error());
  names_synced_ = true;
  return {};
}

void FileLog::fill_buffer(std::span<const std::string_view> entries) {
  buffer_.clear();
  Lsn lsn = last();
  std::uint64_t previous = end_;  // where the line before began, or the batch
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t end = end_ + buffer_.size();
    if (separates_ && (i == 0 || end / kSectorBytes != previous / kSectorBytes)) append_separator(buffer_, end, i);
    previous = end_ + buffer_.size();
    note_offset(previous);
    lsn = lsn.next();
    append_line(buffer_, lsn, entries[i]);
  }
}

Status FileLog::write_batch(std::span<const std::string_view> entries) {
  const std::size_t known = offsets_.size();
  fill_buffer(entries);
  if (Status wrote = active_file_->write_at(end_, buffer_.view()); !wrote) {
    offsets_.resize(known);
    end_is_unsure_ = true;
    // So that nothing of the batch is left after a crash. If that fails, make_room() insists on it before anything else
    // is written.
    if (restore_end().ok()) return wrote;
    return in_doubt(stopped() ? stop_message_ : wrote.error().message);
  }
  if (options_.fsync) {
    write_zeros_ahead();
    if (Status synced = sync_batch(); !synced) {
      // Nobody knows which part of the batch is on the disk. It is cut off as well as possible, but no sync can be
      // trusted now.
      (void)cut_to_end();
      (void)stop(synced.error());
      return in_doubt(stop_message_);
    }
    sync_count_.fetch_add(1, std::memory_order_relaxed);
  }
  write_count_.fetch_add(1, std::memory_order_relaxed);
  recent_.add(last().next(), entries);
  publish(Lsn{last().value + entries.size()});
  // In advance; if it cannot be done, rotate_if_possible() says so.
  if (!next_file_ && options_.segment_bytes > 0) (void)prepare_next();
  return {};
}

// After the lines of a batch, for the next ones: its own sync takes the zeros along. Another thread would save little,
// since whoever syncs a file waits for all that was written to it. If it fails, the batch is none the worse.
void FileLog::write_zeros_ahead() {
  const std::uint64_t end = end_ + buffer_.size();
  const std::uint64_t wanted = options_.preallocate_bytes;
  if (wanted == 0 || !may_preallocate_ || end < wanted) return;
  if (buffer_.size() > std::min(wanted / 2, kMostBeforeZeros)) return;
  if (end + buffer_.size() <= zeros_to_) return;
  const std::uint64_t from = std::max(zeros_to_, end);
  const std::uint64_t to = options_.segment_bytes > 0 ? std::min(end + wanted, rotate_at_) : end + wanted;
  if (from >= to) return;
  separates_ = true;
  zeros_to_ = to;
  const Status wrote = active_file_->write_at(from, std::string(static_cast<std::size_t>(to - from), '\0'));
  if (wrote) return;
  may_preallocate_ = false;
  event("wal.preallocation_failed", wrote.error().message);
  if (active_file_->truncate(end)) zeros_to_ = end;
}

// Leaves nothing after the last good line.
Status FileLog::cut_to_end() {
  Status truncated = active_file_->truncate(end_);
  if (truncated) zeros_to_ = end_;
  return truncated;
}

Status FileLog::cut_zeros() { return zeros_to_ > end_ ? cut_to_end() : Status(); }

Status FileLog::sync_batch() {
  if (options_.sync_durations == nullptr) return active_file_->sync();
  const auto begun = std::chrono::steady_clock::now();
  Status synced = active_file_->sync();
  options_.sync_durations->add(std::chrono::steady_clock::now() - begun);
  return synced;
}

void FileLog::publish(Lsn last) {
  {
    const MutexLock lock(files_mutex_);
    const Lsn first = this->last().next();
    if (active_.first == Lsn{}) active_.first = first;
    mark(first, end_);
    end_ += buffer_.size();
    active_.last = last;
    active_.bytes = end_;
  }
  bytes_.fetch_add(buffer_.size(), std::memory_order_relaxed);
  last_.store(last.value, std::memory_order_release);
  if (buffer_.capacity() > kKeptBufferBytes) buffer_.release();
}

// The refused lines must not come back after a crash, so the cut is synced before anyone is answered.
Status FileLog::restore_end() {
  if (Status cut = cut_to_end(); !cut) return cut;
  if (options_.fsync) {
    if (Status synced = active_file_->sync(); !synced) return stop(synced.error());
  }
  end_is_unsure_ = false;
  return {};
}

Status FileLog::stop(const Error& cause) {
  stop_message_ = "Writing has stopped: " + cause.message + ". Check the disk, then restart the node";
  stopped_.store(true, std::memory_order_release);
  event("wal.stopped", stop_message_);
  return internal_error(stop_message_);
}

// --- rotation and trimming -------------------------------------------------------------------------------------------

Status FileLog::rotate() {
  if (stopped()) return internal_error(stop_message_);
  if (end_is_unsure_) {
    if (Status restored = restore_end(); !restored) return restored;
  }
  if (active().first == Lsn{}) return {};
  // The step that may fail for want of a descriptor comes first: then nothing has changed.
  if (Status prepared = prepare_next(); !prepared) return prepared;
  if (Status closed = close_active(); !closed) return closed;
  if (Status opened = open_active(); !opened) return opened;
  return sync_names();
}

// A segment is never torn: all of it is on the disk before it gets its name.
Status FileLog::close_active() {
  const FileInfo closed = active();
  const std::string name = segment_name(closed.first);
  if (files_.exists(path(name))) return internal_error("WAL segment already exists: " + name);
  if (Status cut = cut_zeros(); !cut) return cut;
  if (Status synced = active_file_->sync(); !synced) return stop(synced.error());
  if (Status renamed = files_.rename(path(kActiveName), path(name)); !renamed) return renamed;
  active_file_.reset();
  const auto index = std::make_shared<const Index>(Index{name, end_, closed.first, std::exchange(offsets_, {})});
  const bool whole = index->offsets.size() == closed.last.value - closed.first.value + 1;
  end_ = zeros_to_ = 0;
  rotate_at_ = options_.segment_bytes;
  may_preallocate_ = true;
  separates_ = false;
  {
    const MutexLock lock(files_mutex_);
    segments_.push_back({name, closed.first, closed.last, closed.bytes});
    active_ = FileInfo{std::string(kActiveName), {}, {}, 0};
    marks_.clear();
  }
  if (Status synced = sync_names(); !synced) return synced;
  event("wal.segment", "path=" + name);
  if (!whole) return {};
  const std::uint64_t count = index->offsets.size();
  if (!options_.in_background || count <= options_.entries_indexed_at_once) {
    write_index(*index, !options_.in_background);
  } else if (offsets_waiting_.load() < kMaxOffsetsWaiting) {
    offsets_waiting_.fetch_add(count);
    const bool taken = options_.in_background([this, index, life = life_] {
      const MutexLock lock(life->mutex);
      if (life->over) return;
      write_index(*index, true);
      offsets_waiting_.fetch_sub(index->offsets.size());
    });
    if (!taken) offsets_waiting_.fetch_sub(count);
  }
  return {};
}

FileInfo FileLog::active() const {
  const MutexLock lock(files_mutex_);
  return active_;
}

std::vector<FileInfo> FileLog::files() const {
  const MutexLock lock(files_mutex_);
  std::vector<FileInfo> files = segments_;
  if (active_.first != Lsn{}) files.push_back(active_);
  return files;
}

// With the lock of trim(), so that no index outlives its segment. The writer does not wait for that lock if another
// thread could write the index: then there is none.
void FileLog::write_index(const Index& index, bool may_wait) {
  if (may_wait) {
    trim_mutex_.lock();
  } else if (!trim_mutex_.try_lock()) {
    return;
  }
  const MutexLock one_at_a_time(trim_mutex_, std::adopt_lock);
  {
    const MutexLock lock(files_mutex_);
    const auto is_it = [&](const FileInfo& file) { return file.name == index.segment; };
    if (std::none_of(segments_.begin(), segments_.end(), is_it)) return;
  }
  if (Status indexed = write_segment_index(files_, directory_, index.segment, index.bytes, index.first, index.offsets);
      !indexed) {
    event("wal.segment_index_failed", indexed.error().message);
  }
}

Status FileLog::trim(Lsn lsn, const Hold& hold) {
  const MutexLock one_at_a_time(trim_mutex_);
  lsn = std::min(lsn, last());
  if (lsn > lsn_file_) {
    const std::string content = std::to_string(lsn.value) + "\n";
    if (Status noted = replace_file(files_, directory_, std::string(kLsnName), content); !noted) return noted;
    lsn_file_ = lsn;
  }
  std::size_t count = 0;
  std::uint64_t covered;
  {
    const MutexLock lock(files_mutex_);
    covered = covered_bytes(lsn);
  }
  while (std::optional<FileInfo> segment = take_oldest(lsn, hold, covered)) {
    if (Status removed = remove_segment(*segment); !removed) {
      const MutexLock lock(files_mutex_);
      segments_.insert(segments_.begin(), *segment);
      held_bytes_ = covered_bytes(lsn_file_);
      return removed;
    }
    bytes_.fetch_sub(segment->bytes, std::memory_order_relaxed);
    covered -= std::min(covered, segment->bytes);  // one that was closed meanwhile is not in it
    ++count;
  }
  if (count == 0) return {};
  event("wal.truncate", "lsn=" + std::to_string(lsn.value) + " segments=" + std::to_string(count));
  // Not with the writer's descriptor: the kernel reports an error once to each descriptor, and that report is for the
  // writer.
  return files_.sync_directory(directory_);
}

// Of segments that hold nothing above `lsn`.
std::uint64_t FileLog::covered_bytes(Lsn lsn) const {
  std::uint64_t bytes = 0;
  for (const FileInfo& segment : segments_) bytes += segment.last <= lsn ? segment.bytes : 0;
  return bytes;
}

// Takes the oldest segment off the list, if it holds nothing above `lsn` and is not held; `covered` bytes are in such
// ones. Oldest first, so that what a crash leaves has no hole; off the list before the file goes, so that a reader who
// misses the file looks it up again.
std::optional<FileInfo> FileLog::take_oldest(Lsn lsn, const Hold& hold, std::uint64_t covered) {
  const MutexLock lock(files_mutex_);
  held_bytes_ = covered;
  if (segments_.empty() || segments_.front().last > lsn) return std::nullopt;
  if (segments_.front().last > hold.after && covered <= hold.bytes) return std::nullopt;
  FileInfo segment = std::move(segments_.front());
  segments_.erase(segments_.begin());
  return segment;
}

Status FileLog::remove_segment(const FileInfo& segment) {
  const std::string index = path(index_name(segment.name));
  if (files_.exists(index)) {
    if (Status removed = files_.remove(index); !removed) return removed;
  }
  return files_.remove(path(segment.name));
}

// --- making one ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Log>> open_log(FileSystem& files, const std::string& directory, const Scan& scan, Lsn last,
                                      LogOptions options) {
  if (!scan.damage.empty() && !options.accept_damage) {
    return internal_error("The log is damaged: " + scan.damage.front().to_string());
  }
  if (last < scan.last) {
    return internal_error("The log ends at LSN " + std::to_string(scan.last.value) + ", below the LSN " +
                          std::to_string(last.value) + " to continue from");
  }
  if (last > scan.last && scan.entry_count > 0 && !options.discard_entries) {
    return internal_error("The log ends at LSN " + std::to_string(scan.last.value) + " and cannot be continued from " +
                          std::to_string(last.value) + " without a gap");
  }
  auto log = std::make_unique<FileLog>(files, directory, scan, last, std::move(options));
  if (Status opened = log->open(scan); !opened) return opened.error();
  return std::unique_ptr<Log>(std::move(log));
}

}  // namespace karma::wal
