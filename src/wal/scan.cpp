// Reading the whole log. What a line must be:
//
//   line                                          segment    active file
//   good, LSN is the last one + 1                 entry      entry
//   good by its checksum, of unknown form or op   damage     damage: a newer Karma wrote it
//   good, but its LSN is not the next             damage     damage
//   good, no checksum, after one that has         damage     damage
//   the same, but exactly as Karma 1.0 writes it  entry      entry
//   blank                                         skipped    skipped
//   good, last of the file, no line feed          entry      entry (open_log adds the line feed)
//   good by its checksum, followed by rubbish     damage     entry, and the rubbish is looked at as a line of its own
//   anything else                                 damage     torn tail or damage: tail.h
//
//   file
//   segment whose name is not its first LSN       damage
//   segment without a line                        damage
//   first LSN of a file is not the next           damage, except of the first file
#include <algorithm>
#include <limits>
#include <utility>

#include "io/path.h"
#include "io/replace_file.h"
#include "wal/format.h"
#include "wal/line_reader.h"
#include "wal/log.h"
#include "wal/tail.h"

namespace karma::wal {
namespace {

constexpr std::uint64_t kProgressBytes = std::uint64_t{4} << 20;

class LogScanner {
 public:
  LogScanner(FileSystem& files, const std::string& directory, const Visit& visit, const ScanOptions& options)
      : files_(files), directory_(directory), visit_(visit), options_(options) {}

  Result<Scan> run() {
    if (Status read = read_lsn_file(); !read) return read.error();
    if (Status scanned = options_.files != nullptr ? scan_told_files() : scan_listed_files(); !scanned)
      return scanned.error();
    report_progress(true);
    return std::move(scan_);
  }

 private:
  // What the lines of one file are read into.
  struct Current {
    const File& file;
    FileInfo& info;
    std::optional<Lsn> named;  // first LSN by the name; nothing for the active file
    std::uint64_t size;
    bool active() const { return !named.has_value(); }
  };

  Status scan_listed_files() {
    Result<std::vector<std::string>> names = log_files();
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (Status scanned = scan_file(name, std::nullopt); !scanned) return scanned;
      if (stopped()) break;
    }
    return {};
  }

  Status scan_told_files() {
    for (const FileInfo& file : *options_.files) {
      if (Status scanned = scan_file(file.name, file); !scanned) return scanned;
      if (stopped()) break;
    }
    return {};
  }

  // The active file may have become a segment since it was looked up; after that its name is another file's.
  Result<std::unique_ptr<File>> open_file(const std::string& name, const std::optional<FileInfo>& told) {
    Result<std::unique_ptr<File>> file = files_.open(join_path(directory_, name), FileSystem::Open::read);
    if (!told || name != kActiveName) return file;
    const std::string closed = join_path(directory_, segment_name(told->first));
    return files_.exists(closed) ? files_.open(closed, FileSystem::Open::read) : std::move(file);
  }

  // In log order; notes the sum of their sizes.
  Result<std::vector<std::string>> log_files() {
    Result<std::vector<std::string>> names = files_.list(directory_);
    if (!names) return names;
    std::vector<std::pair<Lsn, std::string>> segments;
    bool active = false;
    for (std::string& name : *names) {
      if (name == kActiveName) active = true;
      if (const std::optional<Lsn> first = segment_lsn(name)) segments.emplace_back(*first, std::move(name));
    }
    std::sort(segments.begin(), segments.end());
    std::vector<std::string> ordered;
    for (auto& [first, name] : segments) ordered.push_back(std::move(name));
    if (active) ordered.emplace_back(kActiveName);
    for (const std::string& name : ordered) {
      const Result<std::unique_ptr<File>> file = files_.open(join_path(directory_, name), FileSystem::Open::read);
      if (!file) return file.error();
      const Result<std::uint64_t> size = (*file)->size();
      if (!size) return size.error();
      bytes_in_all_ += *size;
    }
    return ordered;
  }

