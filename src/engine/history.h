// Whose entries these are. An LSN alone does not tell: a master that was wiped, or put back to an old backup, gives the
// same numbers to other entries. So each start of a master begins an epoch, with an id of its own and the LSN of its
// first entry. Two logs that are in the same epoch at an LSN are the same up to that LSN. Slaves keep their master's
// list.
//
// The term tells who is the later master: it grows when a node that followed another one starts as master, and stays
// when a master starts again.
//
// karma.history.json: {"format":1,"following":false,"epochs":[["<32 hex digits>",<first LSN>,<term>],…],"crc32c":…},
// first LSNs ascending. A start without entries since the one before takes its place; the oldest go where there are too
// many. Of a slave that was promoted while it ran, "promoted_from":"host:port" before the epochs names the master that
// it followed ("" if none).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <karma/error.h>
#include <karma/file_system.h>
#include <karma/types.h>

namespace karma::engine {

inline constexpr std::string_view kHistoryName = "karma.history.json";

// For an epoch or a replica.
std::string random_id();

struct Epoch {
  std::string id;
  Lsn first;
  std::uint64_t term = 1;
  friend bool operator==(const Epoch&, const Epoch&) = default;
};

class History;
// An empty one if there is no file. Error: it is damaged.
Result<History> read_history(FileSystem& files, const std::string& directory);
Status write_history(FileSystem& files, const std::string& directory, const History& history);

class History {
 public:
  static constexpr std::size_t kMaxEpochs = 64;

  History() = default;
  explicit History(std::vector<Epoch> epochs) : epochs_(std::move(epochs)) {}

  const std::vector<Epoch>& epochs() const { return epochs_; }
  std::uint64_t term() const { return epochs_.empty() ? 0 : epochs_.back().term; }
  // The node that it was read from is a slave: these are its master's epochs.
  bool following() const { return following_; }
  void follow() { following_ = true; }
  bool empty() const { return epochs_.empty(); }
  friend bool operator==(const History&, const History&) = default;

  // The one in which the entry was written; nullptr if that is not known.
  const Epoch* at(Lsn lsn) const;
  // A master starts, whose log ends at `last`.
  void begin_epoch(Lsn last);
  // A slave of `master` becomes one, whose log ends at `last`: a later one than any that it followed.
  void promote(Lsn last, std::string master);
  // Whom it followed when it was promoted. Of a node that was started as master nothing: its settings tell.
  const std::optional<std::string>& promoted_from() const { return promoted_from_; }
  void forget_promotion() { promoted_from_.reset(); }

  // [["…",1,1],…] as on the wire and on disk. Nothing if the text is anything else.
  std::string to_json() const;
  static std::optional<History> of_json(std::string_view text);

 private:
  friend Result<History> read_history(FileSystem& files, const std::string& directory);

  std::vector<Epoch> epochs_;  // first LSNs ascending
  bool following_ = false;
  std::optional<std::string> promoted_from_;
};

// How a slave's log, which ends at `last`, is related to that of the master it asks.
enum class Relation {
  same,      // up to there
  unknown,   // one of them does not know
  diverged,  // at `last` the master has entries of another epoch
  outdated,  // the slave has followed a master of a later term
};
Relation relation(const History& slave, const History& master, Lsn last);
// Up to which LSN a log that ends at `last` is the same as another one, which may go on for ever. Nothing if their
// epochs do not tell.
std::optional<Lsn> fork(const History& history, Lsn last, const History& other);

}  // namespace karma::engine
