#include "commands/ingest.h"

#include <algorithm>
#include <string>
#include <vector>

#include "commands/replies.h"
#include "commands/verdicts.h"

namespace karma::commands {
namespace {

using store::ActiveStream;
using store::BeginCheck;
using store::ChunkCheck;
using store::CommitCheck;
using store::CommittedStream;
using store::IngestMode;
using store::IngestStreams;
using store::Room;

void conflict(Outcome& outcome, std::string_view text) { outcome.fail(ErrorCode::idempotency_conflict, text); }

void not_found(std::string_view stream_id, Outcome& outcome) {
  outcome.fail(ErrorCode::not_found, "Ingest stream \"" + std::string(stream_id) + "\" not found");
}

// {"stream_id":…,"mode":…,"series":…,"granularity":…,"status":…,"last_chunk_seq":…}
template <class Stream>
void tell_status(const Stream& stream, std::string_view status, Outcome& outcome) {
  Buffer out;
  out.append('{');
  json::append_field(out, "stream_id", stream.identity->id);
  out.append(R"(,"mode":")");
  out.append(to_string(stream.identity->mode));
  out.append('"');
  append_text(out, "series", stream.series);
  append_text(out, "granularity", stream.identity->granularity);
  out.append(R"(,"status":")");
  out.append(status);
  out.append('"');
  append_field(out, "last_chunk_seq", stream.chunks.size());
  out.append('}');
  outcome.message = outcome.arena->copy(out.view());
}

// {"stream_id":…,"status":…,"last_chunk_seq":…}
void tell_end(std::string_view stream_id, std::string_view status, std::uint64_t last, Outcome& outcome) {
  Buffer out;
  out.append('{');
  json::append_field(out, "stream_id", stream_id);
  out.append(R"(,"status":")");
  out.append(status);
  out.append('"');
  append_field(out, "last_chunk_seq", last);
  out.append('}');
  outcome.message = outcome.arena->copy(out.view());
}

// A stream that is there already is told; false if it is not.
bool answer_begin(const IngestStreams& streams, const IngestBegin& begin, Outcome& outcome) {
  switch (streams.check_begin(begin.stream_id, begin.mode, begin.granularity)) {
    case BeginCheck::create:
      return false;
    case BeginCheck::active:
      tell_status(*streams.active(begin.stream_id), "active", outcome);
      return true;
    case BeginCheck::committed:
      tell_status(*streams.committed(begin.stream_id), "already_committed", outcome);
      return true;
    case BeginCheck::other_parameters:
      conflict(outcome, "Ingest stream already exists with different parameters");
      return true;
    case BeginCheck::committed_otherwise:
      break;
  }
  conflict(outcome, "Ingest stream was already committed with different parameters");
  return true;
}

// A commit that does nothing is answered; false if there is something to do.
bool answer_commit(const IngestStreams& streams, std::string_view stream_id, Outcome& outcome) {
  switch (streams.check_commit(stream_id)) {
    case CommitCheck::commit:
      return false;
    case CommitCheck::committed:
      tell_status(*streams.committed(stream_id), "already_committed", outcome);
      return true;
    case CommitCheck::nothing_staged:
      outcome.fail(ErrorCode::validation_error, "Cannot commit empty replace_series stream");
      return true;
    case CommitCheck::not_found:
      break;
  }
  not_found(stream_id, outcome);
  return true;
}

// What adding or setting the items would overflow, given what they are applied to.
const Item* find_overflow(IngestMode mode, const store::SeriesReads& series, std::span<const Item> items) {
  return mode == IngestMode::add ? store::first_overflow(series, items) : store::first_set_overflow(series, items);
}

bool refuse_overflow(const Item* item, Outcome& outcome) {
  if (item == nullptr) return false;
  outcome.fail(ErrorCode::validation_error, overflow_text("Counter overflow in batch item", item->key, item->bucket));
  return true;
}

// The series that a chunk changes, as far as it exists.
const store::Series* target(const store::Store& store, const ActiveStream& stream, std::string_view series) {
  if (stream.identity->mode != IngestMode::replace_series) return store.find(series);
  return stream.staged ? &*stream.staged : nullptr;
}

bool refuse_zero(IngestMode mode, std::span<const Item> items, Outcome& outcome) {
  if (mode != IngestMode::add) return false;
  for (const Item& item : items) {
    if (item.value != 0) continue;
    outcome.fail(ErrorCode::validation_error, "Batch item value must be greater than 0");
    return true;
  }
  return false;
}

// The first to be given up: who began them has forgotten them, or waits for something.
std::string oldest_streams(const IngestStreams& streams, std::int64_t now) {
  constexpr std::size_t kNamed = 3;
  constexpr std::size_t kShownBytes = 64;
  std::string text;
  for (const ActiveStream* stream : streams.oldest_active(kNamed)) {
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

bool refuse_without_room(Room room, const IngestStreams& streams, std::int64_t now, Outcome& outcome) {
  switch (room) {
    case Room::enough:
      return false;
    case Room::too_many_streams:
      outcome.fail(
          ErrorCode::validation_error,
          "Too many active ingest streams: the limit is " + std::to_string(streams.limits().max_streams) +
              ". ingest.status lists them, ingest.abort gives one up. The oldest: " + oldest_streams(streams, now));
      return true;
    case Room::too_many_chunks:
      outcome.fail(ErrorCode::validation_error, "Too many ingest chunks: commit the stream or send larger chunks");
      return true;
    case Room::too_many_points:
      break;
  }
  outcome.fail(ErrorCode::validation_error,
               "Too many staged points: the limit of all active ingest streams together is " +
                   std::to_string(streams.limits().max_staged_points));
  return true;
}

std::optional<IngestMode> known_mode(const IngestStreams& streams, std::string_view stream_id) {
  if (const ActiveStream* stream = streams.active(stream_id)) return stream->identity->mode;
  if (const CommittedStream* stream = streams.committed(stream_id)) return stream->identity->mode;
  return std::nullopt;
}

Error not_rebuilt(std::string_view series, std::string_view stream_id) {
  return internal_error("series \"" + std::string(series) +
                        "\" has an older snapshot than the exactly-once state, and what ingest stream \"" +
                        std::string(stream_id) + "\" put in its place is not in the log any more");
}

void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace

Verdict IngestBegin::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const IngestStreams& streams = store.exactly_once().streams();
  if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
  if (answer_begin(streams, *this, outcome)) return Verdict::answered;
  const Room room = streams.room_for_stream(stream_id, pending.streams.ahead());
  if (room != Room::enough && pending.any) return Verdict::flush_first;
  if (refuse_without_room(room, streams, began_at, outcome)) return Verdict::answered;
  pending.streams.begin(stream_id);
  return Verdict::log;
}

void IngestBegin::apply(store::Store& store, Outcome& outcome) const {
  IngestStreams& streams = store.exactly_once().streams();
  if (answer_begin(streams, *this, outcome)) return;
  streams.begin(stream_id, mode, granularity, began_at);
  tell_status(*streams.active(stream_id), "active", outcome);
}

void IngestBegin::reply(const Outcome& outcome, Buffer& out) const { out.append(outcome.message); }

Status IngestChunk::check() {
  decoded = std::chrono::steady_clock::now();
  for (const Item& item : items) sum += item.value;  // the decoder has checked that it fits
  fingerprint = fingerprint_of(*this);
  return {};
}

void IngestChunk::skipped(bool committed, Outcome& outcome) const {
  outcome.first = outcome.second = 0;
  Buffer out;
  out.append('{');
  json::append_field(out, "stream_id", stream_id);
  append_field(out, "chunk_seq", number);
  out.append(committed ? R"(,"skipped":true,"committed":true,"applied":0,"total":0})"
                       : R"(,"skipped":true,"committed":false,"applied":0,"total":0})");
  outcome.message = outcome.arena->copy(out.view());
}

// Whether it is not the next chunk of its stream: then it is answered.
static bool answer_chunk(ChunkCheck check, const IngestChunk& chunk, const IngestStreams& streams, Outcome& outcome) {
  switch (check) {
    case ChunkCheck::next:
      return false;
    case ChunkCheck::skip:
    case ChunkCheck::skip_committed:
      return false;
    case ChunkCheck::not_found:
      return not_found(chunk.stream_id, outcome), true;
    case ChunkCheck::number_is_zero:
      return outcome.fail(ErrorCode::validation_error, "Field chunk_seq must be greater than 0"), true;
    case ChunkCheck::not_the_next:
      return outcome.fail(ErrorCode::validation_error, "Field chunk_seq must be the next chunk"), true;
    case ChunkCheck::other_payload:
      return conflict(outcome, "Ingest chunk was already used with different payload"), true;
    case ChunkCheck::other_series:
      outcome.fail(ErrorCode::validation_error,
                   "Ingest stream is already bound to series " + *streams.active(chunk.stream_id)->series);
      return true;
    case ChunkCheck::committed_otherwise:
      break;
  }
  return conflict(outcome, "Ingest stream was already committed with different chunks"), true;
}

Verdict IngestChunk::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const store::ExactlyOnceState& exactly_once = store.exactly_once();
  const IngestStreams& streams = exactly_once.streams();
  const PendingStreams::Stream* ahead = pending.streams.find(stream_id);
  const ActiveStream* stream = streams.active(stream_id);
  if (ahead != nullptr) {
    // Chunks after chunks, all of them new, need no flush: a producer may send them one after the other.
    const bool next = stream != nullptr && ahead->chunks != 0 && number == stream->chunks.size() + ahead->chunks + 1 &&
                      series.text == ahead->series;
    if (!next) return Verdict::flush_first;
    return admit_next(store, *stream, pending, outcome);
  }
  const ChunkCheck check = streams.check_chunk(stream_id, series.text, number, fingerprint);
  if (check == ChunkCheck::skip || check == ChunkCheck::skip_committed) {
    skipped(check == ChunkCheck::skip_committed, outcome);
    count(exactly_once.counters().chunks_skipped);
    return Verdict::answered;
  }
  if (!answer_chunk(check, *this, streams, outcome)) return admit_next(store, *stream, pending, outcome);
  count(exactly_once.counters().chunks_rejected);
  return Verdict::answered;
}

Verdict IngestChunk::admit_next(const store::Store& store, const ActiveStream& stream, Pending& pending,
                                Outcome& outcome) const {
  const store::ExactlyOnceState& exactly_once = store.exactly_once();
  const IngestMode mode = stream.identity->mode;
  const auto refuse = [&exactly_once] { return count(exactly_once.counters().chunks_rejected), Verdict::answered; };
  if (refuse_zero(mode, items, outcome)) return refuse();
  const Room room =
      exactly_once.streams().room_for_chunk(stream_id, number, mode, items.size(), pending.streams.ahead());
  if (room != Room::enough && pending.any) return Verdict::flush_first;
  if (refuse_without_room(room, exactly_once.streams(), 0, outcome)) return refuse();

  const store::Series* changed = target(store, stream, series.text);
  const Verdict verdict = admit_sum(
      changed, sum, Adds::to_several, pending, outcome,
      [&](const store::Series& found) { return store::largest_total(found, items); },
      [&](const store::Series* found, Outcome& refused) {
        return found != nullptr && refuse_overflow(find_overflow(mode, *found, items), refused);
      });
  if (verdict == Verdict::answered) return refuse();
  if (verdict != Verdict::log) return verdict;
  if (mode != IngestMode::add) pending.lowers = true;
  if (mode != IngestMode::replace_series && changed == nullptr) pending.creates_series = true;
  pending.streams.add_chunk(stream_id, series.text, mode == IngestMode::replace_series ? items.size() : 0);
  return Verdict::log;
}

// Live; what is replayed was counted when it came.
store::Series* IngestChunk::changed(store::Store& store) const {
  const ActiveStream* const stream = std::as_const(store).exactly_once().streams().active(stream_id);
  return stream == nullptr ? nullptr : const_cast<store::Series*>(target(store, *stream, series.text));
}

void IngestChunk::apply(store::Store& store, Outcome& outcome) const {
  if (!apply_next(store, Part::all, outcome)) return;
  store::ExactlyOnceCounters& counters = store.exactly_once().counters();
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - decoded);
  count(counters.chunks_applied);
  count(counters.items_applied, items.size());
  count(counters.chunk_nanoseconds, static_cast<std::uint64_t>(took.count()));
  counters.last_chunk_nanoseconds.store(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
}

bool IngestChunk::apply_next(store::Store& store, Part part, Outcome& outcome) const {
  IngestStreams& streams = store.exactly_once().streams();
  const ChunkCheck check = streams.check_chunk(stream_id, series.text, number, fingerprint);
  // Only a log of Karma 1.0 holds chunks that are skipped.
  if (check == ChunkCheck::skip || check == ChunkCheck::skip_committed)
    return skipped(check == ChunkCheck::skip_committed, outcome), false;
  if (answer_chunk(check, *this, streams, outcome)) return false;
  const ActiveStream& stream = *streams.active(stream_id);
  const IngestMode mode = stream.identity->mode;
  if (refuse_zero(mode, items, outcome)) return false;
  const store::Series* changed = target(store, stream, series.text);
  if (part == Part::all && changed != nullptr && refuse_overflow(find_overflow(mode, *changed, items), outcome))
    return false;

  streams.add_chunk(stream_id, series.text, fingerprint, items, [&store] { store.lock().let_readers_in(); });
  if (part == Part::all) apply_items(store, mode);
  outcome.first = items.size();
  outcome.second = sum;
  return true;
}

// Those of replace_series are in the stream.
void IngestChunk::apply_items(store::Store& store, IngestMode mode) const {
  if (mode == IngestMode::add) store.find_or_create(series.text).add(items);
  if (mode == IngestMode::set) store.find_or_create(series.text).set(items);
}

Replayed IngestChunk::replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const {
  const bool has_items = coverage.series(series.text);
  const IngestStreams& streams = store.exactly_once().streams();
  if (!coverage.exactly_once()) {
    const ActiveStream* stream = streams.active(stream_id);
    const bool staged = stream != nullptr && stream->identity->mode == IngestMode::replace_series;
    apply_next(store, has_items && !staged ? Part::stream_only : Part::all, outcome);
    return Replayed::applied;
  }
  const bool repeated = !coverage.first_time(stream_id, number);
  if (has_items) return Replayed::covered;
  // The series is older than the exactly-once state: what its stream was is known only if it is remembered.
  const std::optional<IngestMode> mode = known_mode(streams, stream_id);
  if (mode && *mode == IngestMode::replace_series) return Replayed::covered;
  const ChunkCheck check = streams.check_chunk(stream_id, series.text, number, fingerprint);
  const bool held = check == ChunkCheck::skip || check == ChunkCheck::skip_committed;
  if (mode && held && repeated) return Replayed::covered;
  // Karma 1.0 logged before it refused, and what overflows now overflowed then.
  const store::Series* changed = store.find(series.text);
  if (mode && refuse_zero(*mode, items, outcome)) return Replayed::applied;
  if (mode && changed != nullptr && refuse_overflow(find_overflow(*mode, *changed, items), outcome))
    return Replayed::applied;
  if (!mode || !held) {
    outcome.fail(not_rebuilt(series.text, stream_id));
  } else {
    apply_items(store, *mode);
  }
  return Replayed::applied;
}

void IngestChunk::reply(const Outcome& outcome, Buffer& out) const {
  if (!outcome.message.empty()) return out.append(outcome.message);
  out.append('{');
  json::append_field(out, "stream_id", stream_id);
  append_field(out, "chunk_seq", number);
  out.append(R"(,"skipped":false)");
  append_field(out, "applied", outcome.first);
  append_field(out, "total", outcome.second);
  out.append('}');
}

Verdict IngestCommit::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const IngestStreams& streams = store.exactly_once().streams();
  if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
  if (answer_commit(streams, stream_id, outcome)) return Verdict::answered;
  if (streams.active(stream_id)->identity->mode == IngestMode::replace_series)
    pending.creates_series = pending.removes_series = true;
  pending.streams.end(stream_id);
  return Verdict::log;
}

void IngestCommit::apply(store::Store& store, Outcome& outcome) const {
  IngestStreams& streams = store.exactly_once().streams();
  if (answer_commit(streams, stream_id, outcome)) return;
  std::optional<store::Series> staged = streams.commit(stream_id, committed_at);
  const CommittedStream& stream = *streams.committed(stream_id);
  if (staged) store.replace(*stream.series, std::move(*staged));
  tell_end(stream_id, "committed", stream.chunks.size(), outcome);
}

Replayed IngestCommit::replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const {
  IngestStreams& streams = store.exactly_once().streams();
  if (coverage.exactly_once()) {
    const CommittedStream* stream = streams.committed(stream_id);
    if (stream == nullptr || stream->identity->mode != IngestMode::replace_series) return Replayed::covered;
    if (!coverage.series(*stream->series)) outcome.fail(not_rebuilt(*stream->series, stream_id));
    return outcome.failed ? Replayed::applied : Replayed::covered;
  }
  const ActiveStream* stream = streams.active(stream_id);
  if (stream != nullptr && stream->series && coverage.series(*stream->series)) {
    if (!answer_commit(streams, stream_id, outcome)) (void)streams.commit(stream_id, committed_at);
  } else {
    apply(store, outcome);
  }
  return Replayed::applied;
}

void IngestCommit::reply(const Outcome& outcome, Buffer& out) const { out.append(outcome.message); }

Verdict IngestAbort::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
  if (store.exactly_once().streams().active(stream_id) == nullptr) {
    not_found(stream_id, outcome);
    return Verdict::answered;
  }
  pending.streams.end(stream_id);
  return Verdict::log;
}

