#include "ops/checkpoints.h"

#include <algorithm>
#include <utility>

#include "core/buffer.h"
#include "core/crc32c.h"
#include "core/json_text.h"
#include "core/json_values.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::ops {
namespace {

// Our own files have a right checksum; those of Karma 1.0 have one field and no checksum.
bool is_as_written(std::string_view text, std::size_t field_count) {
  return has_right_checksum(text) || field_count == 1;
}

// False if it is no checkpoint.
bool read_checkpoint(const json::Value& element, Checkpoints::Map& checkpoints) {
  json::Object object(element);
  Checkpoint checkpoint{std::string(object.text("source")), object.optional_text("offset"),
                        object.optional_text("event_id"), 0};
  if (object.find("updated_at_unix") != nullptr) checkpoint.updated_at = object.signed_number("updated_at_unix");
  if (!object.ok() || checkpoint.source.empty() || checkpoint.updated_at < 0) return false;
  checkpoints.insert_or_assign(checkpoint.source, checkpoint);
  return true;
}

}  // namespace

Result<Checkpoints::Map> Checkpoints::read(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, std::string(kCheckpointsName));
  Map checkpoints;
  if (!files.exists(path)) return checkpoints;
  Result<std::string> text = read_file(files, path);
  if (!text) return text.error();
  json::Object object(*text);
  const json::Value elements = object.want("checkpoints", json::Type::array);
  const bool good =
      object.ok() && is_as_written(*text, object.size()) &&
      json::each_element(elements, [&](const json::Value& element) { return read_checkpoint(element, checkpoints); });
  if (!good) {
    const std::string name(kCheckpointsName);
    return internal_error(name +
                          " is damaged: restore it from a backup, or begin without checkpoints with --recover=" + name);
  }
  return checkpoints;
}

void Checkpoints::restore(Map checkpoints) {
  const MutexLock lock(mutex_);
  checkpoints_ = std::move(checkpoints);
  ++revision_;
}

std::uint64_t Checkpoints::revision() const {
  const MutexLock lock(mutex_);
  return revision_;
}

Checkpoints::Map Checkpoints::copy() const {
  const MutexLock lock(mutex_);
  return checkpoints_;
}

Status Checkpoints::put(Checkpoint checkpoint) {
  const MutexLock saving(saving_);
  Map changed = copy();
  if (changed.size() >= most_ && !changed.contains(checkpoint.source)) {
    return validation_error("Too many recovery checkpoints: the limit is " + std::to_string(most_) +
                            "; recovery.forget gives up one that nobody needs");
  }
  std::string source = checkpoint.source;
  changed.insert_or_assign(std::move(source), std::move(checkpoint));
  return save(std::move(changed));
}

Result<bool> Checkpoints::forget(std::string_view source) {
  const MutexLock saving(saving_);
  Map changed = copy();
  const auto found = changed.find(source);
  if (found == changed.end()) return false;
  changed.erase(found);
  if (Status status = save(std::move(changed)); !status) return status.error();
  return true;
}

Status Checkpoints::replace(Map checkpoints) {
  const MutexLock saving(saving_);
  return checkpoints == copy() ? Status() : save(std::move(checkpoints));
}

Status Checkpoints::save(Map checkpoints) {
  Buffer out;
  out.append(R"({"checkpoints":[)");
  bool first = true;
  for (const auto& [source, checkpoint] : checkpoints) {
    out.append(first ? R"({"source":)" : R"(,{"source":)");
    first = false;
    json::append_bytes(out, source);
    if (checkpoint.offset) json::append_bytes_field(out, "offset", *checkpoint.offset);
    if (checkpoint.event_id) json::append_bytes_field(out, "event_id", *checkpoint.event_id);
    json::append_signed_field(out, "updated_at_unix", std::max<std::int64_t>(checkpoint.updated_at, 0));
    out.append('}');
  }
  out.append(']');
  out.append(checksum_end(out.view()));
  Status saved = replace_file(files_, directory_, std::string(kCheckpointsName), out.view());
  if (saved) restore(std::move(checkpoints));
  return saved;
}

std::vector<Checkpoint> Checkpoints::list(const std::optional<std::string_view>& source) const {
  std::vector<Checkpoint> found;
  const MutexLock lock(mutex_);
  for (const auto& [name, checkpoint] : checkpoints_)
    if (!source || *source == name) found.push_back(checkpoint);
  return found;
}

std::vector<Checkpoint> Checkpoints::list_behind(std::string_view behind, std::size_t limit) const {
  std::vector<Checkpoint> found;
  const MutexLock lock(mutex_);
  for (auto at = checkpoints_.upper_bound(behind); at != checkpoints_.end() && found.size() < limit; ++at)
    found.push_back(at->second);
  return found;
}

std::size_t Checkpoints::count() const {
  const MutexLock lock(mutex_);
  return checkpoints_.size();
}

std::int64_t Checkpoints::last_updated_at() const {
  std::int64_t last = 0;
  const MutexLock lock(mutex_);
  for (const auto& [name, checkpoint] : checkpoints_) last = std::max(last, checkpoint.updated_at);
  return last;
}

}  // namespace karma::ops
