// Runs mutations for a thread that may wait for them: snapshot.load, and a slave that gets entries of its master's log.
#pragma once

#include <span>
#include <string_view>

#include <karma/error.h>
#include <karma/types.h>

#include "core/mutex.h"
#include "engine/engine.h"

namespace karma::engine {

// An entry of another node's log.
struct LoggedEntry {
  Lsn lsn;
  std::string_view text;  // an object as in the log
};

// Not thread-safe.
class Submitter {
 public:
  explicit Submitter(Engine& engine) : engine_(engine), completions_([this] { wake(); }) {}

  // `entry`: an object as in the log. Returns when it is applied, or only when as many slaves as are wanted have it.
  enum class Until { applied, confirmed };
  Status execute(std::string_view entry, Until until = Until::applied);

  // Logs and applies the entries as they are, in order; nobody else may write meanwhile. `without_effect` hears of
  // those that a restart would pass over, too. After an Error none of the entries above Engine::position() have been
  // applied.
  using WithoutEffect = std::function<void(Lsn, std::string_view reason)>;
  Status replicate(std::span<const LoggedEntry> entries, const WithoutEffect& without_effect);

 private:
  Mutation* add(std::string_view entry);
  void wake();
  // Submits the batch and waits until all of it is answered.
  void run();

  Engine& engine_;
  CompletionQueue completions_;
  protocol::Fields fields_;
  MutationBatch batch_;
  Mutex mutex_;
  Condition changed_;
  bool answered_ KARMA_GUARDED_BY(mutex_) = false;
};

}  // namespace karma::engine