void IngestAbort::apply(store::Store& store, Outcome& outcome) const {
  IngestStreams& streams = store.exactly_once().streams();
  const ActiveStream* stream = streams.active(stream_id);
  if (stream == nullptr) return not_found(stream_id, outcome);
  const std::uint64_t last = stream->chunks.size();
  if (std::optional<store::Series> staged = streams.abort(stream_id)) store.free_later(std::move(*staged));
  tell_end(stream_id, "aborted", last, outcome);
}

void IngestAbort::reply(const Outcome& outcome, Buffer& out) const { out.append(outcome.message); }

namespace {

// What a page needs of a stream, apart from the store.
struct StreamRow {
  Ref<const store::StreamIdentity> identity;
  std::optional<std::string> series;
  std::uint64_t last_chunk = 0;
  std::uint64_t points = 0;
  std::int64_t began_at = 0;

  void append(Buffer& out, std::int64_t now) const {
    out.append('{');
    json::append_field(out, "stream_id", identity->id);
    out.append(R"(,"mode":")");
    out.append(to_string(identity->mode));
    out.append('"');
    append_text(out, "series", series);
    append_text(out, "granularity", identity->granularity);
    append_field(out, "last_chunk_seq", last_chunk);
    append_field(out, "points", points);
    if (began_at == 0) {
      out.append(R"(,"began_at_unix":null,"age_seconds":null})");
      return;
    }
    append_field(out, "began_at_unix", static_cast<std::uint64_t>(began_at));
    append_field(out, "age_seconds", static_cast<std::uint64_t>(std::max<std::int64_t>(now - began_at, 0)));
    out.append('}');
  }
};

}  // namespace

