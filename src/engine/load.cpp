// snapshot.load: the content of a file replaces a series, through the log. It is staged by an ingest stream of its own
// and swapped in by one entry, so that the load holds after a restart and on replicas, and no reader sees half.
#include <random>

#include "core/json_text.h"
#include "engine/engine.h"
#include "engine/submitter.h"

namespace karma::engine {
namespace {

class Loader {
 public:
  // Small, so that the writes of others wait for less of it.
  static constexpr std::size_t kChunkPoints = 4000;

  Loader(Submitter& submitter, std::string stream_id, std::string series)
      : submitter_(submitter), stream_id_(std::move(stream_id)), series_(std::move(series)) {}

  Status begin() {
    start("ingest.begin");
    out_.append(R"(,"mode":"replace_series"})");
    return submitter_.execute(out_.view());
  }

  Status add(Key key, std::span<const store::Point> points) {
    for (const store::Point& point : points) {
      // The values of one batch add up to a number of 64 bits; those of a series need not.
      if (item_sum_ > UINT64_MAX - point.value)
        if (Status status = chunk(); !status) return status;
      item_sum_ += point.value;
      items_.append(items_.empty() ? "[[" : ",[");
      json::append_number(items_, key.value);
      items_.append(',');
      json::append_number(items_, point.bucket.number());
      items_.append(',');
      json::append_number(items_, point.value);
      items_.append(']');
      if (++item_count_ == kChunkPoints)
        if (Status status = chunk(); !status) return status;
    }
    return {};
  }

  // An empty last chunk is right: a series without points is one, too.
  Status finish() {
    if (Status status = chunk(); !status) return status;
    start("ingest.commit");
    out_.append('}');
    return submitter_.execute(out_.view(), Submitter::Until::confirmed);
  }

  void abort() {
    start("ingest.abort");
    out_.append('}');
    // If even that is refused, the next start finds the stream and aborts it.
    (void)submitter_.execute(out_.view());
  }

 private:
  void start(std::string_view op) {
    out_.clear();
    out_.append(R"({"v":2,"op":")");
    out_.append(op);
    out_.append(R"(","stream_id":)");
    json::append_string(out_, stream_id_);
  }

  Status chunk() {
    start("ingest.chunk");
    json::append_bytes_field(out_, "series", series_);
    json::append_field(out_, "chunk_seq", ++sequence_);
    out_.append(R"(,"items":)");
    out_.append(items_.empty() ? std::string_view("[") : items_.view());
    out_.append("]}");
    items_.clear();
    item_count_ = 0;
    item_sum_ = 0;
    return submitter_.execute(out_.view());
  }

  Submitter& submitter_;
  const std::string stream_id_;
  const std::string series_;
  Buffer out_;
  Buffer items_;
  std::size_t item_count_ = 0;
  std::uint64_t item_sum_ = 0;
  std::uint64_t sequence_ = 0;
};

// Unique over all lives of the node: a stream that was committed once is never committed again. The LSN alone is not
// enough, because it stands still without a log.
std::string load_stream_id(const std::string& file, Lsn lsn) {
  std::random_device device;
  const std::uint64_t number = static_cast<std::uint64_t>(device()) << 32 | device();
  return std::string(store::kLoadStreamPrefix) + file + "/" + std::to_string(lsn.value) + "-" + std::to_string(number);
}

}  // namespace

// A load that a crash interrupted is never resumed: its staged points are dropped.
void Engine::abort_unfinished_loads() {
  std::vector<std::string> unfinished;
  const store::IngestView streams = store_.exactly_once().streams().view();
  for (const store::ActiveStreamView& stream : streams.active())
    if (stream.identity->id.starts_with(store::kLoadStreamPrefix)) unfinished.push_back(stream.identity->id);
  if (unfinished.empty()) return;
  Submitter submitter(*this);
  for (const std::string& id : unfinished) Loader(submitter, id, {}).abort();
}

Result<std::string> Engine::load_snapshot(const std::string& file) {
  Result<snapshot::Meta> meta = snapshots_->meta(file);
  if (!meta) {
    if (meta.error().code != ErrorCode::not_found) return meta.error();
    return Error{ErrorCode::not_found, "Dump \"" + file + "\" not found"};
  }
  const auto stopped = [this] { return jobs_abandoned_.load(std::memory_order_relaxed); };
  // Keys that come in the order of their hashes fill one end of a directory, which does not grow for it: its pages
  // would have thousands of counters, and each change of one would hold up everybody. So this copy hashes in another
  // way than the series that was saved and the one that is filled.
  Result<store::Series> content = snapshots_->load(file, store::Series(~store_.hash_seed()), stopped);
  if (stopped()) return shutting_down();
  if (!content) return content.error();

  Submitter submitter(*this);
  Loader loader(submitter, load_stream_id(file, wal_->last()), meta->series);
  Status status = loader.begin();
  if (!status) return status.error();
  content->for_each([&](Key key, std::uint64_t, std::span<const store::Point> points) {
    if (status && stopped()) status = shutting_down();
    if (status) status = loader.add(key, points);
  });
  if (status) status = loader.finish();
  if (!status) {
    loader.abort();
    return status.error();
  }
  return meta->series;
}

}  // namespace karma::engine
