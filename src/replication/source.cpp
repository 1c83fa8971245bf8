#include "replication/source.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/json_reader.h"

namespace karma::replication {
namespace {

constexpr std::uint64_t kPieceBytes = 256 << 10;

protocol::Endpoint bounded(protocol::Endpoint endpoint) {
  endpoint.max_reply_bytes = std::min(endpoint.max_reply_bytes, Source::kMaxReplyBytes);
  return endpoint;
}

// Whether it can be a line of the log.
bool is_entry(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  json::Reader reader(text);
  return reader.read_object([](const json::Value&, const json::Value&) {}) && reader.at_end();
}

// {"lsn":…,"entry":{…}}, or with the entry's bytes beside it where they are no UTF-8.
bool read_entry(std::string_view text, engine::LoggedEntry& entry, std::deque<std::string>& decoded) {
  bool good = true;
  json::Reader reader(text);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "lsn" && value.type == json::Type::unsigned_integer) entry.lsn = Lsn{value.number};
    if (name.text == "entry" && value.type == json::Type::object && entry.text.empty()) entry.text = value.text;
    if (name.text == "entry_base64") {
      std::optional<std::string> bytes = decode_base64(value.text);
      good = good && bytes && is_entry(*bytes);
      if (good) entry.text = decoded.emplace_back(std::move(*bytes));
    }
  });
  return read && good && entry.lsn != Lsn{} && !entry.text.empty();
}

snapshot::Meta meta_of(const nlohmann::json& fields) {
  return {.series = fields.at("tree"),
          .file = fields.at("file"),
          .timestamp = fields.at("timestamp"),
          .last_lsn = Lsn{fields.at("last_lsn")},
          .bytes = fields.at("bytes")};
}

snapshot::ExactlyOnceMeta exactly_once_meta_of(const nlohmann::json& fields) {
  return {.timestamp = fields.at("timestamp"),
          .last_lsn = Lsn{fields.at("last_lsn")},
          .bytes = fields.at("bytes"),
          .record_count = fields.at("record_count"),
          .committed_stream_count = fields.at("committed_stream_count")};
}

struct Piece {
  std::string data;
  bool done = false;
  std::string_view metadata;  // JSON
};

// By the reader of the log's pages: these replies are long.
std::optional<Piece> read_piece(std::string_view response) {
  Piece piece;
  std::optional<std::string> data;
  bool done = false;
  json::Reader reader(response);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "data_base64" && value.type == json::Type::string) data = decode_base64(value.text);
    if (name.text == "done") done = value.truth;
    if (name.text == "metadata") piece.metadata = value.text;
  });
  if (!read || !data) return {};
  piece.data = std::move(*data);
  piece.done = done;
  return piece;
}

ops::Checkpoint checkpoint_of(const nlohmann::json& fields) {
  const auto text = [&](const char* name) {
    const nlohmann::json& value = fields.at(name);
    return value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
  };
  return {.source = fields.at("source"),
          .offset = text("offset"),
          .event_id = text("event_id"),
          .updated_at = fields.at("updated_at_unix")};
}

}  // namespace

Source::Source(protocol::Endpoint endpoint) : client_(bounded(std::move(endpoint))) {}

Error Source::bad_reply(std::string_view what) {
  client_.close();
  return {ErrorCode::replication_error, "the master's reply is not what it should be: " + std::string(what)};
}

Result<protocol::Reply> Source::ask(std::string_view op, const Fields& fields) {
  client_.send(op, fields);
  Result<protocol::Reply> reply = client_.receive();
  if (reply && !reply->success) return reply->error();
  return reply;
}

Status Source::ask_for_page(Lsn after, int limit, std::chrono::milliseconds wait, const Self& self) {
  Fields fields = {{"after_lsn", after.value}, {"limit", limit}};
  if (wait.count() > 0) fields["wait_ms"] = wait.count();
  if (!self.id.empty()) {
    fields["replica"] = self.id;
    if (!self.epoch.empty()) fields["replica_epoch"] = self.epoch;
    if (self.durable) fields["durable_lsn"] = self.durable->value;
  }
  client_.send("replication.entries", fields);
  return client_.flush();
}

