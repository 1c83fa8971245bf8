// Ingest streams: numbered chunks that count exactly once.
//
//            begin             chunk n = last + 1           commit
//   unknown ──────▶ active ──────────────────────▶ active ──────────▶ committed (remembered: a repeat is recognised)
//                      └───────────── abort ─────────────▶ unknown
//
// add and set change the live series with each chunk; replace_series collects a staged series, which takes the live
// one's place at commit. A stream belongs to the series of its first chunk.
//
// check_*() decide from the state and change nothing; the rest changes the state and never fails. The one that calls
// applies the items to the live series.
//
// Bounds: active streams, staged points and chunks are bounded by refusing more (room_for_*()); of the committed
// streams the newest are kept. Streams of the node itself (kLoadStreamPrefix) take what they need, which is what their
// snapshot holds, and no room of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <karma/error.h>
#include <karma/types.h>

#include "core/ref.h"
#include "store/append_fifo.h"
#include "store/chunk_list.h"
#include "store/fingerprint.h"
#include "store/hash.h"
#include "store/series.h"

namespace karma::store {

// Ingest streams of snapshot.load have ids that begin like this, and nobody else's; what a crash leaves of one is
// aborted at start.
inline constexpr std::string_view kLoadStreamPrefix = "snapshot.load/";

inline constexpr std::uint64_t kMaxChunksPerStream = 1 << 20;
inline constexpr std::uint64_t kMaxActiveChunks = 8 << 20;     // of all active streams: 256 MiB of fingerprints
inline constexpr std::size_t kMaxCommittedStreams = 100000;    // remembered, the newest
inline constexpr std::uint64_t kMaxCommittedChunks = 4 << 20;  // likewise; but the newest stream is always kept

enum class IngestMode : std::uint8_t { add, set, replace_series };
std::string_view to_string(IngestMode mode);
std::optional<IngestMode> ingest_mode_of(std::string_view text);

// What a stream is from its begin on; shared by its copies.
struct StreamIdentity : RefCounted {
  std::string id;
  IngestMode mode = IngestMode::add;
  std::optional<std::string> granularity;  // compared and echoed, nothing more

  Fingerprint begin_fingerprint() const;
};

// What active and committed streams have in common.
struct Stream {
  Ref<const StreamIdentity> identity;
  std::optional<std::string> series;  // absent: there was no chunk
  ChunkList chunks;
};

// A stream that is no longer, or not only, the store's to change.
struct CommittedStream : Stream {
  std::int64_t committed_at = 0;  // Unix seconds; 0 if a log of 1.0 did not say
};

struct ActiveStream : Stream {
  std::int64_t began_at = 0;     // Unix seconds; 0 if a log or file of 1.0 did not say
  std::uint64_t points = 0;      // that have arrived
  std::optional<Series> staged;  // replace_series, from the first chunk on
};

struct ActiveStreamView : Stream {
  std::int64_t began_at = 0;
  std::uint64_t points = 0;
  std::optional<SeriesView> staged;
};

class IngestView;

enum class BeginCheck : std::uint8_t { create, active, committed, other_parameters, committed_otherwise };
enum class ChunkCheck : std::uint8_t {
  next,            // apply it
  skip,            // held already, the stream is active
  skip_committed,  // held already, the stream is committed
  not_found,
  number_is_zero,
  not_the_next,
  other_payload,
  other_series,  // the stream is bound to another one
  committed_otherwise,
};
enum class Room : std::uint8_t { enough, too_many_streams, too_many_chunks, too_many_points };
enum class CommitCheck : std::uint8_t { commit, committed, not_found, nothing_staged };

// Changed by one thread at a time.
class IngestStreams {
 public:
  struct Limits {
    std::uint64_t max_streams = 1000;            // active at a time
    std::uint64_t max_staged_points = 50000000;  // of all active streams together
  };
  // What is admitted but not applied yet, as far as it counts towards the limits.
  struct Ahead {
    std::uint64_t streams = 0;
    std::uint64_t chunks = 0;
    std::uint64_t points = 0;
  };

