#include "snapshot/manifest.h"

#include <set>

#include "core/crc32c.h"
#include "snapshot/json_fields.h"

namespace karma::snapshot {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::string_view kChecksumField = ",\"crc32c\":";

void write_file(Buffer& out, const ManifestFile& file) {
  out.append('{');
  json::append_bytes_field(out, "tree", file.meta.series);
  json::append_bytes_field(out, "file", file.meta.file);
  json::append_signed_field(out, "timestamp", file.meta.timestamp);
  json::append_field(out, "last_lsn", file.meta.last_lsn.value);
  json::append_field(out, "bytes", file.meta.bytes);
  json::append_truth_field(out, "sidecar", file.meta.has_sidecar);
  if (file.sidecar_crc) json::append_field(out, "sidecar_crc32c", *file.sidecar_crc);
  if (file.crc) json::append_field(out, "file_crc32c", *file.crc);
  out.append('}');
}

void write_exactly_once(Buffer& out, const ManifestExactlyOnce& exactly_once) {
  out.append('{');
  json::append_signed_field(out, "timestamp", exactly_once.meta.timestamp);
  json::append_field(out, "last_lsn", exactly_once.meta.last_lsn.value);
  json::append_field(out, "bytes", exactly_once.meta.bytes);
  json::append_field(out, "record_count", exactly_once.meta.record_count);
  json::append_field(out, "committed_stream_count", exactly_once.meta.committed_stream_count);
  if (exactly_once.sidecar_crc) json::append_field(out, "sidecar_crc32c", *exactly_once.sidecar_crc);
  json::append_field(out, "file_crc32c", exactly_once.crc);
  out.append('}');
}

void write_files(Buffer& out, std::size_t count, const std::function<std::string_view(std::size_t)>& text) {
  out.append('[');
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) out.append(',');
    out.append(text(i));
  }
  out.append(']');
}

// [lsn] of an entry that was refused, [lsn, first, second] of one that answered what it found.
void write_outcomes(Buffer& out, const std::vector<KnownOutcome>& outcomes) {
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

std::optional<std::uint32_t> checksum_of(const json::Value& value) {
  const std::optional<std::uint64_t> number = unsigned_of(value);
  if (!number || *number > 0xffffffff) return {};
  return static_cast<std::uint32_t>(*number);
}

std::optional<ManifestFile> read_file_entry(std::string_view text) {
  std::optional<std::string> series, name;
  std::optional<std::int64_t> timestamp;
  std::optional<std::uint64_t> last_lsn, bytes;
  ManifestFile file;
  const bool good = read_fields(text, [&](std::string_view field, const json::Value& value) {
    if (field == "tree") series = text_of(value);
    if (field == "file") name = text_of(value);
    if (field == "timestamp") timestamp = signed_of(value);
    if (field == "last_lsn") last_lsn = unsigned_of(value);
    if (field == "bytes") bytes = unsigned_of(value);
    if (field == "sidecar") file.meta.has_sidecar = value.type == json::Type::boolean && value.truth;
    if (field == "sidecar_crc32c") file.sidecar_crc = checksum_of(value);
    if (field == "file_crc32c") file.crc = checksum_of(value);
  });
  if (!good || !series || !name || !timestamp || !last_lsn || !bytes) return {};
  if (!file_name_fault(*name).empty()) return {};
  file.meta = {std::move(*series), std::move(*name), *timestamp, Lsn{*last_lsn}, *bytes, file.meta.has_sidecar};
  return file;
}

std::optional<ManifestExactlyOnce> read_exactly_once(std::string_view text) {
  std::optional<std::int64_t> timestamp;
  std::optional<std::uint64_t> last_lsn, bytes, record_count, stream_count;
  std::optional<std::uint32_t> crc, sidecar_crc;
  const bool good = read_fields(text, [&](std::string_view field, const json::Value& value) {
    if (field == "timestamp") timestamp = signed_of(value);
    if (field == "last_lsn") last_lsn = unsigned_of(value);
    if (field == "bytes") bytes = unsigned_of(value);
    if (field == "record_count") record_count = unsigned_of(value);
    if (field == "committed_stream_count") stream_count = unsigned_of(value);
    if (field == "sidecar_crc32c") sidecar_crc = checksum_of(value);
    if (field == "file_crc32c") crc = checksum_of(value);
  });
  if (!good || !timestamp || !last_lsn || !bytes || !record_count || !stream_count || !crc) return {};
  return ManifestExactlyOnce{{*timestamp, Lsn{*last_lsn}, *bytes, *record_count, *stream_count}, *crc, sidecar_crc};
}

bool read_files(const json::Value& array, std::vector<ManifestFile>& files) {
  if (array.type != json::Type::array) return false;
  json::Reader reader(array.text);
  bool good = true;
  const bool read = reader.read_array([&](const json::Value& value) {
    std::optional<ManifestFile> file;
    if (value.type == json::Type::object) file = read_file_entry(value.text);
    good = file.has_value();
    if (good) files.push_back(std::move(*file));
    return good;
  });
  return read && good;
}

std::optional<KnownOutcome> read_outcome(std::string_view array) {
  std::uint64_t numbers[3] = {};
  std::size_t count = 0;
  json::Reader reader(array);
  const bool read = reader.read_array([&](const json::Value& value) {
    const std::optional<std::uint64_t> number = unsigned_of(value);
    if (!number || count == 3) return false;
    numbers[count++] = *number;
    return true;
  });
  if (!read || (count != 1 && count != 3)) return {};
  return KnownOutcome{Lsn{numbers[0]}, count == 1, numbers[1], numbers[2]};
}

bool read_outcomes(const json::Value& array, std::vector<KnownOutcome>& outcomes) {
  if (array.type != json::Type::array) return false;
  json::Reader reader(array.text);
  return reader.read_array([&](const json::Value& value) {
    std::optional<KnownOutcome> outcome;
    if (value.type == json::Type::array) outcome = read_outcome(value.text);
    if (!outcome || (!outcomes.empty() && outcome->lsn <= outcomes.back().lsn)) return false;
    outcomes.push_back(*outcome);
    return true;
  });
}

// The text before the checksum, if that is right.
std::optional<std::string_view> checked_part(std::string_view text) {
  const std::size_t at = text.rfind(kChecksumField);
  if (at == text.npos) return {};
  const std::string_view before = text.substr(0, at);
  std::string end(kChecksumField);
  end += std::to_string(crc32c(before));
  end += "}\n";
  if (text.substr(at) != end) return {};
  return before;
}

}  // namespace