Status Source::take_page(Lsn after, int limit, Page& page) {
  page = {};
  const Result<protocol::Reply> reply = client_.receive();
  if (!reply) return reply.error();
  if (!reply->success) return reply->error();
  std::string_view entries;
  json::Reader reader(reply->response);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "source_lsn" && value.type == json::Type::unsigned_integer) page.source = Lsn{value.number};
    if (name.text == "entries" && value.type == json::Type::array) entries = value.text;
    if (name.text == "next_age_ms" && value.type == json::Type::unsigned_integer)
      page.next_age = std::chrono::milliseconds(std::min<std::uint64_t>(value.number, INT32_MAX));
    if (name.text == "truncated_by_bytes") page.more |= value.truth;
    if (name.text == "epoch_after" && value.type == json::Type::string) page.epoch_after = value.text;
    if (name.text == "epoch_last" && value.type == json::Type::string) page.epoch_last = value.text;
    if (name.text == "checkpoint_revision" && value.type == json::Type::unsigned_integer)
      page.checkpoint_revision = value.number;
  });
  if (!read || entries.empty()) return bad_reply("no page of the log");
  Lsn expected = after.next();
  std::string fault;
  json::Reader list(entries);
  const bool listed = list.read_array([&](const json::Value& value) {
    engine::LoggedEntry entry;
    if (page.entries.size() == static_cast<std::size_t>(limit))
      fault = "more entries than were asked for";
    else if (!read_entry(value.text, entry, page.decoded))
      fault = "an entry of the log cannot be read";
    else if (entry.lsn != expected)
      fault = "entry " + std::to_string(expected.value) + " is missing, " + std::to_string(entry.lsn.value) + " came";
    if (!fault.empty()) return false;
    page.entries.push_back(entry);
    expected = expected.next();
    return true;
  });
  if (!fault.empty()) return bad_reply(fault);
  if (!listed) return bad_reply("no list of entries");
  page.more = !page.entries.empty() && (page.more || page.entries.size() == static_cast<std::size_t>(limit));
  return {};
}

Result<engine::History> Source::history() {
  const Result<protocol::Reply> reply = ask("replication.status", Fields::object());
  if (!reply) return reply.error();
  std::optional<engine::History> history = engine::History();
  json::Reader reader(reply->response);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "wal_enabled") keeps_log_ = value.truth;
    if (name.text == "history") history = engine::History::of_json(value.text);
  });
  if (!read || !history) return bad_reply("no status, or a history that cannot be read");
  return std::move(*history);
}

Result<MasterDigest> Source::digest(Lsn after) {
  const Result<protocol::Reply> reply = ask("replication.digest", {{"after_lsn", after.value}});
  if (!reply) return reply.error();
  try {
    const nlohmann::json fields = reply->json();
    MasterDigest found;
    found.lsn = Lsn{fields.at("lsn")};
    found.ready = fields.at("ready");
    if (!found.ready) return found;
    if (!fields.at("epoch").is_null()) found.epoch = fields.at("epoch");
    bool good = true;
    const auto read = [&](const nlohmann::json& text) {
      const std::optional<store::Digest> digest = store::Digest::of_text(text.get_ref<const std::string&>());
      good = good && digest;
      return digest.value_or(store::Digest());
    };
    found.all = read(fields.at("digest"));
    for (const nlohmann::json& series : fields.at("series"))
      found.series.emplace(series.at("tree"), read(series.at("digest")));
    found.all_named = !fields.contains("series_left_off");
    if (!good) return bad_reply("no digest");
    return found;
  } catch (const nlohmann::json::exception& failure) {
    return bad_reply(failure.what());
  }
}

Result<Source::Chain> Source::chain(Lsn after, std::uint64_t limit) {
  const Result<protocol::Reply> reply = ask("replication.chain", {{"after_lsn", after.value}, {"limit", limit}});
  if (!reply) return reply.error();
  try {
    const nlohmann::json fields = reply->json();
    const std::optional<store::Digest> value = store::Digest::of_text(fields.at("chain").get_ref<const std::string&>());
    if (!value) return bad_reply("no chain");
    return Chain{fields.at("count"), *value};
  } catch (const nlohmann::json::exception& failure) {
    return bad_reply(failure.what());
  }
}

Result<ops::Checkpoints::Map> Source::checkpoints(bool in_pages) {
  const auto not_understood = [](std::string_view what) {
    return Error{ErrorCode::replication_error, "the master's checkpoints are not understood: " + std::string(what)};
  };
  ops::Checkpoints::Map all;
  Fields fields = Fields::object();
  for (;;) {
    const Result<protocol::Reply> reply = ask(in_pages ? "recovery.status" : "replication.status", fields);
    if (!reply) return reply.error();
    try {
      const nlohmann::json response = reply->json();
      const nlohmann::json& page = in_pages ? response : response.at("recovery");
      for (const nlohmann::json& checkpoint : page.at("checkpoints")) {
        ops::Checkpoint read = checkpoint_of(checkpoint);
        all.insert_or_assign(read.source, std::move(read));
      }
      if (all.size() > kMaxCheckpoints) return not_understood("more than " + std::to_string(kMaxCheckpoints));
      if (!page.contains("next_cursor")) return all;
      const std::string next = page.at("next_cursor");
      if (!in_pages || (fields.contains("cursor") && fields["cursor"] >= next))
        return not_understood("they do not end");
      fields["cursor"] = next;
    } catch (const nlohmann::json::exception& failure) {
      return not_understood(failure.what());
    }
  }
}

