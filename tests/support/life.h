// A random life of a node with everything in it that changes its state or writes to its disk, and what must be true
// after each act: 2 to 5 series that are dropped and made again, writes with and without keys, repeats and conflicts,
// prunes, ingest streams of every mode, snapshots of one series and of all, loads of snapshots.
//
// The life is lived once by a node that nothing happens to; its states are compared with a model, its replies are what
// every other node has to give that lives the same, in whatever pieces.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/engine_fixture.h"
#include "support/model.h"

namespace karma::test {

class Life {
 public:
  struct Act {
    enum class Kind { write, snapshot, load };
    Kind kind = Kind::write;
    std::string line;        // of a load: the series, whose newest snapshot is loaded
    std::string key = {};    // of a write that a key makes exact
    std::string chunk = {};  // of a chunk: its stream
    std::size_t step = 0;    // the writes of one step are one pipeline; the clock moves on after it
    std::string reply = {};
    std::uint64_t lsn = 0;     // after it
    std::string content = {};  // after it
  };

  static constexpr std::size_t kSteps = 26;
  Life(std::uint64_t seed, Config config, std::size_t steps = kSteps);

  const Config& config() const { return config_; }
  const std::vector<Act>& acts() const { return acts_; }
  // What `count` acts come to; the empty state for none.
  std::string content(std::size_t count) const { return count == 0 ? "" : acts_[count - 1].content; }
  std::uint64_t lsn(std::size_t count) const { return count == 0 ? 0 : acts_[count - 1].lsn; }

  // How many of the first `count` acts the last snapshot among them holds, where there is no log.
  std::size_t acts_saved(std::size_t count) const;

  // Goes on with act `from` until something is refused. Returns how many acts are acknowledged, from the first on.
  std::size_t live(Node& node, std::size_t from = 0) const;
  // The same one by one, and no act after one that is refused.
  std::size_t live_until_refused(Node& node, std::size_t from) const;
  // How many acts the state of a node that has just started is the work of; the test fails if it is that of no number
  // of acts, or of fewer than were acknowledged.
  std::size_t acts_done(Node& node, std::size_t acknowledged) const;
  // Sends again what the first `count` acts sent with a key or as a chunk. The answers must be the first ones.
  void expect_repeats(Node& node, std::size_t count) const;

 private:
  class Writer;
  std::string live_one(Node& node, const Act& act) const;

  const Config config_;
  std::vector<Act> acts_;
};

}  // namespace karma::test
