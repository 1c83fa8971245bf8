// Every op of the protocol, one line each in catalog.cpp.
#pragma once

#include <span>
#include <string_view>

#include "commands/op.h"

namespace karma::commands {

std::span<const Op> catalog();

// Those that honour a key, by their ids.
store::Operations operations();

// By name or alias; nullptr if there is none.
const Op* find_op(std::string_view name);

}  // namespace karma::commands