Result<SnapshotList> Source::snapshots() {
  const Result<protocol::Reply> reply = ask("snapshot.info", Fields::object());
  if (!reply) return reply.error();
  try {
    const nlohmann::json fields = reply->json();
    SnapshotList list;
    for (const nlohmann::json& meta : fields.at("latest_by_tree")) list.series.push_back(meta_of(meta));
    const nlohmann::json& exactly_once = fields.at("idempotency_snapshot");
    if (!exactly_once.is_null()) list.exactly_once = exactly_once_meta_of(exactly_once);
    return list;
  } catch (const nlohmann::json::exception& failure) {
    return bad_reply(failure.what());
  }
}

// While a piece is looked at, the next one is on its way.
Status Source::fetch(std::string_view op, Fields fields, std::uint64_t bytes, const SameFile& same, const Sink& sink) {
  std::uint64_t offset = 0;
  const auto ask_for_next = [&] {
    fields["offset"] = offset;
    fields["limit"] = kPieceBytes;
    client_.send(op, fields);
    return client_.flush();
  };
  if (Status asked = ask_for_next(); !asked) return asked;
  for (;;) {
    const Result<protocol::Reply> reply = client_.receive();
    if (!reply) return reply.error();
    if (!reply->success) return reply->error();
    const std::optional<Piece> piece = read_piece(reply->response);
    if (!piece) return bad_reply("no piece of a snapshot");
    try {
      if (!same(nlohmann::json::parse(piece->metadata))) return bad_reply("the snapshot changed while it was fetched");
    } catch (const nlohmann::json::exception& failure) {
      return bad_reply(failure.what());
    }
    if (piece->data.size() > bytes - offset) return bad_reply("a piece of a snapshot of another size");
    if (piece->data.empty() && !piece->done) return bad_reply("an empty piece of a snapshot");
    offset += piece->data.size();
    if (!piece->done) {
      if (Status asked = ask_for_next(); !asked) return asked;
    }
    if (Status taken = sink(piece->data); !taken) {
      client_.close();  // a reply may be on its way
      return taken;
    }
    if (piece->done) return offset == bytes ? Status() : bad_reply("a snapshot of another size");
  }
}

Status Source::fetch(const snapshot::Meta& meta, const Sink& sink) {
  const auto same = [&](const nlohmann::json& metadata) {
    const snapshot::Meta now = meta_of(metadata);
    return now.file == meta.file && now.last_lsn == meta.last_lsn && now.bytes == meta.bytes;
  };
  return fetch("snapshot.fetch_chunk", {{"file", meta.file}}, meta.bytes, same, sink);
}

Status Source::fetch(const snapshot::ExactlyOnceMeta& meta, const Sink& sink) {
  const auto same = [&](const nlohmann::json& metadata) {
    const snapshot::ExactlyOnceMeta now = exactly_once_meta_of(metadata);
    return now.timestamp == meta.timestamp && now.last_lsn == meta.last_lsn && now.bytes == meta.bytes;
  };
  return fetch("idempotency.snapshot_fetch_chunk", Fields::object(), meta.bytes, same, sink);
}

Result<std::optional<std::string>> Source::manifest() {
  std::string text;
  std::uint64_t bytes = UINT64_MAX;
  // Its size is known with the first piece; its checksum tells whether the pieces are of one manifest.
  const Result<protocol::Reply> first = ask("snapshot.manifest_fetch_chunk", {{"offset", 0}, {"limit", 1}});
  if (!first) {
    const ErrorCode code = first.error().code;
    const bool none = code == ErrorCode::not_found || code == ErrorCode::unknown_command;
    if (client_.connected() && none) return std::optional<std::string>();
    return first.error();
  }
  try {
    bytes = first->json().at("total_bytes");
  } catch (const nlohmann::json::exception& failure) {
    return bad_reply(failure.what());
  }
  if (bytes > kMaxManifestBytes) return bad_reply("a manifest of " + std::to_string(bytes) + " bytes");
  const Status fetched = fetch(
      "snapshot.manifest_fetch_chunk", Fields::object(), bytes, [](const nlohmann::json&) { return true; },
      [&](std::string_view piece) {
        text.append(piece);
        return Status();
      });
  if (!fetched) return fetched.error();
  return std::optional<std::string>(std::move(text));
}

}  // namespace karma::replication
