// ingest.*: a stream of numbered chunks that counts exactly once, however often a producer repeats itself. What a
// stream is and may do is in store/ingest.h.
//
// Repeats (of a begin, a chunk, a commit) are answered without being logged.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "commands/fingerprint.h"
#include "commands/ingest_answers.h"
#include "commands/op.h"

namespace karma::commands {

// Mutations that name a stream and whose answer is the outcome's message.
struct OfStream {
  static constexpr std::size_t kMaxReplyBytes = 256;  // without the text that it echoes
  std::string_view stream_id;

  static void describe(auto& self, auto& fields) { fields.stream_id(self.stream_id); }
  std::size_t echoed_bytes() const { return json::escaped_bytes(stream_id); }
  void reply(const Outcome& outcome, Buffer& out) const { out.append(outcome.message); }
};

struct IngestBegin : OfStream {
  static constexpr Spec kSpec{.name = "ingest.begin", .command = "ingest_begin"};
  store::IngestMode mode = store::IngestMode::add;
  std::optional<std::string_view> granularity;
  std::int64_t began_at = 0;

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.ingest_mode(self.mode);
    fields.granularity(self.granularity);
    fields.logged_time(Field::began_at_unix, self.began_at);
  }
  std::size_t echoed_bytes() const {
    return OfStream::echoed_bytes() + (granularity ? json::escaped_bytes(*granularity) : 0);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const store::IngestStreams& streams = store.exactly_once().streams();
    if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
    if (answer_begin(streams, stream_id, mode, granularity, outcome)) return Verdict::answered;
    const store::Room room = streams.room_for_stream(stream_id, pending.streams.ahead());
    if (room != store::Room::enough && pending.any) return Verdict::flush_first;
    if (refuse_without_room(room, streams, began_at, outcome)) return Verdict::answered;
    pending.streams.begin(stream_id);
    return Verdict::log;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::IngestStreams& streams = store.exactly_once().streams();
    if (answer_begin(streams, stream_id, mode, granularity, outcome)) return;
    streams.begin(stream_id, mode, granularity, began_at);
    tell_status(*streams.active(stream_id), "active", outcome);
  }
};

