// Names of the log's files and the form of its lines (see log.h). Writer and reader share nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <karma/types.h>

#include "core/buffer.h"

namespace karma::wal {

std::string segment_name(Lsn first);
// The number in `karma.wal.<number>.segment`; nothing for any other name.
std::optional<Lsn> segment_lsn(std::string_view name);
std::string index_name(std::string_view segment);

// Content of karma.wal.lsn: a number with white space around it; empty is 0. Nothing if it is anything else.
std::optional<Lsn> parse_lsn_file(std::string_view content);

// Appends the line and its line feed. `entry` is one JSON object without line feeds.
void append_line(Buffer& out, Lsn lsn, std::string_view entry);

// What a disk writes as a whole or not at all. A power failure may leave any of the sectors of a batch that overwrote
// zeros, and zeros in place of the others.
inline constexpr std::uint64_t kSectorBytes = 512;

// A separator is a blank line that says how many entries of its batch stand before the line that follows, in binary: a
// tab is 1, a space is 0, nothing at all is none. Where zeros are written ahead, one stands before the first line of
// each batch, and before the first line of the batch that begins in a further sector. So whatever sectors are there
// tell where the batch of their lines began.
//
// `at` is the offset in the file of what is appended. Line feeds come first, if the separator would not lie in the
// sector in which the next line begins.
void append_separator(Buffer& out, std::uint64_t at, std::size_t entries_before);
// The number of a separator, or nothing if the line is none. `text` is a line without its line feed.
std::optional<std::uint64_t> separator_number(std::string_view text);

struct Line {
  Lsn lsn;
  std::string_view entry;  // inside the text that was parsed
  bool checksummed = false;
  bool exact = false;  // without checksum, and byte for byte as Karma 1.0 writes a line
};

enum class LineKind {
  good,
  blank,       // white space only
  wrong,       // readable to its end, but not a line of the log: checksum, LSN or entry is not right
  unreadable,  // not one whole JSON object
};

struct ParsedLine {
  LineKind kind = LineKind::unreadable;
  Line line;               // if good; otherwise whatever was understood
  const char* fault = "";  // unless good or blank
  bool newer = false;      // wrong only in that its form is not one that this program knows: the checksum is right
};

// A line of white space only: parse_line() says so too.
bool is_blank(std::string_view text);

// `text` is a line without its line feed; JSON white space around it (a carriage return) is allowed.
ParsedLine parse_line(std::string_view text);

// A line that is good by its checksum and begins at the start of `text`, whatever follows it: its length, or nothing.
std::optional<std::size_t> checksummed_prefix(std::string_view text);

// Whether a line that is good by its checksum begins somewhere in `text` and reaches to its end.
std::optional<Line> checksummed_suffix(std::string_view text);

// Whether `text` ends as lines of ours do, give or take a damaged byte or two: a line that was once whole.
bool ends_like_a_line(std::string_view text);

}  // namespace karma::wal
