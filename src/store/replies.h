// The reply of an operation that honours a key, as JSON: made of two numbers, and read back from text. 1.0 keeps the
// JSON in its registry, we keep the numbers.
#pragma once

#include <cstdint>

#include "core/buffer.h"
#include "core/json_reader.h"
#include "store/idempotency.h"

namespace karma::store {

void append_reply(Buffer& out, Operation operation, std::uint64_t first, std::uint64_t second);

// False if it is no reply of this operation.
bool read_reply(const json::Value& reply, Operation operation, std::uint64_t& first, std::uint64_t& second);

}  // namespace karma::store
