#include "store/ingest.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace karma::store {
namespace {

bool same(const std::optional<std::string>& held, const std::optional<std::string_view>& asked) {
  return held.has_value() == asked.has_value() && (!held || *held == *asked);
}

bool same_parameters(const StreamIdentity& identity, IngestMode mode,
                     const std::optional<std::string_view>& granularity) {
  return identity.mode == mode && same(identity.granularity, granularity);
}

// A chunk that is no longer the next one must be the one that was taken then.
bool is_held(const Stream& stream, std::string_view series, std::uint64_t number, const Fingerprint& fingerprint) {
  return number <= stream.chunks.size() && stream.series == series && stream.chunks[number] == fingerprint;
}

bool is_own(std::string_view id) { return id.starts_with(kLoadStreamPrefix); }

// What the limit counts of a stream.
std::uint64_t counted_points(const ActiveStream& stream) {
  return stream.staged && !is_own(stream.identity->id) ? stream.staged->bucket_count() : 0;
}

}  // namespace

std::string_view to_string(IngestMode mode) {
  switch (mode) {
    case IngestMode::add:
      return "add";
    case IngestMode::set:
      return "set";
    case IngestMode::replace_series:
      break;
  }
  return "replace_series";
}

std::optional<IngestMode> ingest_mode_of(std::string_view text) {
  for (const IngestMode mode : {IngestMode::add, IngestMode::set, IngestMode::replace_series})
    if (text == to_string(mode)) return mode;
  return std::nullopt;
}

Fingerprint StreamIdentity::begin_fingerprint() const {
  FingerprintBuilder builder("ingest_begin");
  builder.text("stream_id", id);
  builder.text("mode", to_string(mode));
  builder.optional_text("granularity", granularity ? std::optional<std::string_view>(*granularity) : std::nullopt);
  return builder.finish();
}

const ActiveStream* IngestStreams::active(std::string_view id) const {
  const auto found = active_.find(id);
  return found == active_.end() ? nullptr : &found->second;
}

const CommittedStream* IngestStreams::committed(std::string_view id) const {
  const auto found = committed_numbers_.find(id);
  return found == committed_numbers_.end() ? nullptr : &committed_.at(found->second);
}

BeginCheck IngestStreams::check_begin(std::string_view id, IngestMode mode,
                                      std::optional<std::string_view> granularity) const {
  if (const ActiveStream* stream = active(id))
    return same_parameters(*stream->identity, mode, granularity) ? BeginCheck::active : BeginCheck::other_parameters;
  if (const CommittedStream* stream = committed(id))
    return same_parameters(*stream->identity, mode, granularity) ? BeginCheck::committed
                                                                 : BeginCheck::committed_otherwise;
  return BeginCheck::create;
}

ChunkCheck IngestStreams::check_chunk(std::string_view id, std::string_view series, std::uint64_t number,
                                      const Fingerprint& fingerprint) const {
  const ActiveStream* stream = active(id);
  if (stream == nullptr) {
    const CommittedStream* done = committed(id);
    if (done == nullptr) return ChunkCheck::not_found;
    if (number == 0) return ChunkCheck::number_is_zero;
    return is_held(*done, series, number, fingerprint) ? ChunkCheck::skip_committed : ChunkCheck::committed_otherwise;
  }
  if (number == 0) return ChunkCheck::number_is_zero;
  if (number <= stream->chunks.size())
    return is_held(*stream, series, number, fingerprint) ? ChunkCheck::skip : ChunkCheck::other_payload;
  if (number != stream->chunks.size() + 1) return ChunkCheck::not_the_next;
  return stream->series && *stream->series != series ? ChunkCheck::other_series : ChunkCheck::next;
}

Room IngestStreams::room_for_stream(std::string_view id, const Ahead& ahead) const {
  if (is_own(id)) return Room::enough;
  return active_.size() + ahead.streams < limits_.max_streams ? Room::enough : Room::too_many_streams;
}

Room IngestStreams::room_for_chunk(std::string_view id, std::uint64_t number, IngestMode mode, std::size_t items,
                                   const Ahead& ahead) const {
  if (is_own(id)) return Room::enough;
  if (number > kMaxChunksPerStream || active_chunks_ + ahead.chunks >= kMaxActiveChunks) return Room::too_many_chunks;
  if (mode == IngestMode::replace_series && staged_points_ + ahead.points + items > limits_.max_staged_points)
    return Room::too_many_points;
  return Room::enough;
}

CommitCheck IngestStreams::check_commit(std::string_view id) const {
  if (const ActiveStream* stream = active(id))
    return stream->identity->mode == IngestMode::replace_series && !stream->staged ? CommitCheck::nothing_staged
                                                                                   : CommitCheck::commit;
  return committed(id) != nullptr ? CommitCheck::committed : CommitCheck::not_found;
}

void IngestStreams::begin(std::string_view id, IngestMode mode, std::optional<std::string_view> granularity,
                          std::int64_t began_at) {
  KARMA_CHECK(active(id) == nullptr && committed(id) == nullptr);
  auto* identity = new StreamIdentity;
  ActiveStream stream;
  stream.identity = Ref<const StreamIdentity>(identity);
  stream.began_at = began_at;
  identity->id = id;
  identity->mode = mode;
  if (granularity) identity->granularity = std::string(*granularity);
  active_.emplace(std::string(id), std::move(stream));
}

