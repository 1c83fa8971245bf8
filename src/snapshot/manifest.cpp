#include "snapshot/manifest.h"

#include <set>

#include "core/crc32c.h"
#include "core/json_text.h"
#include "core/json_values.h"
#include "snapshot/current_set.h"

namespace karma::snapshot {
namespace {

constexpr std::uint64_t kFormat = 1;

void append(Buffer& out, const Meta& meta) {
  json::append_bytes_field(out, "tree", meta.series);
  json::append_bytes_field(out, "file", meta.file);
  json::append_signed_field(out, "timestamp", meta.timestamp);
  json::append_field(out, "last_lsn", meta.last_lsn.value);
  json::append_field(out, "bytes", meta.bytes);
}

Meta read_meta(json::Object& object) {
  return {std::string(object.text("tree")), std::string(object.text("file")), object.signed_number("timestamp"),
          Lsn{object.number("last_lsn")},   object.number("bytes"),           true};
}

void append(Buffer& out, const ExactlyOnceMeta& meta) {
  json::append_signed_field(out, "timestamp", meta.timestamp);
  json::append_field(out, "last_lsn", meta.last_lsn.value);
  json::append_field(out, "bytes", meta.bytes);
  json::append_field(out, "record_count", meta.record_count);
  json::append_field(out, "committed_stream_count", meta.committed_stream_count);
}

ExactlyOnceMeta read_exactly_once_meta(json::Object& object) {
  return {object.signed_number("timestamp"), Lsn{object.number("last_lsn")}, object.number("bytes"),
          object.number("record_count"), object.number("committed_stream_count")};
}

void append_checksum(Buffer& out, std::string_view name, std::optional<std::uint32_t> crc) {
  if (crc) json::append_field(out, name, *crc);
}

std::optional<std::uint32_t> read_checksum(const json::Object& object, std::string_view name) {
  return object.optional_number(name, UINT32_MAX);
}

void append_files(Buffer& out, std::string_view name, const std::vector<ListedFilePointer>& files) {
  json::append_name(out, name);
  out.append('[');
  for (const ListedFilePointer& file : files) {
    if (&file != files.data()) out.append(',');
    out.append(file->text);
  }
  out.append(']');
}

// [lsn] of an entry that was refused, [lsn, first, second] of one that answered what it found.
void append_outcomes(Buffer& out, const std::vector<KnownOutcome>& outcomes) {
  json::append_name(out, "outcomes");
  char separator = '[';
  for (const KnownOutcome& outcome : outcomes) {
    out.append(separator);
    separator = ',';
    out.append('[');
    json::append_number(out, outcome.lsn.value);
    if (!outcome.refused) {
      for (const std::uint64_t number : {outcome.first, outcome.second}) {
        out.append(',');
        json::append_number(out, number);
      }
    }
    out.append(']');
  }
  out.append(']');
}

bool read_file(const json::Value& value, std::vector<ManifestFile>& files) {
  json::Object object(value);
  ManifestFile file{
      read_meta(object), read_checksum(object, "file_crc32c"), read_checksum(object, "sidecar_crc32c"), {}};
  file.meta.has_sidecar = object.truth("sidecar");
  if (const std::optional<std::string> text = object.optional_text("digest")) {
    file.digest = store::Digest::of_text(*text);
    if (!file.digest) return false;
  }
  if (!object.ok() || !file_name_fault(file.meta.file).empty()) return false;
  files.push_back(std::move(file));
  return true;
}

bool read_exactly_once(const json::Value& value, std::optional<ManifestExactlyOnce>& exactly_once) {
  json::Object object(value);
  const std::optional<std::uint32_t> crc = read_checksum(object, "file_crc32c");
  exactly_once = {read_exactly_once_meta(object), crc.value_or(0), read_checksum(object, "sidecar_crc32c")};
  return object.ok() && crc;
}

bool read_outcome(const json::Value& value, std::vector<KnownOutcome>& outcomes) {
  std::uint64_t numbers[3] = {};
  const std::optional<std::size_t> count = json::read_numbers(value, numbers);
  if (count != 1 && count != 3) return false;
  if (!outcomes.empty() && Lsn{numbers[0]} <= outcomes.back().lsn) return false;
  outcomes.push_back({Lsn{numbers[0]}, count == 1, numbers[1], numbers[2]});
  return true;
}

// Whether every part that is there is good; `series` has to be.
bool read_parts(const json::Object& object, Manifest& manifest) {
  const json::Value* const series = object.find("series");
  const json::Value* const older = object.find("older");
  const json::Value* const outcomes = object.find("outcomes");
  const json::Value* const exactly_once = object.find("registry");
  const auto read = [](const json::Value* array, auto& elements, auto read_element) {
    return json::each_element(*array, [&](const json::Value& element) { return read_element(element, elements); });
  };
  return series != nullptr && read(series, manifest.series, read_file) &&
         (older == nullptr || read(older, manifest.older, read_file)) &&
         (outcomes == nullptr || read(outcomes, manifest.outcomes, read_outcome)) &&
         (exactly_once == nullptr || read_exactly_once(*exactly_once, manifest.exactly_once));
}

}  // namespace

std::string encode_sidecar(const Meta& meta) {
  Buffer out;
  out.append('{');
  append(out, meta);
  out.append("}\n");
  return std::string(out.view());
}

std::string encode_sidecar(const ExactlyOnceMeta& meta) {
  Buffer out;
  out.append('{');
  json::append_field(out, "file", kExactlyOnceName);
  append(out, meta);
  out.append("}\n");
  return std::string(out.view());
}

std::optional<Meta> decode_sidecar(std::string_view text) {
  json::Object object(text);
  Meta meta = read_meta(object);
  if (!object.ok()) return {};
  return meta;
}

std::optional<ExactlyOnceMeta> decode_exactly_once_sidecar(std::string_view text) {
  json::Object object(text);
  const ExactlyOnceMeta meta = read_exactly_once_meta(object);
  if (object.text("file") != kExactlyOnceName || !object.ok()) return {};
  return meta;
}

std::string encode_manifest_file(const ManifestFile& file) {
  Buffer out;
  out.append('{');
  append(out, file.meta);
  json::append_truth_field(out, "sidecar", file.meta.has_sidecar);
  append_checksum(out, "sidecar_crc32c", file.sidecar_crc);
  append_checksum(out, "file_crc32c", file.crc);
  if (file.digest) json::append_field(out, "digest", file.digest->text());
  out.append('}');
  return std::string(out.view());
}

std::string encode_manifest(const CurrentSet& set) {
  const Manifest& manifest = set.head;
  Buffer out;
  out.append('{');
  json::append_field(out, "format", kFormat);
  json::append_field(out, "generation", manifest.generation);
  json::append_signed_field(out, "timestamp", manifest.timestamp);
  json::append_field(out, "lsn", manifest.lsn.value);
  json::append_truth_field(out, "log_complete", manifest.log_complete);
  if (manifest.unlogged_lsn) json::append_field(out, "unlogged_lsn", manifest.unlogged_lsn->value);
  append_files(out, "series", set.series);
  append_files(out, "older", set.older);
  if (manifest.exactly_once) {
    json::append_name(out, "registry");
    out.append('{');
    append(out, manifest.exactly_once->meta);
    append_checksum(out, "sidecar_crc32c", manifest.exactly_once->sidecar_crc);
    append_checksum(out, "file_crc32c", manifest.exactly_once->crc);
    out.append('}');
  }
  if (!manifest.outcomes.empty()) append_outcomes(out, manifest.outcomes);
  out.append(checksum_end(out.view()));
  return std::string(out.view());
}

Result<Manifest> decode_manifest(std::string_view text, bool* newer) {
  if (!has_right_checksum(text)) return internal_error("its checksum is wrong");
  json::Object object(text);
  if (!object.ok()) return internal_error("it is not a JSON object");
  const std::optional<std::uint64_t> format = object.optional_number("format");
  if (format && *format > kFormat) {
    if (newer != nullptr) *newer = true;
    return internal_error("written by a newer Karma (format " + std::to_string(*format) + "; this one reads " +
                          std::to_string(kFormat) + ")");
  }
  if (format && *format != kFormat) return internal_error("it is of format " + std::to_string(*format) + ", not 1");
  Manifest manifest;
  manifest.generation = object.number("generation");
  manifest.timestamp = object.signed_number("timestamp");
  manifest.lsn = Lsn{object.number("lsn")};
  manifest.log_complete = object.truth("log_complete");
  if (const auto lsn = object.optional_number("unlogged_lsn")) manifest.unlogged_lsn = Lsn{*lsn};
  if (!read_parts(object, manifest) || !object.ok() || !format)
    return internal_error("fields are missing or have another type");
  std::set<std::string_view> names;
  for (const ManifestFile& file : manifest.series) {
    if (!names.insert(file.meta.series).second) return internal_error("it lists a series twice");
  }
  return manifest;
}

}  // namespace karma::snapshot
