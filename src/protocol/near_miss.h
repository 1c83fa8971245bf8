// Names that were meant to be others: a mistyped field of a request would otherwise be passed over.
#pragma once

#include <optional>
#include <string_view>

#include "protocol/fields.h"

namespace karma::protocol {

// The one of `fields` that somebody who wrote `name` probably meant: the same letters in another case or with other
// separators, or a few slips away: two for names of five letters or more, one for those of three or four.
std::optional<Field> near_miss(std::string_view name, FieldSet fields);

}  // namespace karma::protocol
