// The node that a slave follows, as the slave sees it: one kept connection, questions and their answers.
//
// Not thread-safe, except for interrupt(). A failure loses the connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>
#include <karma/types.h>

#include "engine/submitter.h"
#include "ops/checkpoints.h"
#include "protocol/client.h"
#include "snapshot/manager.h"
#include "store/digest.h"

namespace karma::replication {

// What this slave says of itself; nothing to a Karma 1.0.
struct Self {
  std::string id;              // empty: nothing
  std::optional<Lsn> durable;  // up to here everything is on its disk; nothing: it does not sync
  std::string epoch;           // of its last entry
};

// Of the master's log. Valid until the next question.
struct Page {
  Lsn source;                                // up to where the master's log reaches
  std::vector<engine::LoggedEntry> entries;  // LSNs ascending without a gap from the one asked for
  // How long ago the entry after these was committed; 0: there is none. Nothing: not known, or a Karma 1.0.
  std::optional<std::chrono::milliseconds> next_age;
  bool more = false;                // the limits of the page kept others out
  std::deque<std::string> decoded;  // texts of entries that are no UTF-8
  // The epochs of the entry asked after and of the last one; empty of a Karma 1.0, and where they are not known.
  std::string epoch_after;
  std::string epoch_last;
  std::optional<std::uint64_t> checkpoint_revision;  // changes with the master's checkpoints; none of a Karma 1.0
};

// Of the master's counters.
struct MasterDigest {
  Lsn lsn;
  bool ready = false;  // the rest is there
  std::string epoch;   // of that LSN; empty where it is not known
  store::Digest all;
  std::map<std::string, store::Digest, std::less<>> series;
  bool all_named = true;  // false: the reply had no room for the other series
};

// The snapshots that the master holds.
struct SnapshotList {
  std::vector<snapshot::Meta> series;  // the newest of each
  std::optional<snapshot::ExactlyOnceMeta> exactly_once;
};

class Source {
 public:
  // What a master may make this node keep in memory.
  static constexpr std::size_t kMaxReplyBytes = std::size_t{256} << 20;
  static constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{256} << 20;
  static constexpr std::size_t kMaxCheckpoints = 100000;

  explicit Source(protocol::Endpoint endpoint);

  Status connect() { return client_.connect(); }
  bool connected() const { return client_.connected(); }
  void close() { client_.close(); }
  void interrupt() { client_.interrupt(); }                                   // from any thread
  void resume() { client_.resume(); }                                         // after that
  void set_token(std::string token) { client_.set_token(std::move(token)); }  // from any thread

  // Asks for entries above `after`; take_page() gets the answer. Both may be called one page ahead.
  // `wait`: for an entry, where there is none; a Karma 1.0 answers at once.
  Status ask_for_page(Lsn after, int limit, std::chrono::milliseconds wait = {}, const Self& self = {});
  // replication_gap: the master's log does not reach back so far. replication_error: what came is no page after
  // `after`.
  Status take_page(Lsn after, int limit, Page& page);

  // Whose entries the master's log holds; an empty one of a Karma 1.0.
  Result<engine::History> history();
  bool keeps_log() const { return keeps_log_; }  // as history() saw it
  // At the lowest LSN from `after` on for which the master has one, or of now, which it then begins to count.
  Result<MasterDigest> digest(Lsn after);
  struct Chain {
    std::uint64_t count = 0;
    store::Digest value;
  };
  // Of at most `limit` entries after `after`.
  Result<Chain> chain(Lsn after, std::uint64_t limit);
  // Of producers, page by page; or, of a master that knows no pages, as its status has them.
  Result<ops::Checkpoints::Map> checkpoints(bool in_pages);
  // In one reply: for masters without a manifest.
  Result<SnapshotList> snapshots();
  // Pieces of a whole file, in order. Its description must stay what it was when it was listed.
  using Sink = std::function<Status(std::string_view piece)>;
  Status fetch(const snapshot::Meta& meta, const Sink& sink);
  Status fetch(const snapshot::ExactlyOnceMeta& meta, const Sink& sink);
  // Nothing if the master has none that counts, or is a Karma 1.0.
  Result<std::optional<std::string>> manifest();

 private:
  using Fields = protocol::Client::Fields;
  // Whether a piece is one of the file that was listed.
  using SameFile = std::function<bool(const nlohmann::json& metadata)>;
  Result<protocol::Reply> ask(std::string_view op, const Fields& fields);
  Status fetch(std::string_view op, Fields fields, std::uint64_t bytes, const SameFile& same, const Sink& sink);
  Error bad_reply(std::string_view what);

  protocol::Client client_;
  bool keeps_log_ = true;
};

}  // namespace karma::replication
