// idempotency_key: a write that counts once, however often it is sent. And idempotency.*.
//
// A key is looked up by the writer before the log (engine/), so that a repeat in flight waits for the first one; the
// answer is remembered when the entry is applied, live and at replay alike. What the entry carries for that: the key
// and the time.
#pragma once

#include <chrono>
#include <cstdint>

#include "commands/op.h"
#include "store/exactly_once.h"

namespace karma::commands {

// What a write with a key brings along. Lives in the arena of its request.
struct KeyedWrite {
  store::IdempotencyRecord record;  // with the outcome when the write has been applied
  std::string_view command;         // its operation
  bool is_new = false;              // nothing is remembered of the key
  bool repeated = false;            // answered from memory
  bool timed = false;
  std::chrono::steady_clock::time_point started;  // if it is timed
};

// Reads the key from the fields of a request or an entry of `op`, which honours keys; without one `keyed` stays null.
// In a request the time is now, whatever the client says, and a fingerprint that the client gives must be right; in the
// log the time is what it says, or else `now`.
Status decode_key(const Fields& fields, const Op& op, const void* command, const store::ExactlyOnceState& exactly_once,
                  DecodeContext& context, KeyedWrite*& keyed);

// Into the entry of its command, led by a comma.
void encode_key(const KeyedWrite& keyed, Buffer& entry);

// Before the log. log: nobody has used the key; else as for Op::admit, `outcome` being the remembered one.
Verdict admit_key(KeyedWrite& keyed, const store::ExactlyOnceState& exactly_once, const Pending& pending,
                  Outcome& outcome);

// When the entry has been applied. The outcome is what it came to.
void remember_key(KeyedWrite& keyed, store::ExactlyOnceState& exactly_once, const Outcome& outcome);

struct IdempotencyPrune {
  static constexpr Spec kSpec{.name = "idempotency.prune", .command = "idempotency_prune", .deletes = true};
  static constexpr Reply kReply = Reply::count("deleted");
  std::int64_t before = 0;
  std::uint64_t limit = 0;

  static void describe(auto& self, auto& fields) {
    fields.prune_before(self.before);
    fields.limit(self.limit, UINT64_MAX, protocol::kMaxPruneLimit);
  }
  Verdict admit(const store::Store&, Pending& pending, Outcome&) const {
    pending.forgets_keys = true;
    return Verdict::log;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    outcome.first = store.exactly_once().records().prune(before, limit);
  }
};

}  // namespace karma::commands