  Status read_lsn_file() {
    const std::string path = join_path(directory_, kLsnName);
    if (!files_.exists(path)) return {};
    const Result<std::string> content = read_file(files_, path);
    if (!content) return content.error();
    const std::optional<Lsn> lsn = parse_lsn_file(*content);
    scan_.lsn_file_bad = !lsn;
    scan_.lsn_file = lsn.value_or(Lsn{});
    return {};
  }

  Status scan_file(const std::string& name, const std::optional<FileInfo>& told) {
    const Result<std::unique_ptr<File>> file = open_file(name, told);
    if (!file) return file.error();
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return size.error();
    scan_.files.push_back({name, {}, {}, 0});
    Current current{**file, scan_.files.back(), segment_lsn(name), told ? std::min(*size, told->bytes) : *size};
    const Result<bool> whole = scan_lines(current);
    if (!whole) return whole.error();
    if (*whole && told && current.info.bytes != told->bytes) {
      damaged(current, current.info.bytes, "it has " + std::to_string(told->bytes) + " bytes of entries no more");
    }
    if (*whole && current.named && current.info.first == Lsn{} && !skipped_) {
      damaged(current, 0, "a segment without an entry");
    }
    return {};
  }

  bool stopped() const { return !scan_.damage.empty() && !options_.beyond_damage; }

  // False if it stopped before the end of the file.
  Result<bool> scan_lines(Current& current) {
    std::uint64_t begin = 0;
    for (;;) {
      LineReader reader(current.file, begin, current.size);
      RawLine line;
      std::optional<std::uint64_t> continue_at;
      while (!continue_at) {
        const Result<bool> more = reader.next(line);
        if (!more) return more.error();
        if (!*more) return true;
        bytes_done_ += line.end() - line.offset;
        report_progress(false);
        Result<std::optional<std::uint64_t>> taken = take_line(current, line);
        if (!taken) return taken.error();
        if (stopped() || scan_.torn_bytes > 0) return false;
        continue_at = *taken;
      }
      bytes_done_ -= line.end() - *continue_at;
      begin = *continue_at;
    }
  }

  // Where to read on, if that is not after the line.
  Result<std::optional<std::uint64_t>> take_line(Current& current, const RawLine& line) {
    constexpr std::optional<std::uint64_t> kNextLine;
    const ParsedLine parsed = parse_line(line.text);
    if (parsed.kind == LineKind::blank) return kNextLine;
    if (parsed.newer) {
      damaged(current, line.offset, parsed.fault, true);
      return kNextLine;
    }
    if (parsed.kind != LineKind::good) return take_bad_line(current, line, parsed.fault);
    if (scan_.checksummed && !parsed.line.checksummed && !parsed.line.exact) {
      return take_bad_line(current, line, "a line without checksum that is not as Karma 1.0 writes it");
    }
    // Bytes after a whole line in the same line may be a torn tail, but never an entry: a reader that goes line by line
    // could not reach it.
    if (scan_.unfinished_line) {
      damaged(current, line.offset, "no line feed stands before this entry");
      if (!options_.beyond_damage) return kNextLine;
    }
    if (const std::string fault = position_fault(current, parsed.line.lsn); !fault.empty()) {
      damaged(current, line.offset, fault);
      // A file in the wrong place must not be replayed; the files after a hole must.
      if (!options_.beyond_damage || parsed.line.lsn <= scan_.last) return kNextLine;
    }
    if (Status visited = take_entry(current, parsed.line, line.offset, line.end()); !visited) return visited.error();
    scan_.unfinished_line = current.active() && !line.terminated;
    return kNextLine;
  }

