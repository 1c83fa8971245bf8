#include "engine/replica_id.h"

#include "core/crc32c.h"
#include "core/json_values.h"
#include "core/text.h"
#include "engine/history.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::engine {
namespace {

constexpr std::uint64_t kFormat = 1;

}  // namespace

Result<std::string> read_replica_id(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, kReplicaIdName);
  if (!files.exists(path)) return std::string();
  const Result<std::string> content = read_file(files, path);
  if (!content) return content.error();
  json::Object object{std::string_view(*content)};
  const std::uint64_t format = object.number("format");
  const json::Value id = object.want("replica", json::Type::string);
  if (!has_right_checksum(*content) || !object.ok() || format != kFormat || !is_id(id.text))
    return internal_error(std::string(kReplicaIdName) + " is damaged");
  return std::string(id.text);
}

Result<std::string> own_replica_id(FileSystem& files, const std::string& directory) {
  Result<std::string> id = read_replica_id(files, directory);
  if (!id || !id->empty()) return id;
  *id = random_id();
  std::string text = R"({"format":)" + std::to_string(kFormat) + R"(,"replica":")" + *id + '"';
  text += checksum_end(text);
  if (Status written = replace_file(files, directory, std::string(kReplicaIdName), text); !written)
    return written.error();
  return id;
}

}  // namespace karma::engine
