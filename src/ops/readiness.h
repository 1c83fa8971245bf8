// What a node can be used for at this moment: decided here, from values alone, for load balancers that ask over HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace karma::ops {

struct NodeState {
  enum class Phase : std::uint8_t { starting, serving, stopping };
  Phase phase = Phase::starting;
  std::string progress;  // of a start; the rest is known when the node serves

  bool slave = false;
  std::string superseded;         // why a master takes no writes any more; empty: it does
  std::string log_problem;        // why writes cannot be logged; empty: they can
  std::string reads_withheld;     // why reads are refused; empty: they are answered
  bool diverged = false;          // of a slave, as the rest: its data is not its master's any more
  std::string following_problem;  // why it does not follow; empty: it does
  std::optional<std::uint64_t> lag_ms;
};

// Empty: yes. Otherwise what is missing, a line each.
using Missing = std::vector<std::string>;

// Serves, and as well as it is meant to: a master takes writes, a slave is at most so far behind.
Missing missing_to_be_ready(const NodeState& state, std::uint64_t max_lag_ms);
// Takes writes.
Missing missing_to_be_primary(const NodeState& state);
// A slave that answers reads from its master's data; with `max_lag_ms` it knows to be at most so far behind.
Missing missing_to_be_replica(const NodeState& state, std::optional<std::uint64_t> max_lag_ms);
// Answers reads, whatever its role and however old the data.
Missing missing_to_be_read(const NodeState& state);

}  // namespace karma::ops