struct IngestChunk : OfStream {
  static constexpr Spec kSpec{.name = "ingest.chunk", .command = "ingest_chunk"};
  SeriesName series;
  std::uint64_t number = 0;
  std::span<const Item> items;
  std::string_view items_text;  // of the request, until it is encoded
  std::uint64_t sum = 0;
  store::Fingerprint fingerprint{};
  std::chrono::steady_clock::time_point decoded;  // for the statistics alone

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.series(self.series);
    fields.number(Field::chunk_seq, self.number);
    fields.items(self.items, self.items_text, 0);
  }
  // After the fields, still on the thread that decodes: hashing thousands of items is not for the writer.
  Status check() {
    decoded = std::chrono::steady_clock::now();
    for (const Item& item : items) sum += item.value;  // the decoder has checked that it fits
    fingerprint = fingerprint_of(*this);
    return {};
  }

  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const store::ExactlyOnceState& exactly_once = store.exactly_once();
    const PendingStreams::Stream* ahead = pending.streams.find(stream_id);
    const store::ActiveStream* stream = exactly_once.streams().active(stream_id);
    if (ahead != nullptr) {
      // Chunks after chunks, all of them new, need no flush: a producer may send them one after the other.
      const bool next = stream != nullptr && ahead->chunks != 0 &&
                        number == stream->chunks.size() + ahead->chunks + 1 && series.text == ahead->series;
      return next ? admit_next(store, *stream, pending, outcome) : Verdict::flush_first;
    }
    const store::ChunkCheck check = check_in(store);
    if (is_held(check)) {
      skipped(check, outcome);
      count(exactly_once.counters().chunks_skipped);
      return Verdict::answered;
    }
    if (!answer_chunk(check, stream_id, exactly_once.streams(), outcome))
      return admit_next(store, *stream, pending, outcome);
    count(exactly_once.counters().chunks_rejected);
    return Verdict::answered;
  }

  // Live; what is replayed was counted when it came.
  store::Series* changed(store::Store& store) const {
    const store::ActiveStream* const stream = std::as_const(store).exactly_once().streams().active(stream_id);
    return stream == nullptr ? nullptr : const_cast<store::Series*>(target(store, *stream));
  }
  void apply(store::Store& store, Outcome& outcome) const {
    if (!apply_next(store, Part::all, outcome)) return;
    store::ExactlyOnceCounters& counters = store.exactly_once().counters();
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - decoded);
    count(counters.chunks_applied);
    count(counters.items_applied, items.size());
    count(counters.chunk_nanoseconds, static_cast<std::uint64_t>(took.count()));
    counters.last_chunk_nanoseconds.store(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  }

  Replayed replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const {
    const bool has_items = coverage.series(series.text);
    if (!coverage.exactly_once()) {
      const store::ActiveStream* stream = store.exactly_once().streams().active(stream_id);
      const bool staged = stream != nullptr && stream->identity->mode == store::IngestMode::replace_series;
      apply_next(store, has_items && !staged ? Part::stream_only : Part::all, outcome);
      return Replayed::applied;
    }
    const bool held = is_held(check_in(store));
    if (has_items) {
      if (held) (void)coverage.first_time(stream_id, number);
      return Replayed::covered;
    }
    // The series is older than the exactly-once state: what its stream was is known only if it is remembered.
    const std::optional<store::IngestMode> mode = known_mode(store.exactly_once().streams());
    if (mode && *mode == store::IngestMode::replace_series) return Replayed::covered;
    // Karma 1.0 logged before it refused, and what overflows now overflowed then.
    const store::Series* changed = store.find(series.text);
    if (mode && refuse_zero(*mode, items, outcome)) return Replayed::applied;
    if (mode && changed != nullptr && refuse_overflow(find_overflow(*mode, *changed), outcome))
      return Replayed::applied;
    if (!mode || !held) {
      outcome.fail(not_rebuilt(series.text, stream_id));
    } else if (coverage.first_time(stream_id, number)) {
      apply_items(store, *mode);
    } else {
      return Replayed::covered;
    }
    return Replayed::applied;
  }

  void reply(const Outcome& outcome, Buffer& out) const {
    if (!outcome.message.empty()) return out.append(outcome.message);
    out.append('{');
    append_field(out, "stream_id", stream_id);
    append_field(out, "chunk_seq", number);
    append_truth_field(out, "skipped", false);
    append_field(out, "applied", outcome.first);
    append_field(out, "total", outcome.second);
    out.append('}');
  }

 private:
  enum class Part { all, stream_only };

  static void count(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.fetch_add(by, std::memory_order_relaxed);
  }
  static bool is_held(store::ChunkCheck check) {
    return check == store::ChunkCheck::skip || check == store::ChunkCheck::skip_committed;
  }
  store::ChunkCheck check_in(const store::Store& store) const {
    return store.exactly_once().streams().check_chunk(stream_id, series.text, number, fingerprint);
  }
  std::optional<store::IngestMode> known_mode(const store::IngestStreams& streams) const {
    if (const store::ActiveStream* stream = streams.active(stream_id)) return stream->identity->mode;
    if (const store::CommittedStream* stream = streams.committed(stream_id)) return stream->identity->mode;
    return std::nullopt;
  }
  // The series that it changes, as far as it exists.
  const store::Series* target(const store::Store& store, const store::ActiveStream& stream) const {
    if (stream.identity->mode != store::IngestMode::replace_series) return store.find(series.text);
    return stream.staged ? &*stream.staged : nullptr;
  }
  // What adding or setting the items would overflow, given what they are applied to.
  const Item* find_overflow(store::IngestMode mode, const store::SeriesReads& found) const {
    return mode == store::IngestMode::add ? store::first_overflow(found, items)
                                          : store::first_set_overflow(found, items);
  }
  void skipped(store::ChunkCheck check, Outcome& outcome) const {
    outcome.first = outcome.second = 0;
    tell(outcome, [&](Buffer& out) {
      append_field(out, "stream_id", stream_id);
      append_field(out, "chunk_seq", number);
      append_truth_field(out, "skipped", true);
      append_truth_field(out, "committed", check == store::ChunkCheck::skip_committed);
      append_field(out, "applied", 0);
      append_field(out, "total", 0);
    });
  }

  Verdict admit_next(const store::Store& store, const store::ActiveStream& stream, Pending& pending,
                     Outcome& outcome) const {
    const store::ExactlyOnceState& exactly_once = store.exactly_once();
    const store::IngestMode mode = stream.identity->mode;
    const bool staged = mode == store::IngestMode::replace_series;
    const auto rejected = [&exactly_once] { return count(exactly_once.counters().chunks_rejected), Verdict::answered; };
    if (refuse_zero(mode, items, outcome)) return rejected();
    const store::Room room =
        exactly_once.streams().room_for_chunk(stream_id, number, mode, items.size(), pending.streams.ahead());
    if (room != store::Room::enough && pending.any) return Verdict::flush_first;
    if (refuse_without_room(room, exactly_once.streams(), 0, outcome)) return rejected();

    const store::Series* changed = target(store, stream);
    const Verdict verdict = admit_sum(
        changed, sum, Adds::to_several, pending, outcome,
        [&](const store::Series& found) { return store::largest_total(found, items); },
        [&](const store::Series* found, Outcome& refused) {
          return found != nullptr && refuse_overflow(find_overflow(mode, *found), refused);
        });
    if (verdict == Verdict::answered) return rejected();
    if (verdict != Verdict::log) return verdict;
    if (mode != store::IngestMode::add) pending.of(changed).lowered = true;
    if (!staged && changed == nullptr) pending.of(changed).created = true;
    pending.streams.add_chunk(stream_id, series.text, staged ? items.size() : 0);
    return Verdict::log;
  }

  // Whether it was applied: entries of other logs may be refused.
  bool apply_next(store::Store& store, Part part, Outcome& outcome) const {
    store::IngestStreams& streams = store.exactly_once().streams();
    const store::ChunkCheck check = check_in(store);
    // Only a log of Karma 1.0 holds chunks that are skipped.
    if (is_held(check)) return skipped(check, outcome), false;
    if (answer_chunk(check, stream_id, streams, outcome)) return false;
    const store::ActiveStream& stream = *streams.active(stream_id);
    const store::IngestMode mode = stream.identity->mode;
    if (refuse_zero(mode, items, outcome)) return false;
    const store::Series* changed = target(store, stream);
    if (part == Part::all && changed != nullptr && refuse_overflow(find_overflow(mode, *changed), outcome))
      return false;

    streams.add_chunk(stream_id, series.text, fingerprint, items, [&store] { store.lock().let_readers_in(); });
    if (part == Part::all) apply_items(store, mode);
    outcome.first = items.size();
    outcome.second = sum;
    return true;
  }
  // Those of replace_series are in the stream.
  void apply_items(store::Store& store, store::IngestMode mode) const {
    if (mode == store::IngestMode::add) store.find_or_create(series.text).add(items);
    if (mode == store::IngestMode::set) store.find_or_create(series.text).set(items);
  }
};

