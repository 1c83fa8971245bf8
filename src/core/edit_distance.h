#pragma once

#include <cstddef>
#include <string_view>

namespace karma {

// How many slips lead from one word to the other: a letter too many, missing or wrong, or two neighbours in the wrong
// order (the optimal string alignment distance). Time and memory grow with the product of the lengths.
std::size_t edit_distance(std::string_view from, std::string_view to);

}  // namespace karma
