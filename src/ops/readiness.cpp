#include "ops/readiness.h"

namespace karma::ops {
namespace {

void add(Missing& missing, const std::string& what) {
  if (!what.empty()) missing.push_back(what);
}

// Of a node that does not serve nothing else is known.
Missing missing_to_serve(const NodeState& state) {
  switch (state.phase) {
    case NodeState::Phase::starting:
      return {"starting: " + state.progress};
    case NodeState::Phase::stopping:
      return {"the node stops"};
    case NodeState::Phase::serving:
      break;
  }
  return {};
}

void add_lag(Missing& missing, const NodeState& state, std::uint64_t max_lag_ms) {
  const std::string most = "at most " + std::to_string(max_lag_ms) + " ms are wanted";
  if (!state.lag_ms) {
    missing.push_back("how far it is behind its master is not known; " + most);
  } else if (*state.lag_ms > max_lag_ms) {
    missing.push_back(std::to_string(*state.lag_ms) + " ms behind its master; " + most);
  }
}

void add_of_data(Missing& missing, const NodeState& state) {
  add(missing, state.reads_withheld);
  if (state.diverged) missing.emplace_back("diverged: its data is not its master's any more");
}

}  // namespace

Missing missing_to_be_ready(const NodeState& state, std::uint64_t max_lag_ms) {
  if (Missing missing = missing_to_serve(state); !missing.empty()) return missing;
  if (!state.slave) return missing_to_be_primary(state);
  Missing missing;
  add_of_data(missing, state);
  add(missing, state.log_problem);
  add_lag(missing, state, max_lag_ms);
  // It follows again and again; what it says of that explains the rest.
  if (!missing.empty()) add(missing, state.following_problem);
  return missing;
}

Missing missing_to_be_primary(const NodeState& state) {
  if (Missing missing = missing_to_serve(state); !missing.empty()) return missing;
  if (state.slave) return {"a slave takes no writes"};
  Missing missing;
  add(missing, state.superseded);
  add(missing, state.log_problem);
  return missing;
}

Missing missing_to_be_replica(const NodeState& state, std::optional<std::uint64_t> max_lag_ms) {
  if (Missing missing = missing_to_serve(state); !missing.empty()) return missing;
  if (!state.slave) return {"this node is no slave"};
  Missing missing;
  add_of_data(missing, state);
  if (max_lag_ms) add_lag(missing, state, *max_lag_ms);
  return missing;
}

Missing missing_to_be_read(const NodeState& state) {
  if (Missing missing = missing_to_serve(state); !missing.empty()) return missing;
  Missing missing;
  add(missing, state.reads_withheld);
  return missing;
}

}  // namespace karma::ops
