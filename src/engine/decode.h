// From fields to a command, in one place: for lines of clients, for entries of the log that a start replays, and for
// those that snapshot.load makes.
#pragma once

#include <string_view>

#include <karma/error.h>

#include "commands/idempotency.h"
#include "commands/op.h"

namespace karma::engine {

struct Decoded {
  const commands::Op* op = nullptr;
  const void* command = nullptr;
  commands::KeyedWrite* keyed = nullptr;  // of a write with an idempotency key
  std::string_view id;                    // of the request, for its reply
};

// The op that the fields name; nullptr, and the reason, if it is unknown. `likely`, as the one of the
// request before, is tried first: one comparison in place of the search by name.
const commands::Op* find_op(const protocol::Fields& fields, const commands::Op* likely = nullptr);
Error no_op(const protocol::Fields& fields);

// The command that the fields make. It lives in the arena of the context.
Status decode(const commands::Op& op, const protocol::Fields& fields, const store::ExactlyOnceState& exactly_once,
              commands::DecodeContext& context, Decoded& decoded);

// An entry of the log. `now`, in Unix seconds, dates idempotency keys that a log of 1.0 does not date. `fields` is
// scratch space.
Status decode_entry(std::string_view entry, const store::ExactlyOnceState& exactly_once, std::int64_t now,
                    protocol::Fields& fields, Arena& arena, Decoded& decoded);

}  // namespace karma::engine