struct IngestCommit : OfStream {
  static constexpr Spec kSpec{.name = "ingest.commit", .command = "ingest_commit"};
  std::int64_t committed_at = 0;

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.logged_time(Field::committed_at_unix, self.committed_at);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const store::IngestStreams& streams = store.exactly_once().streams();
    if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
    if (answer_commit(streams, stream_id, outcome)) return Verdict::answered;
    const store::ActiveStream& stream = *streams.active(stream_id);
    if (stream.identity->mode == store::IngestMode::replace_series) {
      PendingSeries& ahead = pending.of(store.find(*stream.series));
      ahead.created = ahead.removed = true;
    }
    pending.streams.end(stream_id);
    return Verdict::log;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::IngestStreams& streams = store.exactly_once().streams();
    if (answer_commit(streams, stream_id, outcome)) return;
    std::optional<store::Series> staged = streams.commit(stream_id, committed_at);
    const store::CommittedStream& stream = *streams.committed(stream_id);
    if (staged) store.replace(*stream.series, std::move(*staged));
    tell_end(stream_id, "committed", stream.chunks.size(), outcome);
  }
  Replayed replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const {
    store::IngestStreams& streams = store.exactly_once().streams();
    if (coverage.exactly_once()) {
      const store::CommittedStream* stream = streams.committed(stream_id);
      if (stream == nullptr || stream->identity->mode != store::IngestMode::replace_series) return Replayed::covered;
      if (!coverage.series(*stream->series)) outcome.fail(not_rebuilt(*stream->series, stream_id));
      return outcome.failed ? Replayed::applied : Replayed::covered;
    }
    const store::ActiveStream* stream = streams.active(stream_id);
    if (stream != nullptr && stream->series && coverage.series(*stream->series)) {
      if (!answer_commit(streams, stream_id, outcome)) (void)streams.commit(stream_id, committed_at);
    } else {
      apply(store, outcome);
    }
    return Replayed::applied;
  }
};

