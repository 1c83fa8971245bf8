#include "engine/submitter.h"

#include <string>
#include <vector>

#include "engine/recovery.h"

namespace karma::engine {
namespace {

// The op of an entry that cannot be read, as Karma 1.0 may have logged it: it counts, and does nothing.
constexpr commands::Op kWithoutEffect = [] {
  commands::Op op;
  op.kind = commands::Kind::mutation;
  op.access = commands::Access::write;
  op.apply = [](const void* reason, store::Store&, commands::Outcome& outcome) {
    outcome.fail(ErrorCode::validation_error, *static_cast<const std::string_view*>(reason));
  };
  op.series = [](const void*) { return std::string_view(); };
  op.changed = [](const void*, store::Store&) -> store::Series* { return nullptr; };
  return op;
}();

}  // namespace

Status Submitter::execute(std::string_view entry, Until until) {
  batch_.reset();
  Mutation* const mutation = add(entry);
  Status decoded = decode_entry(entry, engine_.store().exactly_once(), 0, fields_, batch_.arena, *mutation);
  if (!decoded) return decoded;
  mutation->waits_for_replicas = until == Until::confirmed;
  batch_.append(*mutation);
  run();
  if (mutation->outcome.failed) return engine_.refusal(*mutation);
  return {};
}

Status Submitter::replicate(std::span<const LoggedEntry> entries, const WithoutEffect& without_effect) {
  if (entries.empty()) return {};
  batch_.reset();
  std::vector<const Mutation*> mutations;
  mutations.reserve(entries.size());
  const std::int64_t now = engine_.unix_seconds();
  for (const LoggedEntry& entry : entries) {
    // It would be damage to the next start.
    if (const std::string why = why_unknown(entry.text); !why.empty())
      return Error{ErrorCode::replication_error, "entry " + std::to_string(entry.lsn.value) + " of the master's log: " +
                                                     why + "; this node has to be upgraded first"};
    Mutation* const mutation = add(entry.text);
    mutation->replicated = true;
    const Status decoded =
        decode_entry(entry.text, engine_.store().exactly_once(), now, fields_, batch_.arena, *mutation);
    if (!decoded) {
      mutation->op = &kWithoutEffect;
      mutation->keyed = nullptr;
      mutation->command = batch_.arena.make<std::string_view>(batch_.arena.copy(decoded.error().message));
    }
    batch_.append(*mutation);
    mutations.push_back(mutation);
  }
  const Lsn before = engine_.position();
  run();
  for (const Mutation* mutation : mutations) {
    if (!mutation->outcome.failed) continue;
    if (mutation->lsn <= before) return Error{mutation->outcome.code, std::string(mutation->outcome.message)};
    without_effect(mutation->lsn, mutation->outcome.message);
  }
  return {};
}

Mutation* Submitter::add(std::string_view entry) {
  Mutation* const mutation = batch_.arena.make<Mutation>();
  mutation->outcome.arena = &batch_.arena;
  mutation->waits_for_replicas = false;
  mutation->completions = &completions_;
  mutation->entry = entry;
  return mutation;
}

void Submitter::wake() {
  const MutexLock lock(mutex_);
  answered_ = true;
  changed_.notify_one();
}

void Submitter::run() {
  std::size_t unanswered = batch_.unanswered;
  engine_.submit(batch_);
  while (unanswered != 0) {
    {
      const MutexLock lock(mutex_);
      while (!answered_) changed_.wait(mutex_);
      answered_ = false;
    }
    for (const Mutation* answer = completions_.take().first; answer != nullptr; answer = answer->next_answered)
      --unanswered;
  }
}

}  // namespace karma::engine
