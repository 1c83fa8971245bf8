// What an import sends, decided by the file and the options alone, so that any later run cuts the same chunks.
//
// The first pass over the file checks every line, hashes the content and notes where each chunk begins. Whatever may
// change the cut is part of what the server compares when the stream is begun: a run that would cut otherwise is
// refused instead of counting twice.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <karma/file_system.h>

#include "core/sha256.h"
#include "tools/points_text.h"

namespace karma::tools {

// Of one chunk. Its sum of values is kept within 64 bits as well.
struct Cut {
  std::size_t max_items = 0;
  std::size_t max_bytes = 0;  // of the items' text, with commas

  // The largest chunk whose request fits into `max_request_bytes`; `other_bytes` is what the request has besides the
  // items. Rounded, so that a token or a name of another length seldom makes another cut. max_bytes is 0 if not even
  // one item fits.
  static Cut of(std::size_t max_items, std::size_t max_request_bytes, std::size_t other_bytes);
};

struct ChunkPlace {
  std::uint64_t offset = 0;  // of its first line; it ends where the next one begins
  std::uint32_t checksum = 0;
  std::uint32_t items = 0;
};

struct ImportPlan {
  std::vector<ChunkPlace> chunks;
  std::uint64_t points = 0;
  std::uint64_t skipped = 0;  // wrong lines that are left out
  unsigned __int128 sum = 0;
  Bucket first_day = Bucket::of_number(UINT64_MAX);
  Bucket last_day;
  std::uint64_t end = 0;   // of the last chunk, with a line end even if the file lacks it
  Sha256Digest content{};  // of the file, and of what the reader was told about it
  bool plain = false;      // all lines are plain_item_of()
};

struct WrongLine {
  std::uint64_t number = 0;  // of its first line
  std::string_view text;     // with its end
  std::string_view kind;
  const Error& error;
};
// The result is an error if lines are wrong, unless these are to be left out (`skips`); in any case if nothing can be
// read for certain after one, or nothing else is found. `on_progress` gets bytes.
Result<ImportPlan> plan_import(const File& file, PointsReader& reader, const Cut& cut, bool skips,
                               const std::function<void(const WrongLine& line)>& on_wrong_line,
                               const std::function<void(std::uint64_t bytes)>& on_progress);

// In which line of the file the chunk begins; and in it the first point of this key and day, or its first line.
Result<std::uint64_t> line_of(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader,
                              const std::optional<Item>& wanted);

inline constexpr std::string_view kFileChanged = "the file has changed since it was checked";
// The items of chunk `index` as a JSON array. Fails if the file is not any more what it was when the plan was made.
// `scratch` is for its lines.
Status append_chunk(const File& file, const ImportPlan& plan, std::size_t index, PointsReader& reader, Buffer& scratch,
                    Buffer& out);

// One file into one series in one mode is one stream.
std::string stream_id_of(const ImportPlan& plan, std::string_view series, std::string_view mode);
// What the server compares at ingest.begin: content and cut.
std::string granularity_of(const ImportPlan& plan, const Cut& cut);

}  // namespace karma::tools
