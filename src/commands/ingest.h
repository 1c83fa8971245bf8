// ingest.*: a stream of numbered chunks that counts exactly once, however often a producer repeats itself. What a
// stream is and may do is in store/ingest.h.
//
// Repeats (of a begin, a chunk, a commit) are answered without being logged.
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "commands/fingerprint.h"
#include "commands/op.h"

namespace karma::commands {

struct IngestBegin {
  static constexpr Spec kSpec{.name = "ingest.begin", .command = "ingest_begin"};
  static constexpr std::size_t kMaxReplyBytes = 256;
  std::string_view stream_id;
  store::IngestMode mode = store::IngestMode::add;
  std::optional<std::string_view> granularity;
  std::int64_t began_at = 0;

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.ingest_mode(self.mode);
    fields.granularity(self.granularity);
    fields.began_at(self.began_at);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

struct IngestChunk {
  static constexpr Spec kSpec{.name = "ingest.chunk", .command = "ingest_chunk"};
  static constexpr std::size_t kMaxReplyBytes = 256;
  std::string_view stream_id;
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
    fields.chunk_seq(self.number);
    fields.items(self.items, self.items_text, 0);
  }
  // After the fields, still on the thread that decodes: hashing thousands of items is not for the writer.
  Status check();
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  store::Series* changed(store::Store& store) const;
  void apply(store::Store& store, Outcome& outcome) const;
  Replayed replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;

 private:
  enum class Part { all, stream_only };
  // Whether it was applied: entries of other logs may be refused.
  bool apply_next(store::Store& store, Part part, Outcome& outcome) const;
  void apply_items(store::Store& store, store::IngestMode mode) const;
  Verdict admit_next(const store::Store& store, const store::ActiveStream& stream, Pending& pending,
                     Outcome& outcome) const;
  void skipped(bool committed, Outcome& outcome) const;
};

struct IngestCommit {
  static constexpr Spec kSpec{.name = "ingest.commit", .command = "ingest_commit"};
  static constexpr std::size_t kMaxReplyBytes = 256;
  std::string_view stream_id;
  std::int64_t committed_at = 0;

  static void describe(auto& self, auto& fields) {
    fields.stream_id(self.stream_id);
    fields.committed_at(self.committed_at);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  Replayed replay(store::Store& store, const Coverage& coverage, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

struct IngestAbort {
  static constexpr Spec kSpec{.name = "ingest.abort", .command = "ingest_abort", .deletes = true};
  static constexpr std::size_t kMaxReplyBytes = 256;
  std::string_view stream_id;

  static void describe(auto& self, auto& fields) { fields.stream_id(self.stream_id); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
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
  Status answer(Reads& reads, Buffer& out) const;
};

}  // namespace karma::commands