Status IngestStatus::answer(Reads& reads, Buffer& out) const {
  std::vector<StreamRow> rows;
  std::uint64_t active = 0;
  std::uint64_t staged = 0;
  IngestStreams::Limits limits;
  reads.store([&](const store::Store& store) {
    const IngestStreams& streams = store.exactly_once().streams();
    active = streams.active_count();
    staged = streams.staged_points();
    limits = streams.limits();
    std::vector<const ActiveStream*> found;
    if (!stream_id) {
      found = streams.active_behind(cursor.value_or(std::string_view()), limit + 1);
    } else if (const ActiveStream* one = streams.active(*stream_id)) {
      found.push_back(one);
    }
    for (const ActiveStream* stream : found)
      rows.push_back({stream->identity, stream->series, stream->chunks.size(), stream->points, stream->began_at});
  });
  const std::size_t start = out.size();
  out.append('{');
  json::append_field(out, "active_count", active);
  append_field(out, "max_streams", limits.max_streams);
  append_field(out, "staged_points", staged);
  append_field(out, "max_staged_points", limits.max_staged_points);
  append_field(out, "limit", limit);
  out.append(R"(,"streams":[)");
  const std::int64_t now = reads.services().unix_seconds();
  const std::size_t most = std::min<std::size_t>(rows.size(), limit);
  const auto append_end = [&](std::size_t last) {
    out.append(R"(],"next_cursor":)");
    json::append_string(out, rows[last].identity->id);
    out.append('}');
  };
  const std::size_t shown = append_page(
      out, {reads.services(), start}, most, [&](std::size_t i) { rows[i].append(out, now); }, append_end);
  if (shown < rows.size()) {
    append_end(shown - 1);
  } else {
    out.append(R"(],"next_cursor":null})");
  }
  return {};
}

}  // namespace karma::commands