std::string encode_manifest_file(const ManifestFile& file) {
  Buffer out;
  write_file(out, file);
  return std::string(out.view());
}

std::string encode_manifest(const Manifest& manifest) {
  std::string text;
  const auto encoded = [&text](const std::vector<ManifestFile>& files) {
    return [&text, &files](std::size_t i) -> std::string_view { return text = encode_manifest_file(files[i]); };
  };
  return encode_manifest(
      manifest, {manifest.series.size(), manifest.older.size(), encoded(manifest.series), encoded(manifest.older)});
}

std::string encode_manifest(const Manifest& manifest, const ManifestTexts& files) {
  Buffer out;
  out.append('{');
  json::append_field(out, "format", kFormat);
  json::append_field(out, "generation", manifest.generation);
  json::append_signed_field(out, "timestamp", manifest.timestamp);
  json::append_field(out, "lsn", manifest.lsn.value);
  json::append_truth_field(out, "log_complete", manifest.log_complete);
  if (manifest.unlogged_lsn) json::append_field(out, "unlogged_lsn", manifest.unlogged_lsn->value);
  json::append_name(out, "series");
  write_files(out, files.series_count, files.series);
  json::append_name(out, "older");
  write_files(out, files.older_count, files.older);
  if (manifest.exactly_once) {
    json::append_name(out, "registry");
    write_exactly_once(out, *manifest.exactly_once);
  }
  if (!manifest.outcomes.empty()) {
    json::append_name(out, "outcomes");
    write_outcomes(out, manifest.outcomes);
  }
  const std::uint32_t crc = crc32c(out.view());
  json::append_field(out, "crc32c", crc);
  out.append('}');
  out.append('\n');
  return std::string(out.view());
}

std::optional<std::uint64_t> newer_format(std::string_view text) {
  if (!checked_part(text)) return {};
  std::optional<std::uint64_t> format;
  const bool good = read_fields(text, [&](std::string_view field, const json::Value& value) {
    if (field == "format") format = unsigned_of(value);
  });
  return good && format && *format > kFormat ? format : std::nullopt;
}

Result<Manifest> decode_manifest(std::string_view text) {
  if (!checked_part(text)) return internal_error("its checksum is wrong");
  Manifest manifest;
  std::optional<std::uint64_t> format, generation, lsn;
  std::optional<std::int64_t> timestamp;
  bool has_series = false;
  bool bad_part = false;
  const bool good = read_fields(text, [&](std::string_view field, const json::Value& value) {
    if (field == "format") format = unsigned_of(value);
    if (field == "generation") generation = unsigned_of(value);
    if (field == "timestamp") timestamp = signed_of(value);
    if (field == "lsn") lsn = unsigned_of(value);
    if (field == "log_complete") manifest.log_complete = value.type == json::Type::boolean && value.truth;
    if (field == "unlogged_lsn") {
      if (const auto number = unsigned_of(value)) manifest.unlogged_lsn = Lsn{*number};
    }
    if (field == "series") has_series = read_files(value, manifest.series);
    if (field == "older") bad_part |= !read_files(value, manifest.older);
    if (field == "outcomes") bad_part |= !read_outcomes(value, manifest.outcomes);
    if (field == "registry") {
      manifest.exactly_once = value.type == json::Type::object ? read_exactly_once(value.text) : std::nullopt;
      bad_part |= !manifest.exactly_once;
    }
  });
  if (!good) return internal_error("it is not a JSON object");
  if (format && *format > kFormat) {
    return internal_error("written by a newer Karma (format " + std::to_string(*format) + "; this one reads " +
                          std::to_string(kFormat) + ")");
  }
  if (format && *format != kFormat) return internal_error("it is of format " + std::to_string(*format) + ", not 1");
  if (!format || !generation || !lsn || !timestamp || !has_series || bad_part) {
    return internal_error("fields are missing or have another type");
  }
  std::set<std::string_view> names;
  for (const ManifestFile& file : manifest.series) {
    if (!names.insert(file.meta.series).second) return internal_error("it lists a series twice");
  }
  manifest.generation = *generation;
  manifest.lsn = Lsn{*lsn};
  manifest.timestamp = *timestamp;
  return manifest;
}

}  // namespace karma::snapshot