void IngestStreams::add_chunk(std::string_view id, std::string_view series, const Fingerprint& fingerprint,
                              std::span<const Item> items, const std::function<void()>& in_between) {
  const auto found = active_.find(id);
  KARMA_CHECK(found != active_.end());
  ActiveStream& stream = found->second;
  KARMA_CHECK(!stream.series || *stream.series == series);
  if (!stream.series) stream.series = std::string(series);
  stream.chunks.push_back(fingerprint);
  stream.points += items.size();
  ++active_chunks_;
  if (stream.identity->mode != IngestMode::replace_series) return;
  if (!stream.staged) stream.staged.emplace(hash_seed_);
  while (!items.empty()) {
    const std::span<const Item> part = items.first(std::min(items.size(), kStagedAtOnce));
    items = items.subspan(part.size());
    staged_points_ -= counted_points(stream);
    stream.staged->set(part);
    staged_points_ += counted_points(stream);
    if (!items.empty() && in_between) in_between();
  }
}

// Takes it out of the active streams.
ActiveStream IngestStreams::end(std::string_view id) {
  const auto found = active_.find(id);
  KARMA_CHECK(found != active_.end());
  ActiveStream stream = std::move(found->second);
  active_.erase(found);
  active_chunks_ -= stream.chunks.size();
  staged_points_ -= counted_points(stream);
  return stream;
}

std::optional<Series> IngestStreams::commit(std::string_view id, std::int64_t committed_at) {
  ActiveStream stream = end(id);
  keep_committed({static_cast<Stream&&>(stream), committed_at});
  return std::move(stream.staged);
}

std::optional<Series> IngestStreams::abort(std::string_view id) { return std::move(end(id).staged); }

void IngestStreams::keep_committed(CommittedStream stream) {
  committed_chunks_ += stream.chunks.size();
  const std::string_view id = stream.identity->id;
  committed_.push_back(std::move(stream));
  committed_numbers_.emplace(id, committed_.end() - 1);
  while (committed_.size() > kMaxCommittedStreams ||
         (committed_.size() > 1 && committed_chunks_ > kMaxCommittedChunks)) {
    const CommittedStream& oldest = committed_.at(committed_.begin());
    committed_chunks_ -= oldest.chunks.size();
    committed_numbers_.erase(oldest.identity->id);
    committed_.pop_front();
  }
}

bool IngestStreams::load(ActiveStream stream) {
  const std::string& id = stream.identity->id;
  if (active(id) != nullptr || committed(id) != nullptr) return false;
  active_chunks_ += stream.chunks.size();
  staged_points_ += counted_points(stream);
  active_.emplace(id, std::move(stream));
  return true;
}

bool IngestStreams::load(CommittedStream stream) {
  if (active(stream.identity->id) != nullptr || committed(stream.identity->id) != nullptr) return false;
  keep_committed(std::move(stream));
  return true;
}

std::vector<const ActiveStream*> IngestStreams::active_behind(std::string_view behind, std::size_t most) const {
  std::vector<const ActiveStream*> found;
  for (const auto& [id, stream] : active_)
    if (id > behind) found.push_back(&stream);
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), end, found.end(),
                    [](const ActiveStream* a, const ActiveStream* b) { return a->identity->id < b->identity->id; });
  found.erase(end, found.end());
  return found;
}

std::vector<const ActiveStream*> IngestStreams::oldest_active(std::size_t most) const {
  constexpr std::size_t kLookedAt = 1000;
  std::vector<const ActiveStream*> found;
  for (const auto& [id, stream] : active_) {
    found.push_back(&stream);
    if (found.size() == kLookedAt) break;
  }
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), end, found.end(), [](const ActiveStream* a, const ActiveStream* b) {
    return std::pair(a->began_at, std::string_view(a->identity->id)) <
           std::pair(b->began_at, std::string_view(b->identity->id));
  });
  found.erase(end, found.end());
  return found;
}

IngestView IngestStreams::view() const {
  IngestView view;
  view.committed_ = committed_.view();
  view.active_.reserve(active_.size());
  for (const auto& [id, stream] : active_)
    view.active_.push_back(
        {stream, stream.began_at, stream.points, stream.staged ? std::optional(stream.staged->view()) : std::nullopt});
  std::sort(view.active_.begin(), view.active_.end(),
            [](const ActiveStreamView& a, const ActiveStreamView& b) { return a.identity->id < b.identity->id; });
  return view;
}

void IngestStreams::check_invariants() const {
  std::uint64_t chunks = 0;
  std::uint64_t points = 0;
  for (const auto& [id, stream] : active_) {
    KARMA_CHECK(id == stream.identity->id && committed(id) == nullptr);
    KARMA_CHECK(stream.series.has_value() == (stream.chunks.size() != 0));
    KARMA_CHECK(stream.staged.has_value() == (stream.series && stream.identity->mode == IngestMode::replace_series));
    chunks += stream.chunks.size();
    if (!stream.staged) continue;
    stream.staged->check_invariants();
    points += counted_points(stream);
  }
  KARMA_CHECK(chunks == active_chunks_ && points == staged_points_);
  chunks = 0;
  for (std::uint64_t number = committed_.begin(); number < committed_.end(); ++number) {
    KARMA_CHECK(committed(committed_.at(number).identity->id) == &committed_.at(number));
    chunks += committed_.at(number).chunks.size();
  }
  KARMA_CHECK(chunks == committed_chunks_ && committed_numbers_.size() == committed_.size());
}

}  // namespace karma::store