  std::string position_fault(const Current& current, Lsn lsn) const {
    if (current.named && current.info.first == Lsn{} && lsn != *current.named && !skipped_) {
      return "the first LSN is " + std::to_string(lsn.value) + ", not the one in the name of the file";
    }
    if (scan_.last == Lsn{} || lsn == scan_.last.next()) return {};
    if (lsn == scan_.last) return "LSN " + std::to_string(lsn.value) + " is repeated";
    if (lsn < scan_.last) return "LSN goes back to " + std::to_string(lsn.value);
    if (skipped_) return {};
    return "LSN goes up to " + std::to_string(lsn.value) + ", entries are missing";
  }

  Status take_entry(Current& current, const Line& line, std::uint64_t offset, std::uint64_t end) {
    if (const std::string unknown = why_unknown(line); !unknown.empty()) {
      damaged(current, offset, "written by a newer Karma: " + unknown, true);
    } else {
      if (visit_) {
        if (Status visited = visit_(line.lsn, line.entry); !visited) return visited;
      }
      ++scan_.entry_count;
    }
    if (current.info.first == Lsn{}) current.info.first = line.lsn;
    if (scan_.first == Lsn{}) scan_.first = line.lsn;
    current.info.last = scan_.last = line.lsn;
    current.info.bytes = end;
    if (scan_.checksummed && !line.checksummed) ++scan_.later_plain_lines;
    scan_.checksummed = scan_.checksummed || line.checksummed;
    skipped_ = false;
    return {};
  }

  std::string why_unknown(const Line& line) const {
    return line.checksummed && options_.why_unknown ? options_.why_unknown(line.entry) : std::string();
  }

  Result<std::optional<std::uint64_t>> take_bad_line(Current& current, const RawLine& line, const char* fault) {
    constexpr std::optional<std::uint64_t> kNextLine;
    if (!current.active()) {
      damaged(current, line.offset, fault);
      return kNextLine;
    }
    if (const std::optional<std::size_t> length = checksummed_prefix(line.text); length && !scan_.unfinished_line) {
      const ParsedLine parsed = parse_line(line.text.substr(0, *length));
      if (parsed.kind == LineKind::good && position_fault(current, parsed.line.lsn).empty()) {
        if (Status visited = take_entry(current, parsed.line, line.offset, line.offset + *length); !visited)
          return visited.error();
        scan_.unfinished_line = true;
        return std::optional<std::uint64_t>(line.offset + *length);
      }
    }
    const Result<std::optional<std::string>> sign = sign_of_damage(current.file, line.offset, scan_.last.next());
    if (!sign) return sign.error();
    if (*sign) {
      damaged(current, line.offset, **sign == fault ? fault : std::string(fault) + "; after it: " + **sign);
    } else {
      scan_.torn_bytes = current.size - current.info.bytes;
    }
    return kNextLine;
  }

  void damaged(const Current& current, std::uint64_t offset, std::string what, bool newer = false) {
    Lsn expected = scan_.last == Lsn{} ? Lsn{} : scan_.last.next();
    if (expected == Lsn{} && current.named) expected = *current.named;
    scan_.damage.push_back({current.info.name, offset, expected, std::move(what), newer});
    skipped_ = true;
  }

  void report_progress(bool at_end) {
    if (!options_.progress || (!at_end && bytes_done_ - bytes_reported_ < kProgressBytes)) return;
    bytes_reported_ = bytes_done_;
    options_.progress(bytes_done_, bytes_in_all_);
  }

  FileSystem& files_;
  const std::string& directory_;
  const Visit& visit_;
  const ScanOptions& options_;
  Scan scan_;
  bool skipped_ = false;  // damage since the last good line: that the next LSN is higher is no news
  std::uint64_t bytes_in_all_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_reported_ = 0;
};

}  // namespace

std::string Damage::to_string() const {
  std::string text = file + ", offset " + std::to_string(offset);
  if (lsn != Lsn{}) text += ", expected LSN " + std::to_string(lsn.value);
  return text + ": " + what;
}

Result<Scan> scan(FileSystem& files, const std::string& directory, const Visit& visit, const ScanOptions& options) {
  return LogScanner(files, directory, visit, options).run();
}

}  // namespace karma::wal
