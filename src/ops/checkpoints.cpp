#include "ops/checkpoints.h"

#include <algorithm>
#include <utility>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/crc32c.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "io/path.h"
#include "io/replace_file.h"

namespace karma::ops {
namespace {

using json::Type;
using json::Value;

// False if it is no checkpoint.
bool read_checkpoint(const Value& element, Checkpoint& checkpoint) {
  if (element.type != Type::object) return false;
  bool fits = true;
  bool has_source = false;
  Arena arena;
  json::Reader reader(element.text);
  reader.read_object([&](const Value& name, const Value& value) {
    const auto text = [&] {
      fits &= value.type == Type::string;
      return std::string(value.type == Type::string ? json::decode_string(value, arena) : std::string_view());
    };
    if (name.text == "source") {
      checkpoint.source = text();
      has_source = true;
    } else if (value.type == Type::null) {
      return;
    } else if (name.text == "offset") {
      checkpoint.offset = text();
    } else if (name.text == "event_id") {
      checkpoint.event_id = text();
    } else if (name.text == "updated_at_unix") {
      fits &= value.type == Type::unsigned_integer && value.number <= INT64_MAX;
      checkpoint.updated_at = static_cast<std::int64_t>(value.number);
    }
  });
  return fits && has_source && !checkpoint.source.empty();
}

constexpr std::string_view kChecksumField = R"(,"crc32c":)";

std::string checksum_end(std::string_view before) {
  return std::string(kChecksumField) + std::to_string(crc32c(before)) + "}\n";
}

// Of our own files the checksum is right; those of Karma 1.0 have one field and no checksum.
bool is_as_written(std::string_view text, std::size_t field_count) {
  const std::size_t at = text.rfind(kChecksumField);
  if (at != std::string_view::npos && text.substr(at) == checksum_end(text.substr(0, at))) return true;
  return field_count == 1;
}

}  // namespace

Result<Checkpoints::Map> Checkpoints::read(FileSystem& files, const std::string& directory) {
  const std::string path = join_path(directory, std::string(kCheckpointsName));
  Map checkpoints;
  if (!files.exists(path)) return checkpoints;
  Result<std::string> text = read_file(files, path);
  if (!text) return text.error();
  bool found = false;
  bool fits = true;
  std::size_t field_count = 0;
  json::Reader reader(*text);
  const bool read = reader.read_object([&](const Value& name, const Value& value) {
    ++field_count;
    if (name.text != "checkpoints") return;
    found = value.type == Type::array;
    json::Reader elements(value.text);
    elements.read_array([&](const Value& element) {
      Checkpoint checkpoint;
      fits &= read_checkpoint(element, checkpoint);
      checkpoints.insert_or_assign(checkpoint.source, checkpoint);
      return fits;
    });
  });
  if (!read || !reader.at_end() || !found || !fits || !is_as_written(*text, field_count)) {
    const std::string name(kCheckpointsName);
    return internal_error(name +
                          " is damaged: restore it from a backup, or begin without checkpoints with --recover=" + name);
  }
  return checkpoints;
}

void Checkpoints::restore(Map checkpoints) {
  const MutexLock lock(mutex_);
  checkpoints_ = std::move(checkpoints);
}

Status Checkpoints::put(Checkpoint checkpoint) {
  const MutexLock saving(saving_);
  Map changed;
  {
    const MutexLock lock(mutex_);
    changed = checkpoints_;
  }
  if (changed.size() >= most_ && !changed.contains(checkpoint.source)) {
    return validation_error("Too many recovery checkpoints: the limit is " + std::to_string(most_) +
                            "; recovery.forget gives up one that nobody needs");
  }
  std::string source = checkpoint.source;
  changed.insert_or_assign(std::move(source), std::move(checkpoint));
  if (Status status = save(changed); !status) return status;
  const MutexLock lock(mutex_);
  checkpoints_ = std::move(changed);
  return {};
}

Result<bool> Checkpoints::forget(std::string_view source) {
  const MutexLock saving(saving_);
  Map changed;
  {
    const MutexLock lock(mutex_);
    changed = checkpoints_;
  }
  const auto found = changed.find(source);
  if (found == changed.end()) return false;
  changed.erase(found);
  if (Status status = save(changed); !status) return status.error();
  const MutexLock lock(mutex_);
  checkpoints_ = std::move(changed);
  return true;
}

Status Checkpoints::save(const Map& checkpoints) {
  Buffer out;
  out.append(R"({"checkpoints":[)");
  bool first = true;
  for (const auto& [source, checkpoint] : checkpoints) {
    out.append(first ? R"({"source":)" : R"(,{"source":)");
    first = false;
    json::append_bytes(out, source);
    if (checkpoint.offset) {
      json::append_bytes_field(out, "offset", *checkpoint.offset);
    }
    if (checkpoint.event_id) {
      json::append_bytes_field(out, "event_id", *checkpoint.event_id);
    }
    json::append_field(out, "updated_at_unix",
                       static_cast<std::uint64_t>(std::max<std::int64_t>(checkpoint.updated_at, 0)));
    out.append('}');
  }
  out.append(']');
  out.append(checksum_end(out.view()));
  return replace_file(files_, directory_, std::string(kCheckpointsName), out.view());
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