struct IngestAbort : OfStream {
  static constexpr Spec kSpec{.name = "ingest.abort", .command = "ingest_abort", .deletes = true};

  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    if (pending.streams.find(stream_id) != nullptr) return Verdict::flush_first;
    if (store.exactly_once().streams().active(stream_id) == nullptr)
      return not_found(stream_id, outcome), Verdict::answered;
    pending.streams.end(stream_id);
    return Verdict::log;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::IngestStreams& streams = store.exactly_once().streams();
    const store::ActiveStream* stream = streams.active(stream_id);
    if (stream == nullptr) return void(not_found(stream_id, outcome));
    const std::uint64_t last = stream->chunks.size();
    if (std::optional<store::Series> staged = streams.abort(stream_id)) store.free_later(std::move(*staged));
    tell_end(stream_id, "aborted", last, outcome);
  }
};

// The active streams, page by page, or one of them: who has forgotten which.
struct IngestStatus {
  static constexpr Spec kSpec{.name = "ingest.status", .command = "ingest_status"};
  std::optional<std::string_view> stream_id;
  std::uint64_t limit = 0;
  std::optional<std::string_view> cursor;

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.limit(self.limit, protocol::kDefaultListLimit, protocol::kMaxListLimit);
    fields.cursor(self.cursor);
  }
  Status answer(Reads& reads, Buffer& out) const {
    std::vector<store::ActiveStreamView> rows;
    std::uint64_t active = 0;
    std::uint64_t staged = 0;
    store::IngestStreams::Limits limits;
    reads.store([&](const store::Store& store) {
      const store::IngestStreams& streams = store.exactly_once().streams();
      active = streams.active_count();
      staged = streams.staged_points();
      limits = streams.limits();
      std::vector<const store::ActiveStream*> found;
      if (!stream_id) {
        found = streams.active_behind(cursor.value_or(std::string_view()), limit + 1);
      } else if (const store::ActiveStream* one = streams.active(*stream_id)) {
        found.push_back(one);
      }
      for (const store::ActiveStream* stream : found)
        rows.push_back({*stream, stream->began_at, stream->points, std::nullopt});
    });
    const std::size_t start = out.size();
    out.append('{');
    append_field(out, "active_count", active);
    append_field(out, "max_streams", limits.max_streams);
    append_field(out, "staged_points", staged);
    append_field(out, "max_staged_points", limits.max_staged_points);
    append_field(out, "limit", limit);
    out.append(R"(,"streams":[)");
    const std::int64_t now = reads.services().unix_seconds();
    const std::size_t most = std::min<std::size_t>(rows.size(), limit);
    const auto append_end = [&](std::size_t last) {
      out.append(']');
      append_text(out, "next_cursor", last + 1 < rows.size() ? std::optional(rows[last].identity->id) : std::nullopt);
      out.append('}');
    };
    const std::size_t shown = append_page(
        out, {reads.services(), start}, most, [&](std::size_t i) { append_row(out, rows[i], now); }, append_end);
    append_end(shown - 1);
    return {};
  }

 private:
  static void append_row(Buffer& out, const store::ActiveStreamView& stream, std::int64_t now) {
    out.append('{');
    append_stream(out, stream);
    append_field(out, "last_chunk_seq", stream.chunks.size());
    append_field(out, "points", stream.points);
    if (stream.began_at == 0) {
      append_text(out, "began_at_unix", std::nullopt);
      append_text(out, "age_seconds", std::nullopt);
    } else {
      json::append_signed_field(out, "began_at_unix", stream.began_at);
      json::append_signed_field(out, "age_seconds", std::max<std::int64_t>(now - stream.began_at, 0));
    }
    out.append('}');
  }
};

}  // namespace karma::commands
