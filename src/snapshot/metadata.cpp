#include "snapshot/metadata.h"

#include "core/text.h"
#include "snapshot/json_fields.h"

namespace karma::snapshot {

std::string encode_sidecar(const Meta& meta) {
  Buffer out;
  out.append('{');
  json::append_bytes_field(out, "tree", meta.series);
  json::append_bytes_field(out, "file", meta.file);
  json::append_signed_field(out, "timestamp", meta.timestamp);
  json::append_field(out, "last_lsn", meta.last_lsn.value);
  json::append_field(out, "bytes", meta.bytes);
  out.append('}');
  out.append('\n');
  return std::string(out.view());
}

std::string encode_sidecar(const ExactlyOnceMeta& meta) {
  Buffer out;
  out.append('{');
  json::append_bytes_field(out, "file", kExactlyOnceName);
  json::append_signed_field(out, "timestamp", meta.timestamp);
  json::append_field(out, "last_lsn", meta.last_lsn.value);
  json::append_field(out, "bytes", meta.bytes);
  json::append_field(out, "record_count", meta.record_count);
  json::append_field(out, "committed_stream_count", meta.committed_stream_count);
  out.append('}');
  out.append('\n');
  return std::string(out.view());
}

std::optional<Meta> decode_sidecar(std::string_view text) {
  std::optional<std::string> series, file;
  std::optional<std::int64_t> timestamp;
  std::optional<std::uint64_t> last_lsn, bytes;
  const bool good = read_fields(text, [&](std::string_view name, const json::Value& value) {
    if (name == "tree") series = text_of(value);
    if (name == "file") file = text_of(value);
    if (name == "timestamp") timestamp = signed_of(value);
    if (name == "last_lsn") last_lsn = unsigned_of(value);
    if (name == "bytes") bytes = unsigned_of(value);
  });
  if (!good || !series || !file || !timestamp || !last_lsn || !bytes) return {};
  return Meta{std::move(*series), std::move(*file), *timestamp, Lsn{*last_lsn}, *bytes, true};
}

std::optional<ExactlyOnceMeta> decode_exactly_once_sidecar(std::string_view text) {
  std::optional<std::string> file;
  std::optional<std::int64_t> timestamp;
  std::optional<std::uint64_t> last_lsn, bytes, record_count, stream_count;
  const bool good = read_fields(text, [&](std::string_view name, const json::Value& value) {
    if (name == "file") file = text_of(value);
    if (name == "timestamp") timestamp = signed_of(value);
    if (name == "last_lsn") last_lsn = unsigned_of(value);
    if (name == "bytes") bytes = unsigned_of(value);
    if (name == "record_count") record_count = unsigned_of(value);
    if (name == "committed_stream_count") stream_count = unsigned_of(value);
  });
  if (!good || file != kExactlyOnceName || !timestamp || !last_lsn || !bytes || !record_count || !stream_count)
    return {};
  return ExactlyOnceMeta{*timestamp, Lsn{*last_lsn}, *bytes, *record_count, *stream_count};
}

std::optional<std::uint64_t> decode_number(std::string_view text) { return parse_number<std::uint64_t>(trim(text)); }

}  // namespace karma::snapshot
