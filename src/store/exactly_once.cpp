#include "store/exactly_once.h"

#include "core/buffer.h"
#include "core/json_text.h"

namespace karma::store {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

// The text on its way to the sink. What is appended is small, except for names; after an error nothing more is passed
// on.
class Output {
 public:
  explicit Output(const std::function<Status(std::string_view)>& sink) : sink_(sink) {}

  Output& raw(std::string_view text) {
    buffer_.append(text);
    return *this;
  }
  Output& text(std::string_view text) {
    json::append_bytes(buffer_, text);
    return *this;
  }
  Output& number(std::uint64_t number) {
    json::append_number(buffer_, number);
    return *this;
  }
  Output& hex(const Fingerprint& fingerprint) {
    buffer_.append('"');
    write_hex(fingerprint, buffer_.reserve(kSha256HexBytes));
    buffer_.commit(kSha256HexBytes);
    buffer_.append('"');
    return *this;
  }
  Buffer& buffer() { return buffer_; }

  // Call it now and then. False: there is no use in going on.
  bool pass_on() {
    if (buffer_.size() >= kPieceBytes) flush();
    return status_.ok();
  }
  Status finish() {
    flush();
    return status_;
  }

 private:
  void flush() {
    if (status_ && !buffer_.empty()) status_ = sink_(buffer_.view());
    buffer_.clear();
  }

  const std::function<Status(std::string_view)>& sink_;
  Buffer buffer_;
  Status status_;
};

// 1.0 reads signed numbers only, and times are never negative here.
std::uint64_t seconds(std::int64_t time) { return time < 0 ? 0 : static_cast<std::uint64_t>(time); }

void write_records(Output& out, Operations operations, const IdempotencyView& records) {
  bool first = true;
  records.for_each([&](const IdempotencyRecord& record) {
    out.raw(first ? R"({"key":)" : R"(,{"key":)").text(record.key.text);
    first = false;
    const auto& [command, reply] = operation(operations, record.operation);
    out.raw(R"(,"operation":)").text(command);
    out.raw(R"(,"fingerprint":)").hex(record.content.fingerprint(command)).raw(R"(,"response":)");
    reply.append(out.buffer(), record.first, record.second);
    out.raw(R"(,"created_at_unix":)").number(seconds(record.created_at)).raw("}");
    return out.pass_on();
  });
}

// What committed and active streams have in common, without the closing brace.
void write_stream(Output& out, const Stream& stream) {
  const StreamIdentity& identity = *stream.identity;
  const ChunkList& chunks = stream.chunks;
  out.raw(R"({"stream_id":)").text(identity.id).raw(R"(,"mode":)").text(to_string(identity.mode));
  if (identity.granularity) out.raw(R"(,"granularity":)").text(*identity.granularity);
  if (stream.series) out.raw(R"(,"series_name":)").text(*stream.series);
  out.raw(R"(,"last_chunk_seq":)").number(chunks.size());
  out.raw(R"(,"begin_fingerprint":)").hex(identity.begin_fingerprint());
  out.raw(R"(,"chunk_fingerprints":{)");
  for (std::uint64_t number = 1; number <= chunks.size() && out.pass_on(); ++number)
    out.raw(number == 1 ? R"(")" : R"(,")").number(number).raw(R"(":)").hex(chunks[number]);
  out.raw("}");
}

void write_staged(Output& out, const SeriesView& staged) {
  out.raw(R"(,"staged":[)");
  bool first = true;
  const auto counter = [&](Key key, std::uint64_t, std::span<const Point> points) {
    for (const Point& point : points) {
      out.raw(first ? "[" : ",[").number(key.value).raw(",").number(point.bucket.number());
      out.raw(",").number(point.value).raw("]");
      first = false;
      if (!out.pass_on()) return;
    }
  };
  staged.for_each(counter);
  out.raw("]");
}

}  // namespace

Status ExactlyOnceView::write_json(Operations operations, const std::function<Status(std::string_view)>& sink) const {
  Output out(sink);
  out.raw(R"({"records":[)");
  write_records(out, operations, records_);
  out.raw(R"(],"committed_streams":[)");
  for (std::size_t i = 0; i < streams_.committed_count() && out.pass_on(); ++i) {
    const CommittedStream& stream = streams_.committed(i);
    if (i != 0) out.raw(",");
    write_stream(out, stream);
    out.raw(R"(,"committed_at_unix":)").number(seconds(stream.committed_at)).raw("}");
  }
  out.raw("]");
  if (!streams_.active().empty()) {
    out.raw(R"(,"active_streams":[)");
    bool first = true;
    for (const ActiveStreamView& stream : streams_.active()) {
      if (!out.pass_on()) break;
      if (!first) out.raw(",");
      first = false;
      write_stream(out, stream);
      if (stream.began_at != 0) out.raw(R"(,"began_at_unix":)").number(seconds(stream.began_at));
      out.raw(R"(,"points":)").number(stream.points);
      if (stream.staged) write_staged(out, *stream.staged);
      out.raw("}");
    }
    out.raw("]");
  }
  out.raw("}");
  return out.finish();
}

ExactlyOnceState::ExactlyOnceState(std::uint64_t hash_seed) : ExactlyOnceState(hash_seed, Limits()) {}

ExactlyOnceState::ExactlyOnceState(std::uint64_t hash_seed, const Limits& limits)
    : hash_seed_(hash_seed), records_(hash_seed, limits.records), streams_(hash_seed, limits.streams) {}

void ExactlyOnceState::set_limits(const Limits& limits) {
  records_.set_limits(limits.records);
  streams_.set_limits(limits.streams);
}

ExactlyOnceView ExactlyOnceState::view() const { return ExactlyOnceView(records_.view(), streams_.view()); }

void ExactlyOnceState::check_invariants() const {
  records_.check_invariants();
  streams_.check_invariants();
}

}  // namespace karma::store
