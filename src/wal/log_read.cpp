// Reading the log while it is being written, rotated and trimmed: for replicas.
//
// Only entries that the writer has published are read: from memory, as far as they are there, else from the files. A
// file may be renamed (rotation) or removed (trim) between being looked up and being opened; then the first line has
// another LSN than expected, or the file is not there, and the place is looked up again.
#include <algorithm>

#include "io/path.h"
#include "wal/file_log.h"
#include "wal/format.h"
#include "wal/line_reader.h"
#include "wal/segment_index.h"

namespace karma::wal {

Status FileLog::read(Lsn after, const std::function<bool(Lsn, std::string_view entry)>& visit) {
  const Lsn to = last();
  recent_.want(to);
  Lsn next = after.next();
  bool wanted = true;
  while (wanted && next <= to) {
    // Not what was trimmed: whether a log reaches back does not depend on what happens to be in memory.
    if (reaches_back_to(next)) {
      const Lsn reached = recent_.read(next, to, visit, wanted);
      if (reached > next) {
        next = reached;
        continue;
      }
    }
    Position position;
    if (Status found = locate(next, position); !found) return found;
    const Result<Lsn> reached = read_file_from(position, next, to, visit, wanted);
    if (reached && (*reached > next || !wanted)) {
      next = *reached;
      continue;
    }
    if (still_there(position)) {
      return reached ? internal_error("Cannot find LSN " + std::to_string(next.value) + " in " + position.file.name)
                     : reached.error();
    }
  }
  return {};
}

bool FileLog::reaches_back_to(Lsn lsn) const {
  const MutexLock lock(files_mutex_);
  const Lsn first = segments_.empty() ? active_.first : segments_.front().first;
  return first != Lsn{} && first <= lsn;
}

Status FileLog::locate(Lsn lsn, Position& position) const {
  {
    const MutexLock lock(files_mutex_);
    const auto segment =
        std::find_if(segments_.begin(), segments_.end(), [&](const FileInfo& file) { return file.last >= lsn; });
    position.active = segment == segments_.end();
    position.file = position.active ? active_ : *segment;
    if (position.active) {
      const auto behind =
          std::upper_bound(marks_.begin(), marks_.end(), lsn, [](Lsn l, const Mark& mark) { return l < mark.lsn; });
      position.offset = behind == marks_.begin() ? 0 : std::prev(behind)->offset;
    }
  }
  if (position.file.first == Lsn{} || position.file.first > lsn) {
    return Error{ErrorCode::replication_gap, "The log does not reach back to LSN " + std::to_string(lsn.value)};
  }
  if (!position.active) {
    position.offset = find_in_index(files_, directory_, position.file.name, position.file.bytes, lsn);
  }
  return {};
}

bool FileLog::still_there(const Position& position) const {
  const MutexLock lock(files_mutex_);
  if (position.active) return active_.first == position.file.first;
  return std::any_of(segments_.begin(), segments_.end(),
                     [&](const FileInfo& file) { return file.name == position.file.name; });
}

// Gives the entries from `next` on to the visitor; returns the LSN that follows the last one given. Returns `next` if
// it is not where it should be.
Result<Lsn> FileLog::read_file_from(const Position& position, Lsn next, Lsn to,
                                    const std::function<bool(Lsn, std::string_view)>& visit, bool& wanted) {
  Result<std::unique_ptr<File>> file = files_.open(path(position.file.name), FileSystem::Open::read);
  if (!file && position.active) {
    // Renamed a moment ago, and not yet on the list.
    file = files_.open(path(segment_name(position.file.first)), FileSystem::Open::read);
  }
  if (!file) return file.error();
  const Lsn end = std::min(to, position.file.last);
  std::uint64_t begin = position.offset;
  const Lsn asked = next;
  for (;;) {
    LineReader reader(**file, begin, position.file.bytes);
    bool misled = false;
    for (RawLine line; wanted && next <= end;) {
      const Result<bool> more = reader.next(line);
      if (!more) return more.error();
      if (!*more) break;
      const ParsedLine parsed = parse_line(line.text);
      if (parsed.kind == LineKind::blank) continue;
      const bool good = parsed.kind == LineKind::good;
      if (good && parsed.line.lsn < next && next == asked) continue;
      if (!good || parsed.line.lsn != next) {
        misled = true;
        break;
      }
      wanted = visit(next, parsed.line.entry);
      next = next.next();
    }
    // The hint was wrong: try again from the start of the file.
    const bool found_nothing = wanted && next == asked;
    if (!found_nothing || begin == 0) {
      if (misled && next != asked) {
        return internal_error("Cannot read LSN " + std::to_string(next.value) + " in " + position.file.name);
      }
      return next;
    }
    begin = 0;
  }
}

}  // namespace karma::wal
