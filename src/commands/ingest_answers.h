// What ops on ingest streams answer besides their success.
#pragma once

#include <algorithm>
#include <string>

#include "commands/replies.h"
#include "commands/verdicts.h"

namespace karma::commands {

// {<fields>} is the answer.
template <class AppendFields>
void tell(Outcome& outcome, AppendFields&& append_fields) {
  Buffer out;
  out.append('{');
  append_fields(out);
  out.append('}');
  outcome.message = outcome.arena->copy(out.view());
}

// "stream_id":…,"mode":…,"series":…,"granularity":…
inline void append_stream(Buffer& out, const store::Stream& stream) {
  append_field(out, "stream_id", stream.identity->id);
  append_field(out, "mode", to_string(stream.identity->mode));
  append_text(out, "series", stream.series);
  append_text(out, "granularity", stream.identity->granularity);
}

inline void tell_status(const store::Stream& stream, std::string_view status, Outcome& outcome) {
  tell(outcome, [&](Buffer& out) {
    append_stream(out, stream);
    append_field(out, "status", status);
    append_field(out, "last_chunk_seq", stream.chunks.size());
  });
}

inline void tell_end(std::string_view stream_id, std::string_view status, std::uint64_t last, Outcome& outcome) {
  tell(outcome, [&](Buffer& out) {
    append_field(out, "stream_id", stream_id);
    append_field(out, "status", status);
    append_field(out, "last_chunk_seq", last);
  });
}

// All of these return true: it is answered.
inline bool refuse(std::string_view text, Outcome& outcome) {
  outcome.fail(ErrorCode::validation_error, text);
  return true;
}
inline bool conflict(std::string_view text, Outcome& outcome) {
  outcome.fail(ErrorCode::idempotency_conflict, text);
  return true;
}
inline bool not_found(std::string_view stream_id, Outcome& outcome) {
  outcome.fail(ErrorCode::not_found, "Ingest stream \"" + std::string(stream_id) + "\" not found");
  return true;
}

// A stream that is there already is told; false if it is not.
inline bool answer_begin(const store::IngestStreams& streams, std::string_view stream_id, store::IngestMode mode,
                         std::optional<std::string_view> granularity, Outcome& outcome) {
  switch (streams.check_begin(stream_id, mode, granularity)) {
    case store::BeginCheck::create:
      return false;
    case store::BeginCheck::active:
      return tell_status(*streams.active(stream_id), "active", outcome), true;
    case store::BeginCheck::committed:
      return tell_status(*streams.committed(stream_id), "already_committed", outcome), true;
    case store::BeginCheck::other_parameters:
      return conflict("Ingest stream already exists with different parameters", outcome);
    case store::BeginCheck::committed_otherwise:
      break;
  }
  return conflict("Ingest stream was already committed with different parameters", outcome);
}

// A commit that does nothing is answered; false if there is something to do.
inline bool answer_commit(const store::IngestStreams& streams, std::string_view stream_id, Outcome& outcome) {
  switch (streams.check_commit(stream_id)) {
    case store::CommitCheck::commit:
      return false;
    case store::CommitCheck::committed:
      return tell_status(*streams.committed(stream_id), "already_committed", outcome), true;
    case store::CommitCheck::nothing_staged:
      return refuse("Cannot commit empty replace_series stream", outcome);
    case store::CommitCheck::not_found:
      break;
  }
  return not_found(stream_id, outcome);
}

// Whether it is neither the next chunk of its stream nor one that is held: then it is answered.
inline bool answer_chunk(store::ChunkCheck check, std::string_view stream_id, const store::IngestStreams& streams,
                         Outcome& outcome) {
  switch (check) {
    case store::ChunkCheck::next:
    case store::ChunkCheck::skip:
    case store::ChunkCheck::skip_committed:
      return false;
    case store::ChunkCheck::not_found:
      return not_found(stream_id, outcome);
    case store::ChunkCheck::number_is_zero:
      return refuse("Field chunk_seq must be greater than 0", outcome);
    case store::ChunkCheck::not_the_next:
      return refuse("Field chunk_seq must be the next chunk", outcome);
    case store::ChunkCheck::other_payload:
      return conflict("Ingest chunk was already used with different payload", outcome);
    case store::ChunkCheck::other_series:
      return refuse("Ingest stream is already bound to series " + *streams.active(stream_id)->series, outcome);
    case store::ChunkCheck::committed_otherwise:
      break;
  }
  return conflict("Ingest stream was already committed with different chunks", outcome);
}

inline bool refuse_zero(store::IngestMode mode, std::span<const Item> items, Outcome& outcome) {
  const bool zero = mode == store::IngestMode::add &&
                    std::any_of(items.begin(), items.end(), [](const Item& item) { return item.value == 0; });
  return zero && refuse("Batch item value must be greater than 0", outcome);
}

// The first to be given up: who began them has forgotten them, or waits for something.
inline std::string oldest_streams(const store::IngestStreams& streams, std::int64_t now) {
  constexpr std::size_t kNamed = 3;
  constexpr std::size_t kShownBytes = 64;
  std::string text;
  for (const store::ActiveStream* stream : streams.oldest_active(kNamed)) {
    const std::string& id = stream->identity->id;
    text += text.empty() ? "\"" : ", \"";
    text += id.size() > kShownBytes ? id.substr(0, kShownBytes) + "…" : id;
    text += "\" (" + (stream->series ? "series " + *stream->series : "no series yet") + ", " +
            std::string(to_string(stream->identity->mode)) + ", " + std::to_string(stream->points) + " points, ";
    text += stream->began_at == 0 ? "of unknown age"
                                  : std::to_string(std::max<std::int64_t>(now - stream->began_at, 0)) + " s old";
    text += ")";
  }
  return text;
}

inline bool refuse_without_room(store::Room room, const store::IngestStreams& streams, std::int64_t now,
                                Outcome& outcome) {
  switch (room) {
    case store::Room::enough:
      return false;
    case store::Room::too_many_streams:
      return refuse(
          "Too many active ingest streams: the limit is " + std::to_string(streams.limits().max_streams) +
              ". ingest.status lists them, ingest.abort gives one up. The oldest: " + oldest_streams(streams, now),
          outcome);
    case store::Room::too_many_chunks:
      return refuse("Too many ingest chunks: commit the stream or send larger chunks", outcome);
    case store::Room::too_many_points:
      break;
  }
  return refuse("Too many staged points: the limit of all active ingest streams together is " +
                    std::to_string(streams.limits().max_staged_points),
                outcome);
}

inline Error not_rebuilt(std::string_view series, std::string_view stream_id) {
  return internal_error("series \"" + std::string(series) +
                        "\" has an older snapshot than the exactly-once state, and what ingest stream \"" +
                        std::string(stream_id) + "\" put in its place is not in the log any more");
}

}  // namespace karma::commands
