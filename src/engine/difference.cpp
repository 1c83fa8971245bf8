#include "engine/difference.h"

#include "core/buffer.h"
#include "core/crc32c.h"
#include "core/json_text.h"
#include "core/json_values.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::engine {
namespace {

constexpr std::uint64_t kFormat = 1;

}  // namespace

std::optional<Difference> read_difference(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, kDifferenceName);
  if (!files.exists(path)) return {};
  Difference difference{.what = std::string(kDifferenceName) + " is damaged", .keep_as = {}};
  const Result<std::string> content = read_file(files, path);
  if (!content) return difference;
  json::Object object{std::string_view(*content)};
  const std::uint64_t format = object.number("format");
  std::string what(object.text("what"));
  std::string keep_as(object.text("keep_as"));
  if (has_right_checksum(*content) && object.ok() && format == kFormat)
    difference = {std::move(what), std::move(keep_as)};
  return difference;
}

Status write_difference(FileSystem& files, const std::string& directory, const Difference& difference) {
  Buffer text;
  text.append(R"({"format":)" + std::to_string(kFormat) + R"(,"what":)");
  json::append_string(text, difference.what);
  text.append(R"(,"keep_as":)");
  json::append_string(text, difference.keep_as.value_or(""));
  return replace_file(files, directory, std::string(kDifferenceName),
                      std::string(text.view()) + checksum_end(text.view()));
}

Status forget_difference(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, kDifferenceName);
  if (!files.exists(path)) return {};
  if (Status removed = files.remove(path); !removed) return removed;
  return files.sync_directory(directory);
}

}  // namespace karma::engine
