// What responses tell of snapshot files.
#pragma once

#include <string>
#include <string_view>

#include "commands/replies.h"
#include "core/base64.h"
#include "snapshot/manager.h"

namespace karma::commands {

inline void append_text(Buffer& out, std::string_view name, std::string_view text) {
  out.append(R"(,")");
  out.append(name);
  out.append(R"(":)");
  json::append_string(out, text);
}

inline void append_signed(Buffer& out, std::string_view name, std::int64_t number) {
  out.append(R"(,")");
  out.append(name);
  out.append(R"(":)");
  out.append(std::to_string(number));
}

inline void append_meta(Buffer& out, const snapshot::Meta& meta) {
  out.append(R"({"tree":)");
  json::append_string(out, meta.series);
  append_text(out, "file", meta.file);
  append_signed(out, "timestamp", meta.timestamp);
  append_field(out, "bytes", meta.bytes);
  append_field(out, "last_lsn", meta.last_lsn.value);
  append_text(out, "metadata_file", meta.file + ".meta.json");
  out.append('}');
}

inline void append_registry_meta(Buffer& out, const snapshot::RegistryMeta& meta) {
  out.append(R"({"file":)");
  json::append_string(out, snapshot::kRegistryName);
  append_signed(out, "timestamp", meta.timestamp);
  append_field(out, "bytes", meta.bytes);
  append_field(out, "last_lsn", meta.last_lsn.value);
  append_field(out, "record_count", meta.record_count);
  append_field(out, "committed_stream_count", meta.committed_stream_count);
  out.append('}');
}

// {"metadata":…,"offset":…,…,"data_base64":"…"}: a piece of a file of `total` bytes.
template <class AppendMeta>
void reply_chunk(Buffer& out, AppendMeta&& append_metadata, std::uint64_t offset, std::uint64_t limit,
                 std::uint64_t total, std::string_view bytes) {
  const std::uint64_t next = offset + bytes.size();
  out.append(R"({"metadata":)");
  append_metadata();
  append_field(out, "offset", offset);
  append_field(out, "limit", limit);
  append_field(out, "bytes", bytes.size());
  append_field(out, "total_bytes", total);
  append_field(out, "next_offset", next);
  out.append(next >= total ? R"(,"done":true)" : R"(,"done":false)");
  out.append(R"(,"data_base64":")");
  append_base64(out, bytes);
  out.append(R"("})");
}

}  // namespace karma::commands