  IngestStreams(std::uint64_t hash_seed, Limits limits)
      : hash_seed_(hash_seed),
        limits_(limits),
        active_(0, TextHash(hash_seed)),
        committed_numbers_(0, TextHash(hash_seed)) {}
  void set_limits(Limits limits) { limits_ = limits; }
  const Limits& limits() const { return limits_; }

  const ActiveStream* active(std::string_view id) const;
  const CommittedStream* committed(std::string_view id) const;

  BeginCheck check_begin(std::string_view id, IngestMode mode, std::optional<std::string_view> granularity) const;
  ChunkCheck check_chunk(std::string_view id, std::string_view series, std::uint64_t number,
                         const Fingerprint& fingerprint) const;
  CommitCheck check_commit(std::string_view id) const;

  // Whether the bounds allow it. For admission only: what was logged is applied.
  Room room_for_stream(std::string_view id, const Ahead& ahead) const;
  Room room_for_chunk(std::string_view id, std::uint64_t number, IngestMode mode, std::size_t items,
                      const Ahead& ahead) const;

  // Precondition (asserted): unknown id.
  void begin(std::string_view id, IngestMode mode, std::optional<std::string_view> granularity,
             std::int64_t began_at = 0);
  // Precondition (asserted): the chunk is the next one, of the stream's series. Items of replace_series are staged
  // here, so many at a time: nobody sees them, and `in_between` may let readers look at all else. Those of other modes
  // are the caller's.
  static constexpr std::size_t kStagedAtOnce = 256;
  void add_chunk(std::string_view id, std::string_view series, const Fingerprint& fingerprint,
                 std::span<const Item> items, const std::function<void()>& in_between = {});
  // The stream becomes a committed one; returns what replace_series has staged. Precondition (asserted): active.
  std::optional<Series> commit(std::string_view id, std::int64_t committed_at);
  // Forgets an active stream; its staged points are returned, to be freed at leisure.
  std::optional<Series> abort(std::string_view id);

  // Up to `most` active streams whose ids come after `behind`, ascending.
  std::vector<const ActiveStream*> active_behind(std::string_view behind, std::size_t most) const;
  // Those that were begun first, of as many as may be looked at in no time; oldest first.
  std::vector<const ActiveStream*> oldest_active(std::size_t most) const;

  std::size_t active_count() const { return active_.size(); }
  std::size_t committed_count() const { return committed_.size(); }
  std::uint64_t staged_points() const { return staged_points_; }  // as the limit counts them

  IngestView view() const;
  void check_invariants() const;

  // Loading a snapshot. False if the id is known already.
  bool load(ActiveStream stream);
  bool load(CommittedStream stream);

 private:
  static constexpr std::size_t kCommittedPerBlock = 128;
  friend class IngestView;
  using CommittedQueue = AppendFifo<CommittedStream, kCommittedPerBlock>;

  ActiveStream end(std::string_view id);
  void keep_committed(CommittedStream stream);

  std::uint64_t hash_seed_;
  Limits limits_;
  std::unordered_map<std::string, ActiveStream, TextHash, std::equal_to<>> active_;
  CommittedQueue committed_;                                                         // oldest first
  std::unordered_map<std::string_view, std::uint64_t, TextHash> committed_numbers_;  // keys point into the identities
  std::uint64_t active_chunks_ = 0;
  std::uint64_t committed_chunks_ = 0;
  std::uint64_t staged_points_ = 0;
};

// All streams of one moment. Thread-safe to read.
class IngestView {
 public:
  // Oldest commit first.
  std::size_t committed_count() const { return committed_.size(); }
  const CommittedStream& committed(std::size_t i) const { return committed_[i]; }
  // By id, ascending.
  const std::vector<ActiveStreamView>& active() const { return active_; }

 private:
  friend class IngestStreams;
  IngestStreams::CommittedQueue::View committed_;
  std::vector<ActiveStreamView> active_;
};

}  // namespace karma::store
